"""The Streamlit script: page config, style, navigation and the sidebar that every screen has."""

from pathlib import Path

import streamlit as st

from explorer.ui import account, address, following, page_switch, panels, people
from explorer.ui.sidebar import sidebar
from explorer.ui.tours import panel as tours
from explorer.ui.train import run_form

UI = Path(page_switch.__file__).parent
st.set_page_config(page_title="Latent Explorer", page_icon=UI / "favicon.png", layout="wide")
st.logo(UI / "favicon.png", size="large")
person = people.current()
screens = [
    st.Page(page_switch.EXPLORE, title="Explore", icon=":material/scatter_plot:", default=True),
    st.Page(page_switch.ARITHMETIC, title="Arithmetic", icon=":material/calculate:", url_path="arithmetic"),
    st.Page(page_switch.CELLS, title="Cells", icon=":material/bloodtype:", url_path="cells"),
    st.Page(page_switch.RECONSTRUCT, title="Reconstruct", icon=":material/image_search:", url_path="reconstruct"),
    st.Page(page_switch.COMPARE, title="Compare", icon=":material/compare:", url_path="compare"),
    st.Page(page_switch.TRAIN, title="Train", icon=":material/model_training:", url_path="train"),
]
page = st.navigation(screens, position="top" if person else "hidden")
if person is None:
    account.sign_in_page()
    st.stop()
address.follow_history()
panels.begin()
following.begin()
st.session_state[page_switch.SHOWN] = page.url_path or page_switch.EXPLORE.stem
tours.begin()
page_switch.follow(fragment=False)
with st.container(horizontal=True, gap=None, key="screens"):  # where the bar above has no room for their names
    for screen in screens:
        st.page_link(screen, label=screen.title, icon=None)
sidebar(whole_page=page.url_path == "train")
tours.tour_panel()
try:
    panels.guarded(page.run)()
finally:
    run_form.start_shown()
