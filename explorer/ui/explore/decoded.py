"""The panel of the picked code: original, reconstruction, difference, the code, its ELBO, its neighbours."""

from __future__ import annotations

import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from explorer.images import pictures
from explorer.ui import getting, html, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.code_figure import code_figure
from explorer.ui.codes.item_files import code_csv, items_csv
from explorer.ui.codes.neighbours import neighbour_tiles, neighbours_caption, neighbours_strip
from explorer.ui.downloads import caption_of, strip_menu
from explorer.ui.panels import follow
from explorer.ui.selection import Pick
from explorer.ui.wording import terms

_MOST_OTHERWISE = 2  # pictures that fit beside the code


def decoded_picture(data: EncodedDataset, pick: Pick | None) -> None:
    """Draws the pick decoded, and what is known of it; without a pick, the centre of the codes with a hint.

    All in one element: each costs a click a message and the browser a redraw.
    """
    if pick is None and not data.model.continuous:
        st.html(html.caption("Click a point of the map to see that image."))
        return
    if pick is None:
        title = "The centre of the codes" if data.model.network.prior_spread() is None else "The centre of the prior"
        parts = [_spot(data, data.model.spread[0]), _HINT]
    elif (row := selection.row_of(data, pick)) is not None:
        title, parts = selection.row_name(data, row), _item(data, pick, row)
    else:
        title = f"A spot from {pick.origin}" if pick.origin else "A spot"
        parts = [_spot(data, pick.tensor(), ", code estimated" if pick.approximate else "")]
        if pick.approximate:
            parts.append(html.caption(f"{_NO_INVERSE} {_ESTIMATES[pick.map_kind]}"))
        if sheets.in_hole(data, *pick.place(data)):
            parts.append(html.caption(_IN_HOLE))
    below = [] if pick is None else [html.caption(neighbours_caption(data))]
    st.html(html.stack(html.title(title), *parts, *below))


_HINT = html.caption("Click a point of the map to see that image, or any spot to see what the decoder makes of it.")
_IN_HOLE = "This spot is in a hole: hardly any image has its code here, so the decoder never learnt what to draw."
_NO_INVERSE = "Several codes may lie on one spot of such a map. This one is estimated:"
_ESTIMATES = {
    "pca": "the point of the principal plane.",
    "umap": "the weighted mean of the codes of its neighbours on the map.",
}


def decoded_neighbours(data: EncodedDataset, pick: Pick) -> None:
    """Draws the images with the nearest codes, and the button that forgets the pick."""

    def choose(row: int) -> None:
        selection.choose_row(data, row, "its neighbours")
        follow("pick")

    def clear() -> None:
        selection.clear()
        follow("pick")

    row = selection.row_of(data, pick)
    neighbour_tiles(data, pick.tensor(), key="neighbours", on_pick=choose, without=row, captioned=False)
    getting.offer(data.source, "decoded")
    st.button("Clear", key="clear_pick", on_click=clear, type="tertiary", help="Forget this pick")


def decoded_menu(data: EncodedDataset) -> None:
    """Draws the menu of the pictures and of the nearest images, in a panel of its own: a click on the map waits less.

    What is picked counts when it is opened.
    """
    if (pick := selection.current(data)) is None:
        pick = Pick(data.model.info.id, tuple(data.model.spread[0].tolist()))
    row = selection.row_of(data, pick)
    code, label = pick.tensor(), data.drawn_as if row is None else data.condition_of(row)

    def parts() -> list[tuple[str, Image.Image]]:
        made = data.model.decode(code[None], label)[0]
        original = None if row is None else data.original(row)
        decoded = ("decoded" if row is None else "reconstruction", pictures.single(made))
        if original is None:
            return [decoded]
        return [("original", pictures.single(original)), decoded, ("difference", pictures.difference(original, made))]

    name = "A code" if row is None else selection.row_name(data, row)
    strip_menu(
        "pick",
        f"{data.model.info.name}-{'code' if pick.index is None else pick.index}",
        caption_of(
            data.model.info, f"{name} of {data.source}{_as(data, label)}, and the images with the nearest codes"
        ),
        parts,
        beside=lambda: neighbours_strip(data, code, row),
        table=lambda: code_csv(data.model, code) if row is None else items_csv(data, torch.tensor([row])),
        quiet=True,
        lazy=True,
    )


def _spot(data: EncodedDataset, code: Tensor, how: str = "") -> str:
    image = data.decode(code[None])[0]
    shown = html.image(
        pictures.single(image),
        f"decoded{_as(data, data.drawn_as)}{how}",
        alt="the decoder's image",
        code=html.code_text(code),
    )
    return html.row(shown, *_otherwise(data, code, data.drawn_as), _bars(data, code))


def _item(data: EncodedDataset, pick: Pick, row: int) -> list[str]:
    code = pick.tensor()
    label = data.condition_of(row)
    image = data.model.decode(code[None], label)[0]
    shown = html.image(
        pictures.single(image),
        f"reconstruction{_as(data, label)}",
        alt="the reconstruction",
        code=html.code_text(code),
        index=pick.index,
    )
    others, bars = _otherwise(data, code, label), _bars(data, code)
    original = data.original(row)
    if original is None:
        why = str(data.originals()).removeprefix(f"{data.source} is not on this machine. ")
        missing = html.caption(f"The original is not on this machine. {'' if getting.missing(data.source) else why}")
        return [html.row(shown, *others, bars), missing, _terms(data, row)]
    first = html.image(pictures.single(original), "original", alt="the original image")
    apart = html.difference(original, image, "difference")
    if others:  # next to what they are to be compared with
        return [html.row(first, shown, *others), html.row(apart, bars), _terms(data, row)]
    return [html.row(first, shown, apart), bars, _terms(data, row)]


def _terms(data: EncodedDataset, row: int) -> str:
    return html.facts(terms(data.model, float(data.latents.reconstruction[row]), float(data.latents.kl[row])))


def _as(data: EncodedDataset, label: int | None) -> str:
    return "" if label is None else f" as {data.model.classes[label]}"


def _otherwise(data: EncodedDataset, code: Tensor, label: int | None) -> list[str]:
    """The same code decoded as the other classes, where the decoder is told one and they are few."""
    if label is None or len(data.model.classes) > _MOST_OTHERWISE + 1:
        return []
    others = [other for other in range(len(data.model.classes)) if other != label]
    images = data.model.decode(code.repeat(len(others), 1), others)
    return [
        html.image(pictures.single(image), f"the same code{_as(data, other)}", alt="decoded as another class")
        for image, other in zip(images, others, strict=True)
    ]


def _bars(data: EncodedDataset, code: Tensor) -> str:
    return code_figure(data.model, code, data.latents.kl_by_latent)
