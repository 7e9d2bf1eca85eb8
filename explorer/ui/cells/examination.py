"""One uploaded cell looked at closely: what the models make of it, where it looks infected, and how that is known."""

from __future__ import annotations

import math

import streamlit as st
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from explorer.cells import figures
from explorer.cells.screening import Examination
from explorer.cells.screening.detector import BACKGROUND
from explorer.cells.screening.verdicts import Verdict, alone, training_cells
from explorer.checkpoints.model import Model
from explorer.datasets.malaria import CLASSES
from explorer.figures import PALETTE
from explorer.files.tables import table_text
from explorer.images import pictures
from explorer.ui import html
from explorer.ui.cells.crop import crop_panel
from explorer.ui.cells.overview import DEVICE, assumption, chance, rarer
from explorer.ui.cells.report import ELBOS, doubt, measured
from explorer.ui.cells.uploads import UploadedCell, assumed, intake, opened, verdict_of
from explorer.ui.downloads import caption_of, download_menu, pixels_of, side_by_side, strip, strip_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain

_EXAMINED = "cells_upload_examined"
_MOST_EXAMINED = 60
_GAIN = 3  # of the residuals: a tenth of full brightness is much
_CLEAR, _FULL = -4.0, 4.0  # nats that a place alone says: from where red is seen, and where it is full
_NEIGHBOURS = 5
_RARE = 0.01  # a share of infected cells as in a patient's blood
_COLORS = {"healthy": PALETTE[2], "infected": PALETTE[3]}


def examined(cell: UploadedCell) -> None:
    """Draws it. Raises CheckpointError."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"##### {plain(cell.title)}")
        st.button(
            "Remove",
            key="cells_upload_remove",
            icon=":material/close:",
            type="tertiary",
            on_click=intake.store.remove,
            args=(cell,),
        )
    with st.container():
        intake.planes(cell)
        crop_panel(cell)
    verdict = verdict_of(cell)
    left, right = st.columns([6, 7], gap="large")
    with left:
        st.html(_headline(verdict))
        for note in cell.notes:
            st.caption(plain(note))
    with left, st.spinner("Examining the cell …"):
        found = _examine(cell)
    with left:
        st.html(html.table(["evidence", "", "what it means"], _evidence(verdict, found)))
        if not verdict.unlike:
            rare = f" Where {_RARE:.0%} are, the probability would be {plain(chance(verdict.at_share(_RARE)))}."
            other = rare if assumed() is None else ""
            st.caption(f"This assumes that {assumption()} of the cells are infected.{other}")
    with right:
        _pictures(verdict, found)
    for column, state, model, code in zip(
        st.columns(2, gap="large"), CLASSES, opened().models, found.codes, strict=True
    ):
        with column:
            _among(cell, state, model, code[0])


def _examine(cell: UploadedCell) -> Examination:
    """Examines a cell; kept for this session's last ones."""
    known: dict[int, Examination] = st.session_state.setdefault(_EXAMINED, {})
    if cell.ident not in known:
        if len(known) >= _MOST_EXAMINED:
            known.clear()
        known[cell.ident] = opened().examine(cell.image[None])
    return known[cell.ident]


def _headline(verdict: Verdict) -> str:
    """Draws the probability in large figures, or that there is none."""
    if verdict.unlike:
        large = "Unlike any cell in training"
        small = (
            "Fewer than one real cell in 1,000 is as odd as this picture. A probability of infection would mean "
            "nothing, so none is given."
        )
        size = "1.7rem"
    else:
        large, size = chance(verdict.p_infected).replace("<", "&lt;").replace(">", "&gt;"), "3rem"
        small = "probability that this cell is infected with <i>Plasmodium falciparum</i>."
        if verdict.state == "uncertain":
            large, size = f"Uncertain: {large}", "2.2rem"
            small = f"An infection is neither likely nor ruled out. {doubt() if assumed() is None else ''}"
    return (
        f'<div class="lx-verdict"><div style="font-size:{size};font-weight:600;line-height:1.15">{large}</div>'
        f'<div style="font-size:.9rem">{small} <b>{DEVICE}.</b></div></div>'
    )


def _evidence(verdict: Verdict, found: Examination) -> list[list[str]]:
    typical = ["typicality", _unbroken(rarer(verdict.typicality)), "of real cells are less typical than this picture"]
    if verdict.unlike:
        return [typical]
    ratio = float(found.likelihood_ratio[0])
    return [
        ["residuals of both models", _nats(verdict.log_ratio), "above 0 for infected; the probability comes from this"],
        [
            "largest residual, healthy model",
            f"{verdict.residual_score:.3f}",
            "of full brightness: the most purple spot that a model which never saw a parasite fails to draw",
        ],
        [
            "difference of log-likelihoods",
            _nats(ratio),
            f"speaks for {'infected' if ratio > 0 else 'healthy'}, but is a weak sign{_weak()}",
        ],
        typical,
    ]


def _weak() -> str:
    """Says how weak, where that was measured."""
    report = measured()
    if report is None or ELBOS not in report.methods:
        return ""
    return f": measured on their lower bounds, the ELBOs, its area under the ROC is {report.methods[ELBOS].auc[0]:.2f}"


def _nats(value: float) -> str:
    text = f"{abs(value):,.1f}" if abs(value) < 100 else f"{abs(value):,.0f}"
    return _unbroken(f"{'−' if value < 0 else '+'}{text} nats")


def _unbroken(text: str) -> str:
    return f'<span style="white-space:nowrap">{text}</span>'


