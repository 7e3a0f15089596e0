"""What large tables, odd files and every kind of frame do to reading."""
