"""A code that follows sliders: its image, where it lies on the map, and a button that chooses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from torch import Tensor

from explorer.images import pictures
from explorer.ui import html, page_switch, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import computed
from explorer.ui.codes.map_marks import place_of
from explorer.ui.components.code_sliders.component import Knob, code_sliders


def live_code(
    data: EncodedDataset,
    start: Tensor,
    make: Callable[[dict[int, float]], tuple[Tensor, Sequence[Knob]]],
    *,
    key: str,
    edited: Tensor,
    label: str,
    origin: str,
    columns: int = 2,
) -> None:
    """Draws the sliders in a fragment, which alone runs for each move.

    Args:
        data: the model that decodes the code, and the map that shows it.
        start: the code [D] that the moves begin at.
        make: gives the code and the sliders for the values that were moved, by the sliders' numbers.
        key: of the sliders.
        edited: names what is edited: with other values all moves begin afresh.
        label: what a screen reader calls the sliders.
        origin: what a code that is chosen here comes from, in words.
        columns: of sliders, where there is room for them.
    """
    revision = f"{data.key}-{sheets.hashed(edited)}"

    @st.fragment
    def live() -> None:
        page_switch.follow()
        moved: dict[int, float]
        of, moved = st.session_state.setdefault(f"{key}_moved", (revision, {}))
        if of != revision:
            _, moved = st.session_state[f"{key}_moved"] = (revision, {})
        code, knobs = make(moved)
        code_sliders(
            key=key,
            knobs=knobs,
            picture=html.source(pictures.single(data.decode(code[None])[0])),
            picture_alt="the decoded code",
            picture_data={"code": html.code_text(code)},
            caption=computed.share_text(data, code, start),
            revision=revision,
            columns=columns,
            place=place_of(data, code),
            label=label,
            on_move=moved.update,
        )

        def use() -> None:
            selection.choose_code(data, code, origin)
            page_switch.refresh()

        st.button("Use this code", key=f"{key}_use", on_click=use, help="It becomes `here`, on Explore too")

    live()
