"""The retrieval benchmark: mfrec's indexes against the libraries that a reader would try instead."""
