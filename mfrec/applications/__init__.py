"""What the four directions are for: each module is one use of a fitted model."""
