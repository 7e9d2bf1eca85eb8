"""Checkpoints: the folder format, a checkpoint in use, export."""
