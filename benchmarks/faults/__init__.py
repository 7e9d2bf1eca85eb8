"""Faults made on purpose: what a sceptic would do to the files that the program reads."""
