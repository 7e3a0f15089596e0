"""One module per command; they parse, call the library, and print."""
