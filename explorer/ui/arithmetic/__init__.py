"""The Arithmetic screen."""
