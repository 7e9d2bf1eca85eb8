"""The live view of the run that the address names, or of one of several, as a page has it: in a fragment."""

import streamlit as st

from explorer import runs
from explorer.ui.train.watch import watch_panel

st.set_page_config(layout="wide")
names = st.query_params["run"].split(",")
name = names[0] if len(names) == 1 else st.radio("Run", names)


@st.fragment(run_every=0.5 if runs.run(name).active else None)
def watch() -> None:
    watch_panel(runs.run(name))


watch()
st.text("Below the view.")
