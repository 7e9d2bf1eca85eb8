"""Explore: a model's map, any point of it decoded, groups, the grid over its plane, samples."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui import address, pickers, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import tags
from explorer.ui.codes.abilities import why_no_holes
from explorer.ui.codes.map_view import map_notes, map_view
from explorer.ui.components.latent_map.component import Click, Selected
from explorer.ui.explore import grid, samples
from explorer.ui.explore.decoded import decoded_menu, decoded_neighbours, decoded_picture
from explorer.ui.explore.group import group_panel
from explorer.ui.explore.tagging import tags_panel
from explorer.ui.explore.used_latents import used_latents
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain
from explorer.ui.model_card import model_card
from explorer.ui.panels import follow, guarded, panel
from explorer.ui.tours.panel import tours_list, welcome


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Explore what a model has learnt", width="content", help=_HELP)
        with st.container(horizontal=True, width="content"):
            tours_list()
            glossary()
    welcome()
    model = pickers.pick_model()
    model_card(model)

    def shown(name: str, draw: Callable[[], None], state: Callable[[], object] = tuple) -> None:
        """A panel, with an address that follows what is chosen in it."""

        def drawn() -> None:
            draw()
            write_address(data)

        panel(name, drawn, state)

    panel("used_latents", lambda: used_latents(model))
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    left, right = st.columns([3, 2], gap="medium")
    with left:
        controls = st.container(horizontal=True, vertical_alignment="bottom")
        color_box = controls.container(width=180)  # first on the screen, though what it offers depends on the data
        data = pickers.pick_data(model, controls)
        restore(data)
        # In panels, as `follow` may only take the place of a panel's rerun.
        with color_box:
            shown(
                "color", lambda: pickers.pick_color(data, on_change=lambda: follow("color")), lambda: len(tags.of(data))
            )
        if reason := why_no_holes(model):
            controls.caption(reason)
        elif data.map.exact:
            with controls:
                shown("holes", lambda: pick_holes(data), lambda: shows_holes(data))
        map_place = st.container()
        shown(
            "map_notes",
            lambda: map_notes(data, pickers.chosen_color(data)),
            lambda: (pickers.chosen_color(data), tags.of(data)),
        )
    with right.container(key="decoded", border=True):
        shown(
            "pick",
            lambda: picked(data, map_place),
            lambda: (
                selection.current(data),
                selection.selected(data),
                pickers.chosen_color(data),
                shows_holes(data),
                tags.of(data),
            ),
        )
        panel("decoded_menu", lambda: decoded_menu(data))
    shown(
        "group", lambda: group_panel(data), lambda: (selection.selected(data), selection.among_shown("typical", data))
    )
    shown("tags", lambda: tags_panel(data), lambda: tags.of(data))
    below_left, below_right = st.columns(2, gap="medium")
    with below_left.container(key="grid", border=True):
        shown("grid", lambda: grid.grid_panel(data), lambda: grid.grid_state(data))
    with below_right.container(key="samples", border=True):
        shown("samples", lambda: samples.samples_panel(data), lambda: selection.among_shown("samples", data))
    for text in [*address.notices(), *data.notes]:
        notices.warning(plain(text))


def restore(data: EncodedDataset) -> None:
    """Starts all of the screen from the address, before a panel writes its own part of it."""
    address.restore_pick(data)
    address.restore_map(data, selects=True)
    address.restore_value("holes", _HOLES, lambda text: text == "1", default=False)
    pickers.chosen_color(data)
    grid.restore(data)
    samples.restore(data.model)


def write_address(data: EncodedDataset) -> None:
    more = {**address.map_query(data, selects=True), **grid.query(data), **samples.query(data.model)}
    more["holes"] = "1" if shows_holes(data) else ""
    address.write_url(data, pickers.chosen_color(data), selection.current(data), more)


def picked(data: EncodedDataset, map_place: st.delta_generator.DeltaGenerator) -> None:
    """The pick on the map and decoded beside it: one panel, as the map's clicks are what it follows most."""

    def clicked(click: Click) -> None:
        selection.choose_click(data, click)
        follow("pick")

    def outlined(found: Selected | None) -> None:
        selection.select(found)
        follow("pick")

    pick = selection.current(data)
    guarded(decoded_picture)(data, pick)  # first: it is what a click waits for
    with map_place:
        map_view(
            data,
            pick,
            key="map",
            color=pickers.chosen_color(data),
            overlay=sheets.holes(data)[0] if shows_holes(data) else None,
            selected=selection.selected(data),
            keeps_view=True,
            on_click=clicked,
            on_select=outlined,
        )
    if pick is not None:
        guarded(decoded_neighbours)(data, pick)


_HOLES = "holes"
HOLES_HELP = "Where the prior would draw codes but hardly any image is encoded: the decoder was never there."


def pick_holes(data: EncodedDataset) -> None:
    """Whether the map shows its holes; if so, how much of the prior lies in them."""
    st.toggle("Show holes", key=_HOLES, persist_state="session", on_change=lambda: follow("holes"), help=HOLES_HELP)
    if shows_holes(data):
        prior = "the prior" if data.model.has_prior else "a Gaussian fitted to the codes (it has no prior)"
        share = sheets.holes(data)[1]
        st.markdown(f"**{share:.0%} of what {prior} would draw falls into holes** (striped).", help=_WHY_HOLES)


def shows_holes(data: EncodedDataset) -> bool:
    return data.map.exact and bool(st.session_state.get(_HOLES))


_HELP = meaning("Code", "Nearest", "Squared error", "Active latent")
_WHY_HOLES = (
    "Fewer than a tenth of the expected codes lie there, so nobody taught the decoder what to draw. The KL term of a "
    "VAE presses its codes into the prior's shape, a learnt prior moves to where they are, and a plain autoencoder "
    "lets them lie anywhere."
)

main()
