"""Custom Streamlit components: Python wrappers with their JavaScript and CSS beside them, no build step."""
