"""What is measured rather than tested: how good the model is, how fast, and beside what."""
