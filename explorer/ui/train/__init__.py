"""The Train screen, and the form that it shares with the sidebar."""
