"""The Streamlit script: page config, style, navigation and the sidebar that every screen has."""

from pathlib import Path

import streamlit as st

from explorer.ui import account, address, following, page_switch, panels, people
from explorer.ui.sidebar import sidebar

UI = Path(page_switch.__file__).parent
st.set_page_config(page_title="Latent Explorer", page_icon=UI / "favicon.png", layout="wide")
st.logo(UI / "favicon.png", size="large")
person = people.current()
page = st.navigation(
    [
        st.Page(page_switch.EXPLORE, title="Explore", icon=":material/scatter_plot:", default=True),
        st.Page(page_switch.ARITHMETIC, title="Arithmetic", icon=":material/calculate:", url_path="arithmetic"),
        st.Page(page_switch.CELLS, title="Cells", icon=":material/bloodtype:", url_path="cells"),
        st.Page(page_switch.RECONSTRUCT, title="Reconstruct", icon=":material/image_search:", url_path="reconstruct"),
        st.Page(page_switch.TRAIN, title="Train", icon=":material/model_training:", url_path="train"),
    ],
    position="top" if person else "hidden",
)
if person is None:
    account.sign_in_page()
    st.stop()
address.follow_history()
panels.begin()
following.begin()
page_switch.follow(fragment=False)
sidebar(whole_page=page.url_path == "train")
page.run()
