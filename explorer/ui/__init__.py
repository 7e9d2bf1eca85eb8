"""What the pages share of Streamlit: cached loading, the address, what is selected, components and panels."""
