"""Vectors for items and users without interactions, from what is known about them."""
