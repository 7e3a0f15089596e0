"""Parameters by validation."""
