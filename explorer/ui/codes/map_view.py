"""The map of a data set's codes, as every screen that has one draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from explorer.figures import palette
from explorer.latents.maps import guess_accuracy
from explorer.ui import selection, sheets
from explorer.ui.cache import STORED, EncodedDataset, Votes, group_votes
from explorer.ui.components.latent_map.component import Click, LegendEntry, Mark, Overlay, Selected, Trail, latent_map
from explorer.ui.markdown import plain
from explorer.ui.selection import Pick
from explorer.ui.wording import GROUP


def map_view(
    data: EncodedDataset,
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
    keeps_view: bool = False,
    on_click: Callable[[Click], None] | None = None,
    on_select: Callable[[Selected | None], None] | None = None,
    height: int = 560,
) -> None:
    """Draws the map with a ring around the pick.

    With `keeps_view` it shows the part that was shown last, and the session knows what a person zooms to.
    """
    rings = list(marks)
    if pick is not None:
        rings.append(Mark(*pick.place(data), pick_label))
    latent_map(
        key=key,
        figure_url=sheets.map_figure(data, color),
        legend=_legend(data, color),
        legend_of=GROUP if color == "group" else "class",
        sprites=sheets.sprites(data),
        atlas=sheets.atlas(data),
        marks=rings,
        trails=trails,
        follows=follows,
        overlay=overlay,
        names=data.classes,
        revision=data.map_key,
        empty_hint=_empty_hint(data),
        height=height,
        selected=selected,
        view=selection.view(data) if keeps_view else None,
        anew=selection.anew(),
        on_click=on_click,
        on_select=on_select,
        on_view=partial(selection.look_at, data) if keeps_view else None,
    )


def map_notes(data: EncodedDataset, color: str) -> None:
    """Says under a map how far it can be trusted, and how a decoder that is told classes is used."""
    by_group = data.latents.group is not None and color in ("class", "group")
    st.caption(_quality_line(data, by_group=by_group), help=_FOLLOWS_HELP if by_group else None)
    if data.drawn_as is not None:
        name = plain(data.model.classes[data.drawn_as])
        st.caption(f"This decoder is told the class: items are drawn as their own, any other code as **{name}**.")


def _empty_hint(data: EncodedDataset) -> str:
    """What a click beside the points does."""
    if not data.model.continuous:
        return "click to choose the nearest image"
    return "click to decode this spot" if data.map.exact else "click to decode an estimate of this spot"


def _legend(data: EncodedDataset, color: str) -> list[LegendEntry] | None:
    """The classes or the groups that have members."""
    if color == "group":
        names, ids = data.latents.groups
    elif color == "class" and data.latents.labels is not None:
        names, ids = data.classes, data.latents.labels
    else:
        return None
    counts = ids.bincount(minlength=len(names)).tolist()
    colors = palette(len(names))
    return [LegendEntry(i, name, colors[i], counts[i]) for i, name in enumerate(names) if counts[i]]


_FOLLOWS_HELP = (
    "Does the map follow what you care about, or where an image comes from? For each item its 15 nearest others vote. "
    f"How often the vote is right is given for the class and for the {GROUP}, and next to it how often one would be "
    f"right by always naming the commonest. The {GROUP} far above guessing means that the map also shows whose slide "
    "an image is from: its staining and its light."
)


def _quality_line(data: EncodedDataset, *, by_group: bool) -> str:
    """How far the map can be trusted, and what it follows, in one line."""
    q, labels = data.quality, data.latents.labels
    only = data.model.info.config["dataset"].get("only") if data.name == STORED else None
    parts = [f"{len(data.latents):,} {f'{plain(only)} ' if only else ''}items of {plain(data.source)}"]
    if not data.map.exact and "trustworthiness" in q:
        parts.append(f"trustworthiness {q['trustworthiness']:.2f}, continuity {q['continuity']:.2f}")
    votes = []
    if "accuracy_codes" in q and labels is not None and len(labels.unique()) > 1:
        found = Votes(q["accuracy_codes"], q["accuracy_map"], guess_accuracy(labels))
        votes.append(f"class {_right(data, found, guess=by_group)}")
    if by_group and (of_groups := group_votes(data)):
        votes.append(f"{GROUP} {_right(data, of_groups, guess=True)}")
    if votes:
        parts.append(f"15 nearest neighbours name the {', the '.join(votes)}")
    return " · ".join(parts)


def _right(data: EncodedDataset, votes: Votes, *, guess: bool) -> str:
    on_map = "" if data.map.exact else f", {votes.map:.0%} on this map"
    return f"right for {votes.codes:.0%} in the codes{on_map}{f' (guessing: {votes.guess:.0%})' if guess else ''}"
