"""The model folder and the store of model versions."""
