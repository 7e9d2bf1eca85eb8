"""One picture: read, prepare, corrupt, draw, film."""
