"""The panel of the picked code: original, reconstruction, difference, the code, its ELBO, its neighbours."""

from __future__ import annotations

import streamlit as st

from explorer.images import pictures
from explorer.ui import html, selection
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.neighbours import neighbour_tiles
from explorer.ui.markdown import plain
from explorer.ui.selection import Pick
from explorer.ui.wording import nats


def decoded_panel(data: EncodedDataset, pick: Pick | None) -> None:
    """Draw the panel; without a pick, the centre of the prior with a hint."""
    with st.container(key="decoded", border=True):
        if pick is None and not data.model.continuous:
            st.caption("Click a point of the map to see that image.")
            return
        if pick is None:
            centre, _ = data.model.spread
            shown = Pick(data.model.info.id, tuple(centre.tolist()))
            st.markdown(
                "##### The centre of the codes" if not data.model.has_prior else "##### The centre of the prior"
            )
            _spot(data, shown)
            st.caption("Click a point of the map to see that image, or any spot to see what the decoder makes of it.")
            return
        row = selection.row_of(data, pick)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"##### {plain(_title(data, pick, row))}", width="content")
            st.button("Clear", key="clear_pick", on_click=selection.clear, type="tertiary", help="Forget this pick")
        if row is None:
            _spot(data, pick)
        else:
            _item(data, pick, row)
        neighbour_tiles(data, pick.tensor(), key="neighbours", origin="its neighbours", without=row)


def _title(data: EncodedDataset, pick: Pick, row: int | None) -> str:
    if row is not None:
        return selection.row_name(data, row)
    return f"A spot from {pick.origin}" if pick.origin else "A spot"


def _spot(data: EncodedDataset, pick: Pick) -> None:
    image = data.decode(pick.tensor()[None])[0]
    caption = f"decoded{_as(data, data.drawn_as)}{', code estimated' if pick.approximate else ''}"
    shown = html.image(pictures.single(image), caption, alt="the decoder's image", code=html.code_text(pick.tensor()))
    st.html(html.row(shown, *_otherwise(data, pick, data.drawn_as), _bars(data, pick)))
    if pick.approximate:
        st.caption(
            "A map of this kind has no inverse everywhere: this code is the "
            + ("point of the principal plane." if data.map.kind == "pca" else "weighted mean of its neighbours' codes.")
        )


def _item(data: EncodedDataset, pick: Pick, row: int) -> None:
    labels = data.latents.labels
    told = data.told(None if labels is None else labels[row])
    told = None if told is None else int(told)
    image = data.model.decode(pick.tensor()[None], told)[0]
    shown = html.image(
        pictures.single(image),
        f"reconstruction{_as(data, told)}",
        alt="the reconstruction",
        code=html.code_text(pick.tensor()),
        index=pick.index,
    )
    original = data.original(row)
    if original is None:
        st.html(html.row(shown, *_otherwise(data, pick, told), _bars(data, pick)))
        why = str(data.originals()).removeprefix(f"{data.source} is not on this machine. ")
        st.caption(f"The original is not on this machine. {why}")
    else:
        first = html.image(pictures.single(original), "original", alt="the original image")
        apart = html.difference(original, image, "difference")
        if others := _otherwise(data, pick, told):  # next to what they are to be compared with
            st.html(html.row(first, shown, *others))
            st.html(html.row(apart, _bars(data, pick)))
        else:
            st.html(html.row(first, shown, apart))
            st.html(_bars(data, pick))
    reconstruction, kl = float(data.latents.reconstruction[row]), float(data.latents.kl[row])
    terms = [("Reconstruction", nats(reconstruction), "log p(x|z) at one draw of z: the higher, the closer the image")]
    if data.model.has_prior:
        elbo = ("ELBO", nats(reconstruction - kl), "reconstruction − KL: a lower bound of the image's log-likelihood")
        terms = [elbo, *terms, ("KL", nats(kl), "how much the code tells about this image, beyond the prior")]
    st.html(html.facts(terms))


_MOST_OTHERWISE = 2  # pictures that fit beside the code


def _as(data: EncodedDataset, told: int | None) -> str:
    return "" if told is None else f" as {data.model.classes[told]}"


def _otherwise(data: EncodedDataset, pick: Pick, told: int | None) -> list[str]:
    """The same code as the decoder draws it when it is told another class, where it is told any and they are few."""
    if told is None or len(data.model.classes) > _MOST_OTHERWISE + 1:
        return []
    others = [label for label in range(len(data.model.classes)) if label != told]
    images = data.model.decode(pick.tensor().repeat(len(others), 1), others)
    return [
        html.image(pictures.single(image), f"the same code{_as(data, label)}", alt="decoded as another class")
        for image, label in zip(images, others, strict=True)
    ]


def _bars(data: EncodedDataset, pick: Pick) -> str:
    return html.code_bars(pick.tensor(), data.latents.kl_by_latent)
