"""A code that follows sliders: its image, where it lies on the map, and a button that chooses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer.images import pictures
from explorer.latents import compact
from explorer.ui import address, html, page_switch, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import computed
from explorer.ui.codes.item_files import code_csv
from explorer.ui.codes.map_marks import place_of
from explorer.ui.components.code_sliders.component import Knob, code_sliders
from explorer.ui.downloads import caption_of, strip_menu
from explorer.ui.panels import guarded

_PARAM = "moves"


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
) -> dict[str, str]:
    """Draws the sliders in a fragment, which alone runs for each move; returns what the address says of them.

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
    # Those of an address are of whatever is edited now.
    address.restore_value(
        _PARAM, f"{key}_moved", lambda text: ("", _within(compact.read_moves(text), len(start))), default=("", {})
    )
    moved: dict[int, float]
    of, moved = st.session_state[f"{key}_moved"]
    if of != revision:
        _, moved = st.session_state[f"{key}_moved"] = (revision, moved if of == "" else {})

    def picture(code: Tensor) -> Image.Image:
        return pictures.single(data.decode(code[None])[0])

    def query() -> dict[str, str]:
        homes = {knob.id: knob.home for knob in make(moved)[1]}
        return {_PARAM: compact.moves_text({i: value for i, value in moved.items() if value != homes.get(i)})}

    @st.fragment
    @guarded
    def live() -> None:
        page_switch.follow()
        code, knobs = make(moved)
        code_sliders(
            key=key,
            knobs=knobs,
            picture=html.source(picture(code)),
            picture_alt="the decoded code",
            picture_data={"code": html.code_text(code)},
            caption=computed.share_text(data, code, start),
            revision=revision,
            columns=columns,
            place=place_of(data, code),
            label=label,
            on_move=moved.update,
        )
        address.follow_slider(f"{key}_address", query())

        def use() -> None:
            selection.choose_code(data, code, origin)
            page_switch.refresh()

        st.button("Use this code", key=f"{key}_use", on_click=use, help="It becomes `here`, on Explore too")

    live()
    strip_menu(  # out of what runs for each move
        key,
        f"{data.model.info.name}-moved",
        caption_of(data.model.info, f"A code before and after it was moved by {origin}"),
        lambda: [("before", picture(start)), ("after", picture(make(moved)[0]))],
        table=lambda: code_csv(data.model, make(moved)[0]),
        quiet=True,
    )
    return query()


def _within(moves: dict[int, float], count: int) -> dict[int, float]:
    return {number: value for number, value in moves.items() if number < count}
