"""The map of a data set's codes, as every screen that has one draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.figures import palette
from explorer.ui import sheets, view
from explorer.ui.components.latent_map import Click, LegendEntry, Mark, Overlay, Selected, Trail, latent_map
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain
from explorer.ui.view import Pick


def map_view(
    data: Mapped,
    pick: Pick | None,
    *,
    key: str,
    color: str,
    marks: Sequence[Mark] = (),
    trails: Sequence[Trail] = (),
    follows: str = "",
    pick_label: str = "",
    overlay: Overlay | None = None,
    selected: Selected | None = None,
    on_select: Callable[[Selected | None], None] | None = None,
    height: int = 560,
) -> Selected | None:
    """Draw the map with a ring around the pick; clicks become picks. Returns what is selected."""

    def clicked(click: Click) -> None:
        if click.id is not None and click.id < len(data.latents):
            view.choose_row(data, click.id)
        else:
            view.choose_spot(data, click.x, click.y)

    colors = palette(len(data.classes))
    labels = data.latents.labels
    legend = None
    if color == "class" and labels is not None:
        counts = labels.bincount(minlength=len(data.classes)).tolist()
        legend = [LegendEntry(i, name, colors[i], counts[i]) for i, name in enumerate(data.classes)]
    rings = list(marks)
    if pick is not None:
        x, y = pick.xy if pick.xy is not None else data.map.place(pick.tensor()[None])[0].tolist()
        rings.append(Mark(x, y, pick_label))
    events = latent_map(
        key=key,
        figure_url=sheets.map_figure(data, color),
        legend=legend,
        sprites=sheets.sprites(data),
        atlas=sheets.atlas(data),
        marks=rings,
        trails=trails,
        follows=follows,
        overlay=overlay,
        names=data.classes,
        revision=f"{data.key}-{data.map.kind}",
        empty_hint="click to decode this spot" if data.map.exact else "click to decode an estimate of this spot",
        height=height,
        selected=selected,
        on_click=clicked,
        on_select=on_select,
    )
    st.caption(_quality_line(data))
    return events.selected


def _quality_line(data: Mapped) -> str:
    """How far the map can be trusted, in one line."""
    q = data.quality
    parts = [f"{len(data.latents):,} items of {plain(data.source)}"]
    if not data.map.exact and "trustworthiness" in q:
        parts.append(f"trustworthiness {q['trustworthiness']:.2f}, continuity {q['continuity']:.2f}")
    if "accuracy_codes" in q:
        of_codes = f"15 nearest neighbours name the class right for {q['accuracy_codes']:.0%} in the codes"
        parts.append(of_codes if data.map.exact else f"{of_codes}, {q['accuracy_map']:.0%} on this map")
    return " · ".join(parts)
