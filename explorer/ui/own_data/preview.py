"""What a model will see of a person's images: a sample in the size and colours chosen, classes, counts, notes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from html import escape

import streamlit as st

from explorer.datasets.base import bytes_text
from explorer.datasets.own import Preview, few_note
from explorer.images import pictures
from explorer.images.arrays import size_words
from explorer.ui import assets, html
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain

_ACROSS = 8
_MOST_GROUPS = 6
_MOST_CLASSES = 12
_MOST_NOTES = 6


def show_preview(found: Preview, ident: str) -> None:
    """Draws the preview. `ident` names the source."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.caption("A sample, as a model will see it")
        _sample(found, ident)
    with right:
        st.html(html.facts(_facts(found)))
        if found.classes:
            st.caption("Images of each class", help="The faint part of a bar is for testing.")
            st.html(_classes(found))
        else:
            st.caption("No classes." if found.fields else "No classes: there are no folders around the images.")
    if notes := [*few_note(sum(found.counts.values())), *found.notes]:
        listed = [f"- {plain(note)}" for note in notes[:_MOST_NOTES]]
        if len(notes) > _MOST_NOTES:
            listed.append(f"- and {len(notes) - _MOST_NOTES} more")
        st.warning("\n".join(listed))


def _sample(found: Preview, ident: str) -> None:
    """Draws the images: few classes each in rows of their own, many in one grid with names below."""
    labels = [0] * len(found.images) if found.labels is None else found.labels.tolist()
    if not 0 < len(found.classes) <= _MOST_GROUPS:
        _grid(found, ident, range(len(labels)), [found.classes[label] for label in labels] if found.classes else None)
        return
    for label, name in enumerate(found.classes):
        if rows := [row for row, of_row in enumerate(labels) if of_row == label]:
            st.markdown(f"**{plain(name)}**")
            _grid(found, ident, rows)


def _grid(found: Preview, ident: str, rows: Sequence[int], names: list[str] | None = None) -> None:
    images = found.images[list(rows)]
    key = sha256(ident.encode() + images.numpy().tobytes()).hexdigest()[:24]
    url = assets.publish(f"own-{key}.png", lambda: pictures.encode(pictures.sheet(images, _ACROSS), "PNG"), "image/png")
    tiles(
        key=f"own_tiles_{rows[0]}",
        sheet_url=url,
        count=len(rows),
        columns=_ACROSS,
        tile=(found.images.shape[3], found.images.shape[2]),
        titles=names or [f"image {row + 1} of the sample" for row in rows],
        captions=names and [_short(name) for name in names],
        max_tile_px=72,
        min_tile_px=40,
        gap=4,
        label="A sample of the images",
    )


def _short(name: str) -> str:
    """As much as there is room for below a tile."""
    return name if len(name) <= 9 else f"{name[:8]}…"


def _facts(found: Preview) -> list[tuple[str, str, str]]:
    count = sum(found.counts.values())
    size = count * found.images[0].numel()
    chosen = "chosen from a sample of the images" if found.size == found.suggested_size else "as you chose"
    return [
        ("To train on", f"{found.counts['train']:,}", "images the model learns from"),
        ("To test on", f"{found.counts['test']:,}", "images it never learns from, to test it on"),
        ("Size", size_words(found.size), chosen),
        ("Colour", "gray" if found.channels == 1 else "RGB", "one number a pixel" if found.channels == 1 else "three"),
        ("In memory", bytes_text(size), "and about as much on disk"),
    ]


def _classes(found: Preview) -> str:
    """Draws the classes with the number of their images as bars: the faint part is for testing."""
    train, test = found.class_counts["train"], found.class_counts["test"]
    most = max(a + b for a, b in zip(train, test, strict=True))
    rows = []
    for name, to_train, to_test in list(zip(found.classes, train, test, strict=True))[:_MOST_CLASSES]:
        bar = "".join(
            f'<i style="width:{100 * n / most:.1f}%;height:8px;background:#14a098;opacity:{opacity}"></i>'
            for n, opacity in ((to_train, 1), (to_test, 0.45))
        )
        rows.append(
            f'<span style="overflow-wrap:anywhere">{escape(name)}</span>'
            f'<span style="display:flex;align-items:center" title="{to_train:,} to train on, {to_test:,} to test on">'
            f'{bar}</span><span style="text-align:right">{to_train + to_test:,}</span>'
        )
    more = len(found.classes) - _MOST_CLASSES
    if more > 0:
        rows.append(f'<span style="grid-column:1/-1;opacity:.7">and {more:,} more classes</span>')
    return (
        '<div style="display:grid;grid-template-columns:fit-content(9rem) minmax(0,1fr) max-content;gap:3px 10px;'
        f'align-items:center;font-size:.85rem;font-variant-numeric:tabular-nums">{"".join(rows)}</div>'
    )
