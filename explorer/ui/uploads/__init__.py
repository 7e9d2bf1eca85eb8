"""A person's own pictures: taken in, kept for a session, taken away and brought back."""
