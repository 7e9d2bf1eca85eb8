"""What the pages share of Streamlit: cached loading, the view and its URL, components and panels."""
