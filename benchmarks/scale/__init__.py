"""What large tables cost."""
