"""A person's own images on their way to a data set."""