def _pictures(verdict: Verdict, found: Examination) -> None:
    """Draws what the models see and make of it, and of a cell what is left, and where that speaks for an infection."""
    seen = found.images[0]
    healthy, infected = (r[0] for r in found.reconstructions)
    made = [
        ("what the models see", pictures.single(seen), "the upload on black, resized"),
        ("by the healthy model", pictures.single(healthy), "its healthy reconstruction"),
        ("by the infected model", pictures.single(infected), "its infected reconstruction"),
    ]
    st.html(html.row(*(html.image(picture, name, alt=alt) for name, picture, alt in made)))
    shown = [(name, picture) for name, picture, _ in made]
    left = [] if verdict.unlike else _left_over(found, seen, healthy, infected)
    said = [("typicality", verdict.typicality)]
    if not verdict.unlike:
        said += [
            ("probability of an infection", verdict.p_infected),
            ("residuals of both models, nats", verdict.log_ratio),
            ("largest residual of the healthy model", verdict.residual_score),
            ("difference of log-likelihoods, nats", float(found.likelihood_ratio[0])),
        ]
    download_menu(
        "cells_upload_pictures",
        "cell",
        f"An uploaded cell as two models see it: {', '.join(model.info.id for model in opened().models)}. {DEVICE}.",
        figure=lambda: side_by_side([*shown, *left]),
        table=lambda: table_text(["evidence", "value"], said),
        more=[pixels_of("The pictures as they are", lambda: strip(shown).sheet)],
        quiet=True,
    )


def _left_over(found: Examination, seen: Tensor, healthy: Tensor, infected: Tensor) -> list[tuple[str, Image.Image]]:
    """Draws what the models could not draw of a cell, and where that speaks for an infection; returns the pictures."""
    local = alone(found.evidence[0], opened().calibration)
    left = [pictures.left_over(seen, made, gain=_GAIN, background=BACKGROUND) for made in (healthy, infected)]
    shown = [
        (
            "where it looks infected",
            pictures.evidence(seen, local, low=_CLEAR, high=_FULL, edge=0.0),
            "the upload with local evidence in red",
        ),
        (f"left by the healthy one ×{_GAIN}", left[0], "image minus healthy reconstruction"),
        (f"left by the infected one ×{_GAIN}", left[1], "image minus infected reconstruction"),
    ]
    st.html(html.row(*(html.image(picture, name, alt=alt) for name, picture, alt in shown)) + _legend(local))
    st.caption(
        "Left over: the picture minus its reconstruction, on gray, inside the cell. That is what a model could not "
        "draw. A parasite is purple there."
    )
    return [(name, picture) for name, picture, _ in shown]


def _legend(local: Tensor) -> str:
    """Draws the scale of the red, and its strongest place."""
    red = ",".join(str(v) for v in pictures.EVIDENCE)
    values = local[~local.isnan()]
    most = _nats(float(values.max())) if len(values) else "none: there is no cell"
    return (
        '<div style="font-size:.78rem;margin:2px 0 0;max-width:504px">'
        f'<div style="height:8px;border-radius:4px;background:linear-gradient(90deg,rgba({red},0),rgba({red},.9));'
        'border:1px solid color-mix(in srgb,currentColor 18%,transparent)"></div>'
        f'<div style="display:flex;justify-content:space-between"><span>{_nats(_CLEAR)} or less</span>'
        f"<span>0, undecided: the line</span><span>{_nats(_FULL)} or more</span></div>"
        f"<div>Red: the evidence for an infection from that place alone. Strongest place: {most}.</div></div>"
    )


def _among(cell: UploadedCell, state: str, model: Model, code: Tensor) -> None:
    """Draws where the cell falls among the cells of one class, and the training cells next to it."""
    latents = model.latents
    kind = "umap" if "umap" in latents.maps else next(iter(latents.maps))
    place = latents.maps[kind]
    x, y = place.place(code[None])[0].tolist()
    st.markdown(f"###### Among {state} cells", help=meaning("Code", "Nearest"))
    shown = figures.place_on_map(place.points.numpy(), latents.group, (x, y), "the uploaded cell", color=_COLORS[state])
    st.plotly_chart(shown, key=f"cells_upload_map_{state}", config={"displayModeBar": False})
    st.caption(
        f"{len(latents):,} {state} cells of test patients on the {state} model's map; the cross marks this picture."
    )
    download_menu(
        f"cells_upload_map_{state}",
        f"cell-among-{state}",
        caption_of(model.info, f"An uploaded cell (cross) among {len(latents):,} {state} cells of test patients"),
        figure=lambda: [shown],
    )
    try:
        cells = training_cells()[state]
    except (OSError, SafetensorError, KeyError) as error:
        st.caption(f"The training cells to compare with are missing: {plain(str(error))}.")
        return
    near = cells.nearest(code, _NEIGHBOURS)
    drawn = [pictures.single(image) for image in model.decode(near.codes)]
    named = [
        f"{patient} · {distance:.1f}" if math.isfinite(distance) else patient
        for patient, distance in zip(near.patients, near.distances, strict=True)
    ]
    st.html(
        html.row(
            *(
                html.image(picture, name, alt=f"a {state} training cell of patient {patient}")
                for picture, name, patient in zip(drawn, named, near.patients, strict=True)
            )
        )
    )
    st.caption(
        f"The nearest of {len(cells.codes):,} {state} training cells, decoded from their codes, with their patient and "
        f"their distance. The median distance from a training cell to its nearest neighbour is {cells.spacing:.1f}.",
    )
    strip_menu(
        f"cells_upload_near_{state}",
        f"nearest-{state}-cells",
        caption_of(model.info, f"The {state} training cells nearest to an uploaded cell, by patient and distance"),
        lambda: list(zip(named, drawn, strict=True)),
        table=lambda: table_text(["patient", "distance"], list(zip(near.patients, near.distances, strict=True))),
        quiet=True,
    )
