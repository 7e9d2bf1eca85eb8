"""An app of one page with a component of ours on it, beside the assets that it refers to."""

import streamlit as st

from explorer.ui import assets

app = st.App("page.py", routes=assets.routes())
