"""The Reconstruct screen."""
