"""How fast and how right the indexes are, beside the libraries that a reader would try instead."""
