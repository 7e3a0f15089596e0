"""From interactions to a model."""
