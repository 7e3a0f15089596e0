"""mfrec against a TensorFlow Recommenders two-tower."""
