"""What comes in: interactions, tables, and the MovieLens releases."""
