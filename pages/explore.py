"""Explore: a model's map, any point of it decoded, groups, the grid over its plane, samples."""

from __future__ import annotations

import streamlit as st

from explorer.ui import address, cache, pickers, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.map_view import map_view
from explorer.ui.components.latent_map.component import Selected
from explorer.ui.explore.decoded import decoded_panel
from explorer.ui.explore.grid import grid_panel
from explorer.ui.explore.group import group_panel
from explorer.ui.explore.samples import samples_panel
from explorer.ui.markdown import plain
from explorer.ui.selection import Pick


def pick_map(model: cache.Model) -> tuple[EncodedDataset, str, bool]:
    """The controls above the map: the mapped data, what colours it, whether holes are shown."""
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    color_box = controls.container(width=180)  # first on the screen, though what it offers depends on the data
    mapped = pickers.pick_data(model, controls)
    color = pickers.pick_color(mapped, color_box)
    show_holes = mapped.map.exact and controls.toggle(
        "Show holes",
        key="holes",
        persist_state="session",
        help="Where the prior would draw codes but hardly any image is encoded: the decoder was never there.",
    )
    return mapped, color, show_holes


def draw_map(data: EncodedDataset, color: str, show_holes: bool, pick: Pick | None) -> Selected | None:
    """The map, with its holes when they are asked for."""
    overlay, mass = sheets.holes(data) if show_holes else (None, 0.0)
    selected = map_view(
        data, pick, key="map", color=color, overlay=overlay, selected=selection.selected(), on_select=selection.select
    )
    if show_holes:
        prior = "the prior" if data.model.has_prior else "a Gaussian fitted to the codes (it has no prior)"
        st.markdown(
            f"**{mass:.0%} of what {prior} would draw falls into holes** (striped): fewer than a tenth of the expected "
            "codes lie there, so nobody taught the decoder what to draw. The KL term of a VAE presses its codes into "
            "the prior's shape; a plain autoencoder lets them lie anywhere."
        )
    return selected


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
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    left, right = st.columns([3, 2], gap="medium")
    with left:
        data, color, show_holes = pick_map(model)
        address.restore_pick(data)
        pick = selection.current(data)
        selected = draw_map(data, color, show_holes, pick)
    with right:
        decoded_panel(data, pick)
    group_panel(data, selected)
    below_left, below_right = st.columns(2, gap="medium")
    with below_left:
        grid_panel(data, pick)
    with below_right:
        samples_panel(data)
    for text in [*address.notices(), *data.notes]:
        notices.warning(plain(text))
    address.write_url(model.info.id, color, data.map.kind, data.name, pick, pickers.query(data))


main()
