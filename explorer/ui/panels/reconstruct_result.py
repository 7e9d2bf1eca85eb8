"""What models make of a picture: as each sees it, its reconstruction, where they differ, its score and its class."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from explorer import pictures
from explorer.figures import palette
from explorer.judging import DRAWS
from explorer.ui import html
from explorer.ui.markdown import plain
from explorer.ui.panels.reconstruct_looking import Looked
from explorer.ui.panels.reconstruct_steps import steps_panel
from explorer.ui.wording import nats

_RARE, _COMMON = 0.05, 0.5  # shares of test codes that lie in a less dense place
_ACROSS = 2  # models side by side; more of them go into another row
_NARROW = 0.06  # of the bar: a class's name does not fit


def result(looked: Sequence[Looked]) -> None:
    """Draw what the chosen model makes of it, and beside it what others do."""
    if len(looked) == 1:
        with st.container(key="result"):
            _alone(looked[0])
        return
    columns = [column for _ in looked[::_ACROSS] for column in st.columns(_ACROSS, gap="medium")]
    for i, (column, one) in enumerate(zip(columns, looked, strict=False)):
        suffix = f"_{i}" if i else ""
        with column, st.container(key=f"result{suffix}", border=True):
            _beside(one, suffix)
    st.caption(
        "Nats of models of another size, family or noise cannot be compared; how each model's own test images do can."
    )


def _alone(one: Looked) -> None:
    seen, made, apart = _figures(one)
    st.html(html.row(seen, made, apart, _code(one)))
    _judged(one)
    steps_panel(one)


def _beside(one: Looked, suffix: str) -> None:
    seen, made, apart = _figures(one)
    channels, size, _ = one.data.model.image_shape
    st.markdown(f"**{plain(one.data.model.info.id)}**")
    st.caption(f"{size} × {size} px, {'gray' if channels == 1 else 'colour'}")
    st.html(html.row(seen, made))
    st.html(html.row(apart, _code(one)))
    _judged(one)
    steps_panel(one, suffix)


def _figures(one: Looked) -> tuple[str, str, str]:
    image, made = one.prepared.image, one.judged.reconstruction[0]
    told = "" if one.judged.told is None else f" as {one.data.model.classes[int(one.judged.told[0])]}"
    return (
        html.image(pictures.single(image), "as the model sees it", alt="as the model sees it"),
        html.image(
            pictures.single(made),
            f"reconstruction{told}",
            alt="the reconstruction",
            code=html.code_text(one.judged.code[0]),
        ),
        html.image(
            pictures.difference(image, made),
            "difference",
            alt="difference of the two: orange where the reconstruction is brighter, blue where it is darker",
        ),
    )


def _code(one: Looked) -> str:
    model = one.data.model
    return html.code_bars(one.judged.code[0], model.latents.kl_by_latent if model.has_prior else None)


def _judged(one: Looked) -> None:
    judged = one.judged
    st.html(html.facts(terms(float(judged.log_likelihood[0]), float(judged.kl[0]), has_prior=judged.has_prior)))
    lines = [judged.sentence()]
    if judged.code_share is not None:
        lines.append(_usual(float(judged.code_share[0])))
    if judged.told is not None and one.subject.label not in one.data.model.classes:
        lines.append("It was told the class that suits the picture best, which flatters it a little.")
    st.markdown(" ".join(lines))
    if judged.class_votes is not None:
        st.html(_votes(one, judged.class_votes[0]))


def terms(log_likelihood: float, kl: float, *, has_prior: bool) -> list[tuple[str, str, str]]:
    """The score in nats as facts: the ELBO and its terms, or the one term of a plain autoencoder."""
    what = f"log p(x|z), averaged over {DRAWS} draws of z: the higher, the closer the image"
    if not has_prior:
        return [("Reconstruction", nats(log_likelihood), "log p(x|z) at the picture's code: the higher, the closer")]
    return [
        ("ELBO", nats(log_likelihood - kl), "Reconstruction − KL: a lower bound of the image's log-likelihood"),
        ("Reconstruction", nats(log_likelihood), what),
        ("KL", nats(kl), "How much the code tells about this image, beyond the prior"),
    ]


def share_of(share: float) -> str:
    """A share of test images in words that claim no more than they can tell."""
    if share < 0.01:
        return "less than 1%"
    return "more than 99%" if share > 0.99 else f"{share:.0%}"


def _usual(share: float) -> str:
    place = f"in a denser place than {share_of(share)} of the test images' codes"
    if share < _RARE:
        return f"Its code is unusual: it lies {place}."
    return f"Its code is {'an ordinary one' if share >= _COMMON else 'a little off the crowd'}: it lies {place}."


def _votes(one: Looked, votes: Sequence[tuple[str, float]]) -> str:
    """The classes of the nearest test images, as a bar in the map's colours."""
    count, classes = one.judged.neighbours.shape[1], one.data.model.classes
    colors = dict(zip(classes, palette(len(classes)), strict=True))
    parts = "".join(
        f'<span style="flex-grow:{share:.4f};background:{colors[name]}" title="{escape(_said(name, share, count))}">'
        f"{escape(name) if share > _NARROW else ''}</span>"
        for name, share in votes
    )
    first = ", ".join(_said(name, share, count) for name, share in votes[:3])
    more = f" and {len(votes) - 3} more" if len(votes) > 3 else ""
    return (
        f'<div class="lx-votes"><div role="img" aria-label="{escape(first)}">{parts}</div>'
        f"<p>Class by its {count} nearest test images: {escape(first)}{more}</p></div>"
    )


def _said(name: str, share: float, count: int) -> str:
    return f"{name} ({round(share * count)})"
