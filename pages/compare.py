"""Compare: two to six models side by side, or epochs of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.ui import address, page_switch, pickers
from explorer.ui.cache import CheckpointInfo
from explorer.ui.compare.curves import curves_panel
from explorer.ui.compare.epochs import EpochInfo, epoch_maps, pick_epochs
from explorer.ui.compare.maps import maps_panel
from explorer.ui.compare.measures import measures_panel
from explorer.ui.compare.models import MOST, of_same_images, pick_compared
from explorer.ui.compare.pictures import pictures_panel
from explorer.ui.compare.settings import settings_panel
from explorer.ui.compare.sweeps import sweeps_panel
from explorer.ui.glossary import glossary, meaning
from explorer.ui.markdown import plain
from explorer.ui.panels import panel

PARTS: dict[str, tuple[str, Callable[[Sequence[CheckpointInfo]], dict[str, str]]]] = {
    "pictures": ("Images", pictures_panel),
    "maps": ("Maps", lambda models: _maps(models)),
    "measures": ("Measures", measures_panel),
    "curves": ("Curves", curves_panel),
    "settings": ("Settings", settings_panel),
    "sweeps": ("Sweeps", lambda models: sweeps_panel()),
}

OF_EPOCHS = ("maps", "measures", "settings")  # the parts that earlier epochs have something for, besides models


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Compare models", width="content", help=_HELP)
        glossary()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    models = pick_compared()
    epochs = pick_epochs(models, MOST - len(models))
    names = {name: title for name, (title, _) in PARTS.items()}
    part = pickers.pick_one("Part", "part", page_switch.COMPARE_PART, names, "the part", label_visibility="collapsed")
    query = {
        "models": ",".join(info.id for info in models),
        "epochs": ",".join(info.id for info in epochs),
        "part": "" if part == "pictures" else part,
    }

    def draw() -> None:
        if epochs and part not in OF_EPOCHS:
            st.caption("Of an earlier epoch no weights are kept: it has **Maps**, **Measures** and **Settings** alone.")
        more = PARTS[part][1]([*models, *epochs] if part in OF_EPOCHS else models)
        address.put_address({name: value for name, value in {**query, **more}.items() if value})

    if len(models) + len(epochs) < 2 and part != "sweeps":
        st.info("Choose two models or more to see them side by side.")
        address.put_address({name: value for name, value in query.items() if value})
    else:
        panel(part, draw)
    for text in address.notices():
        notices.warning(plain(text))


def _maps(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Draws the maps of models, and of the earlier epochs among them."""
    epochs = [info for info in models if isinstance(info, EpochInfo)]
    encoded = of_same_images([info for info in models if not isinstance(info, EpochInfo)])
    return maps_panel([*((data.model.info, data) for data in encoded), *epoch_maps(epochs)])


_HELP = meaning("Squared error", "ELBO", "Fréchet distance", "Run")

main()
