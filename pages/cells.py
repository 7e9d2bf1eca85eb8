"""Cells: healthy blood cells next to cells with malaria, as generative models draw them."""

from __future__ import annotations

import streamlit as st

from explorer.ui import view
from explorer.ui.markdown import plain
from explorer.ui.panels.cells_pair import pair_panel


def main() -> None:
    st.markdown("### Healthy cells, and cells with malaria")
    notices = st.container()
    address = pair_panel()
    for text in view.notices():
        notices.warning(plain(text))
    if st.query_params.to_dict() != address:
        st.query_params.from_dict(address)


main()
