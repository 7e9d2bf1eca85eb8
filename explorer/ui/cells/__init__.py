"""The Cells screen."""
