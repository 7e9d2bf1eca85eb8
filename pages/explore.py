"""Explore: a model's map, any point of it decoded, groups, the grid over its plane, samples."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui import address, pickers, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.abilities import why_no_holes
from explorer.ui.codes.map_view import map_notes, map_view
from explorer.ui.components.latent_map.component import Click, Selected
from explorer.ui.explore import grid, samples
from explorer.ui.explore.decoded import decoded_neighbours, decoded_picture
from explorer.ui.explore.group import group_panel
from explorer.ui.markdown import plain
from explorer.ui.model_card import model_card
from explorer.ui.panels import follow, panel

WORDS = """
- **Code**: a few numbers that stand for an image. The *encoder* turns an image into a distribution over codes, the
  *posterior*; the map shows its mean. The *decoder* turns any code into an image.
- **Prior**: the distribution that codes should follow as a whole, a round cloud around zero. *Samples* are its draws.
- **ELBO**: how well the model accounts for an image, in nats; higher is better. It is the **reconstruction** term (how
  close the decoded image comes) less the **KL** (how much the code tells beyond the prior).
- **Holes**: where the prior would draw codes but no image lies.
- **UMAP, principal components**: ways to lay out codes of many numbers on a plane. Read neighbourhoods, not distances.
"""


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Explore what a model has learnt", width="content")
        with st.popover("Words", icon=":material/help:", type="tertiary", key="words"):
            st.markdown(WORDS)
    model = pickers.pick_model()
    model_card(model)

    def shown(name: str, draw: Callable[[], None], state: Callable[[], object] = tuple) -> None:
        """A panel, with an address that follows what is chosen in it."""

        def drawn() -> None:
            draw()
            write_address(data)

        panel(name, drawn, state)

    notices = st.container()  # filled at the end: the widgets below have things to say, too
    left, right = st.columns([3, 2], gap="medium")
    with left:
        controls = st.container(horizontal=True, vertical_alignment="bottom")
        color_box = controls.container(width=180)  # first on the screen, though what it offers depends on the data
        data = pickers.pick_data(model, controls)
        restore(data)
        # In panels, as `follow` may only take the place of a panel's rerun.
        with color_box:
            shown("color", lambda: pickers.pick_color(data, on_change=lambda: follow("color")))
        if reason := why_no_holes(model):
            controls.caption(reason)
        elif data.map.exact:
            with controls:
                shown("holes", pick_holes)
        map_place = st.container()
        shown("map_notes", lambda: notes(data), lambda: (pickers.chosen_color(data), shows_holes(data)))
    with right.container(key="decoded", border=True):
        shown(
            "pick",
            lambda: picked(data, map_place),
            lambda: (selection.current(data), selection.selected(data), pickers.chosen_color(data), shows_holes(data)),
        )
    shown(
        "group", lambda: group_panel(data), lambda: (selection.selected(data), selection.among_shown("typical", data))
    )
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
    decoded_picture(data, pick)  # first: it is what a click waits for
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
        decoded_neighbours(data, pick)


_HOLES = "holes"
HOLES_HELP = "Where the prior would draw codes but hardly any image is encoded: the decoder was never there."


def pick_holes() -> None:
    """Whether the map shows its holes."""
    st.toggle("Show holes", key=_HOLES, persist_state="session", on_change=lambda: follow("holes"), help=HOLES_HELP)


def shows_holes(data: EncodedDataset) -> bool:
    return data.map.exact and bool(st.session_state.get(_HOLES))


def notes(data: EncodedDataset) -> None:
    """What there is to say of the map."""
    map_notes(data, pickers.chosen_color(data))
    if shows_holes(data):
        prior = "the prior" if data.model.has_prior else "a Gaussian fitted to the codes (it has no prior)"
        share = sheets.holes(data)[1]
        st.markdown(
            f"**{share:.0%} of what {prior} would draw falls into holes** (striped): fewer than a tenth of the "
            "expected codes lie there, so nobody taught the decoder what to draw. The KL term of a VAE presses its "
            "codes into the prior's shape, a learnt prior moves to where they are, and a plain autoencoder lets them "
            "lie anywhere."
        )


main()
