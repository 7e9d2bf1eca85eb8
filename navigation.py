"""The Streamlit script: page config, style and navigation."""

from pathlib import Path

import streamlit as st

UI = Path(__file__).parent / "explorer" / "ui"
st.set_page_config(page_title="Latent Explorer", page_icon=UI / "favicon.png", layout="wide")
st.logo(UI / "favicon.png", size="large")
st.html(UI / "style.css")
st.navigation(
    [st.Page("pages/explore.py", title="Explore", icon=":material/scatter_plot:", default=True)],
    position="top",
).run()
