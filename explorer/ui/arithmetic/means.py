"""The mean code of every class, decoded, with a warning where a class has no single middle."""

from __future__ import annotations

import streamlit as st
import torch

from explorer.files.tables import table_text
from explorer.latents import ClassMeans
from explorer.ui import pickers, selection, sheets
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.codes import computed
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, sheet_menu
from explorer.ui.markdown import plain

_KEY = "means_over"
_OVER = {"test": "test set", computed.TRAINING: "training set"}
_ACROSS = 20


def means_query() -> dict[str, str]:
    """Gives what the address says of it, empty where it says nothing."""
    return {"over": computed.TRAINING if st.session_state.get(_KEY) == computed.TRAINING else ""}


def means_panel(data: EncodedDataset) -> ClassMeans | None:
    """Draws the panel; returns the means, or None where the data have no classes."""
    with st.container(key="means", gap="xsmall"):
        of_data = computed.class_means(data)
        if of_data is None:
            st.info(
                f"{plain(data.source)} has no classes, so there are no class means. "
                "Everything else works with `item(0)`, `draw(1)` and `here`."
            )
            return None
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown("##### Class means", width="content", help=_HELP)
            found = _over(data, of_data)
        have = [i for i, count in enumerate(found.counts.tolist()) if count]
        doubtful = found.doubtful.tolist()
        another = computed.drawn_as_another(data, found)
        names, condition = [data.classes[i] for i in have], data.conditions(torch.tensor(have))
        tiles(
            key="means_tiles",
            sheet_url=sheets.decoded_sheet(f"{data.key}-means", data.model, found.codes[have], _ACROSS, condition),
            count=len(have),
            columns=_ACROSS,
            tile=sheets.tile_size(data.model),
            titles=[_title(found, i, data.classes, another.get(i)) for i in have],
            captions=[
                f"{name} ⚠" if doubtful[i] or i in another else name for i, name in zip(have, names, strict=True)
            ],
            ids=have,
            across=max(1, min(_ACROSS, len(have))),
            max_tile_px=64,
            min_tile_px=48,
            gap=6,
            label="Class means, decoded",
            on_pick=lambda i: selection.choose_code(data, found.codes[have[i]], f"mean of {names[i]}"),
        )
        sheet_menu(
            "means",
            f"{data.model.info.name}-means",
            caption_of(
                data.model.info,
                f"The mean codes of the classes, decoded, over {int(found.counts.sum()):,} images of {data.source}",
            ),
            lambda: data.model.decode(found.codes[have], condition),
            len(have),
            across=names,
            table=lambda: means_csv(found, have, data.classes),
        )
        notes = []
        for reason in dict.fromkeys(found.reason(i) for i in have if doubtful[i]):
            which = [data.classes[i] for i in have if doubtful[i] and found.reason(i) == reason]
            notes.append(f"⚠ {plain(', '.join(which))}: {reason}, so the decoder may show a blend.")
        if another:
            alike = ", ".join(f"{data.classes[i]} like {data.classes[as_]}" for i, as_ in another.items())
            notes.append(f"⚠ These means decode to images more like another class: {plain(alike)}.")
        if empty := [data.classes[i] for i in range(len(data.classes)) if i not in have]:
            only = data.model.info.config["dataset"].get("only")
            why = f": this model was trained on {plain(only)} alone" if only and data.name == STORED else ""
            notes.append(f"There are no images of {plain(', '.join(empty))} here{why}.")
        for note in notes:
            st.caption(note)
        return found


_HELP = (
    "The average code of all images of a class, decoded. It is a code like any other: click it to choose it, or write "
    "`mean(…)` in an expression."
)


def _over(data: EncodedDataset, of_data: ClassMeans) -> ClassMeans:
    if data.name != STORED or data.before_test or not computed.training_is_here(data):
        st.caption(f"over {int(of_data.counts.sum()):,} images of {plain(data.source)}", width="content")
        return of_data
    over = pickers.pick_one("Means over", "over", _KEY, _OVER, "the means over", label_visibility="collapsed")
    if over != computed.TRAINING:
        return of_data
    of_training = computed.training_means(data)
    if isinstance(of_training, str):
        st.warning(plain(of_training))
        return of_data
    return of_training


def means_csv(found: ClassMeans, have: list[int], classes: list[str]) -> str:
    """Writes the means of some classes as CSV: class, how many images, code."""
    header = ["class", "images", *(f"z{i}" for i in range(found.codes.shape[1]))]
    rows = [[classes[i], int(found.counts[i]), *(float(f"{v:.7g}") for v in found.codes[i].tolist())] for i in have]
    return table_text(header, rows)


def _title(found: ClassMeans, i: int, classes: list[str], another: int | None) -> str:
    text = f"{classes[i]}: mean of {int(found.counts[i]):,} images"
    own = float(found.own[i])
    if own == own:  # not NaN
        text += f", {own:.0%} of its nearest neighbours are of the class"
    if reason := found.reason(i):
        text += f"; {reason}"
    if another is not None:
        text += f"; most of the real images nearest to it are of class {classes[another]}"
    return text
