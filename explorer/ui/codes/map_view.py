"""The map of a data set's codes, as every screen that has one draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import urlencode

import streamlit as st
import torch

from explorer.checkpoints.model import Model
from explorer.checkpoints.page import page
from explorer.figures import FAINT, Groups, palette
from explorer.figures.paper import Panel, with_legend
from explorer.latents.colours import GROUP
from explorer.latents.maps import JUDGED, KINDS, guess_accuracy
from explorer.ui import address, colouring, getting, selection, sheets
from explorer.ui.cache import STORED, EncodedDataset, Votes, group_votes
from explorer.ui.codes import tags
from explorer.ui.codes.item_files import items_csv
from explorer.ui.components.latent_map.component import (
    Click,
    LegendEntry,
    Mark,
    Overlay,
    Selected,
    Trail,
    View,
    latent_map,
)
from explorer.ui.downloads import File, caption_of, download_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.selection import Pick


def map_view(
    data: EncodedDataset,
    pick: Pick | None,
    *,
    key: str,
    color: str,
    marks: Sequence[Mark] = (),
    trails: Sequence[Trail] = (),
    follows: str = "",
    link: str = "",
    pick_label: str = "",
    overlay: Overlay | None = None,
    selected: Selected | None = None,
    anew: int | None = None,
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
        figure_url=sheets.map_figure(data, color, _tags(data, color)),
        legend=_legend(data, color),
        legend_of=groups.what if (groups := _shades(data, color)) is not None else "class",
        sprites=sheets.sprites(data),
        atlas=sheets.atlas(data),
        marks=rings,
        trails=trails,
        follows=follows,
        link=link,
        overlay=overlay,
        names=data.classes,
        revision=data.map_key,
        empty_hint=_empty_hint(data),
        height=height,
        selected=selected,
        view=selection.view(data) if keeps_view else None,
        anew=selection.anew() if anew is None else anew,
        on_click=on_click,
        on_select=on_select,
        on_view=partial(selection.look_at, data) if keeps_view else None,
    )


def _tags(data: EncodedDataset, color: str) -> Groups | None:
    """The tags where they colour the map."""
    return tags.groups(data) if color == "tag" else None


def _shades(data: EncodedDataset, color: str) -> Groups | None:
    """What the legend is of, where it is not of classes: tags, groups, the categories of a column."""
    return _tags(data, color) or colouring.categories(data, color)


def map_notes(data: EncodedDataset, color: str) -> None:
    """Says under a map how far it can be trusted, and how a decoder that is told classes is used."""
    by_group = data.latents.group is not None and color in ("class", "group")
    st.caption(_quality_line(data, by_group=by_group), help=_FOLLOWS_HELP if by_group else _trust_help(data))
    if data.drawn_as is not None:
        name = plain(data.model.classes[data.drawn_as])
        st.caption(f"This decoder is told the class: images are drawn as their own, any other code as **{name}**.")
    trained, wanted = data.model.info.config["dataset"]["name"], st.session_state.get(getting.WANTED, "")
    for name in dict.fromkeys((data.source, trained, wanted)):
        if getting.missing(name):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.caption(f"The images of {plain(name)} are not on this machine.", width="content")
                getting.offer(name, f"map_{name}")
    map_menu(data, color, view=selection.view(data))


def map_menu(
    data: EncodedDataset, color: str, *, key: str = "map", view: View | None = None, quiet: bool = False
) -> None:
    """Draws the menu of the map, of the part of it that is in view, and of all its images."""
    legend, info = _legend(data, color), data.model.info
    found, tagged = tags.of(data), _tags(data, color)

    def figure() -> list[Panel]:
        plot = sheets.map_plot(data, color, tagged)
        if legend is not None:
            plot = with_legend(plot, [(entry.id, entry.name, entry.color) for entry in legend])
        if view is not None:
            plot.update_layout(xaxis={"range": view.x}, yaxis={"range": view.y})
        return [plot]

    download_menu(
        key,
        f"{info.name}-map",
        caption_of(
            info,
            f"Codes of {len(data.latents):,} images of {data.source}, laid out by {KINDS[data.map.kind]}",
            f"coloured by {colouring.colors(data)[color]}",
        ),
        figure=figure,
        table=lambda: items_csv(data, torch.arange(len(data.latents)), found),
        more=[_page(data.model, tagged)] if data.name == STORED else [],
        quiet=quiet,
    )


def _page(model: Model, tagged: Groups | None) -> File:
    shown = address.current()  # which follows what is shown by then
    return File(
        "Page",
        ".html",
        "text/html",
        lambda: page(model, urlencode(shown), tagged).encode(),
        "One file that shows the model in any browser: map as it is now, pictures under the pointer, grid, samples",
    )


def _empty_hint(data: EncodedDataset) -> str:
    """What a click beside the points does."""
    if not data.model.continuous:
        return "click to choose the nearest image"
    return "click to decode this spot" if data.map.exact else "click to decode an estimate of this spot"


def _legend(data: EncodedDataset, color: str) -> list[LegendEntry] | None:
    """The classes or the groups that have members."""
    names: Sequence[str]
    if (groups := _shades(data, color)) is not None:
        names, ids = groups.names, torch.from_numpy(groups.ids)
    elif color == "class" and data.latents.labels is not None:
        names, ids = data.classes, data.latents.labels
    else:
        return None
    counts = ids.bincount(minlength=len(names)).tolist()
    colors = palette(len(names)) if color != "tag" else [*palette(len(names) - 1), FAINT]
    return [LegendEntry(i, name, colors[i], counts[i]) for i, name in enumerate(names) if counts[i]]


_FOLLOWS_HELP = (
    "Does the map follow what you care about, or where an image comes from? For each image its 15 nearest others vote. "
    f"How often the vote is right is given for the class and for the {GROUP}, and next to it how often one would be "
    f"right by always naming the commonest. The {GROUP} far above guessing means that the map also shows whose slide "
    "an image is from: its staining and its light."
)


def _trust_help(data: EncodedDataset) -> str:
    """Explains how far the map can be trusted, and what the share of neighbours is."""
    votes = (
        "For each image the 15 with the nearest codes are looked up: the share says for how many images most of these "
        "are of the same class."
    )
    if data.map.exact:
        return f"The map shows the codes as they are, without a projection. {votes}"
    return f"{meaning('Trustworthiness, continuity')}\n\n{votes}"


def _quality_line(data: EncodedDataset, *, by_group: bool) -> str:
    """How far the map can be trusted, and what it follows, in one line."""
    q, labels = data.quality, data.latents.labels
    only = data.model.info.config["dataset"].get("only") if data.name == STORED else None
    parts = [f"{len(data.latents):,} {f'{plain(only)} ' if only else ''}images of {plain(data.source)}"]
    if training := int((data.latents.index < data.before_test).sum()):
        parts.append(f"{training:,} for training, {len(data.latents) - training:,} for testing")
    if "placed" in q:
        some = f"UMAP fitted to {round(len(data.latents) * (1 - q['placed'])):,} at random, the others placed"
        stored = f"placed on the UMAP of the model's {len(data.model.mapped):,} images"
        parts.append(stored if q["placed"] == 1 else some)
    if not data.map.exact and "trustworthiness" in q:
        sample = f" of {JUDGED:,} that it was not fitted to" if "placed" in q else ""
        parts.append(f"trustworthiness {q['trustworthiness']:.2f}, continuity {q['continuity']:.2f}{sample}")
    votes = []
    if "accuracy_codes" in q and labels is not None and len(labels.unique()) > 1:
        found = Votes(q["accuracy_codes"], q["accuracy_map"], guess_accuracy(labels))
        votes.append(f"class {_right(data, found, guess=by_group)}")
    if by_group and (of_groups := group_votes(data)):
        votes.append(f"{plain(data.group_name)} {_right(data, of_groups, guess=True)}")
    if votes:
        parts.append(f"most of the 15 nearest neighbours share the {', the '.join(votes)}")
    return " · ".join(parts)


def _right(data: EncodedDataset, votes: Votes, *, guess: bool) -> str:
    on_map = "" if data.map.exact else f", {votes.map:.0%} on this map"
    return f"for {votes.codes:.0%} of images by their codes{on_map}{f' (guessing: {votes.guess:.0%})' if guess else ''}"
