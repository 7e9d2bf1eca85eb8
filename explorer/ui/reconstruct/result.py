"""What models make of a picture: as each sees it, its reconstruction, where they differ, its score and its class."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from explorer.datasets.malaria import Malaria
from explorer.figures import palette
from explorer.images import pictures
from explorer.ui import html, page_switch
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes.code_figure import code_figure
from explorer.ui.codes.item_files import code_csv
from explorer.ui.codes.neighbours import neighbours_strip
from explorer.ui.downloads import caption_of, strip_menu
from explorer.ui.markdown import plain
from explorer.ui.reconstruct.analysis import Analysis
from explorer.ui.reconstruct.steps import steps_panel
from explorer.ui.wording import terms

_RARE, _COMMON = 0.05, 0.5  # shares of test codes that lie in a less dense place
_ACROSS = 3  # models side by side; four go into two rows
_NARROW = 0.06  # of the bar: a class's name does not fit


def result(analyses: Sequence[Analysis]) -> None:
    """Draws what the chosen model makes of it, and beside it what others do, which takes all of the page's width."""
    if len(analyses) == 1:
        with st.container(key="result"):
            _alone(analyses[0])
        return
    across = len(analyses) if len(analyses) <= _ACROSS else 2
    columns = [column for _ in analyses[::across] for column in st.columns(across, gap="medium")]
    for i, (column, one) in enumerate(zip(columns, analyses, strict=False)):
        suffix = f"_{i}" if i else ""
        with column, st.container(key=f"result{suffix}", border=True):
            _beside(one, suffix, in_one_row=across == 2)
    st.caption(
        "Nats cannot be compared between models of different size, family or noise; the place among each model's own "
        "test images can."
    )


def _alone(one: Analysis) -> None:
    seen, made, apart = _figures(one)
    st.html(html.row(seen, made, apart, _code(one)))
    _download(one, "")
    _judged(one, "")
    steps_panel(one)


def _beside(one: Analysis, suffix: str, *, in_one_row: bool) -> None:
    seen, made, apart = _figures(one)
    channels, height, width = one.data.model.image_shape
    st.markdown(f"**{plain(one.data.model.info.id)}**")
    st.caption(f"{width} × {height} px, {'gray' if channels == 1 else 'colour'}")
    for figures in [(seen, made, apart, _code(one))] if in_one_row else [(seen, made), (apart, _code(one))]:
        st.html(html.row(*figures))
    _download(one, suffix)
    _judged(one, suffix)
    steps_panel(one, suffix)


def _figures(one: Analysis) -> tuple[str, str, str]:
    image, made = one.prepared.image, one.judgement.reconstruction[0]
    condition = one.judgement.condition
    as_class = "" if condition is None else f" as {one.data.model.classes[int(condition[0])]}"
    return (
        html.image(pictures.single(image), "as the model sees it", alt="as the model sees it"),
        html.image(
            pictures.single(made),
            f"reconstruction{as_class}",
            alt="the reconstruction",
            code=html.code_text(one.judgement.code[0]),
        ),
        html.difference(image, made, "difference"),
    )


def _download(one: Analysis, suffix: str) -> None:
    """Draws the menu of the picture, its reconstruction, and the images with the nearest codes."""
    image, made, code = one.prepared.image, one.judgement.reconstruction[0], one.judgement.code[0]
    strip_menu(
        f"result{suffix}",
        f"{one.data.model.info.name}-reconstruction",
        caption_of(
            one.data.model.info,
            "A picture as the model sees it, its reconstruction and the difference, and the images with the nearest "
            "codes",
        ),
        lambda: [
            ("original", pictures.single(image)),
            ("reconstruction", pictures.single(made)),
            ("difference", pictures.difference(image, made)),
        ],
        beside=lambda: neighbours_strip(one.data, code, one.row),
        table=lambda: code_csv(one.data.model, code),
    )


def _code(one: Analysis) -> str:
    model = one.data.model
    return code_figure(model, one.judgement.code[0], model.latents.kl_by_latent)


def _judged(one: Analysis, suffix: str) -> None:
    judgement, data = one.judgement, one.data
    st.html(html.facts(terms(data.model, float(judgement.log_likelihood[0]), float(judgement.kl[0]))))
    lines = [judgement.sentence()]
    if judgement.code_share is not None:
        lines.append(_usual(float(judgement.code_share[0])))
    if judgement.condition is not None and one.subject.label not in data.model.classes:
        lines.append("The model was given the class that suits the picture best, which flatters it a little.")
    st.markdown(" ".join(lines))
    if judgement.class_votes is not None and judgement.neighbours.shape[1]:
        only = _only_class(data)
        if only is None:
            st.html(_votes(one, judgement.class_votes[0]))
        else:
            st.caption(
                f"This model was trained on {plain(only)} {'cells' if _of_cells(data) else 'images'} only, so the "
                "nearest ones say nothing about the class."
            )
    if _of_cells(data):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Healthy or infected? See Cells",
                key=f"to_cells{suffix}",
                type="tertiary",
                icon=":material/arrow_forward:",
                on_click=page_switch.go,
                args=(page_switch.CELLS,),
                kwargs={page_switch.CELLS_PART: "upload"},
                help="There, a model of healthy and one of infected cells see your picture, and tell how likely an "
                "infection is.",
            )
            st.caption("Not a medical device", width="content")


def _of_cells(data: EncodedDataset) -> bool:
    return bool(data.model.info.config["dataset"]["name"] == Malaria.name)


def _only_class(data: EncodedDataset) -> str | None:
    """Finds the class of all the model's stored codes, where they are of one."""
    found = [] if data.model.latents.labels is None else data.model.latents.labels.unique().tolist()
    return data.model.classes[found[0]] if len(found) == 1 else None


def _usual(share: float) -> str:
    place = f"in an emptier region than {html.most(1 - share)} of the test images"
    if share < _RARE:
        return f"Its code is unusual: it lies {place}."
    return f"Its code is {'ordinary' if share >= _COMMON else 'a little off the crowd'}: it lies {place}."


def _votes(one: Analysis, votes: Sequence[tuple[str, float]]) -> str:
    """Draws the classes of the nearest test images as a bar in the map's colours."""
    count, classes = one.judgement.neighbours.shape[1], one.data.model.classes
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
