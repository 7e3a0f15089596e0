"""What answers: the recommender and what it is made of. Needs numpy and annoy alone."""
