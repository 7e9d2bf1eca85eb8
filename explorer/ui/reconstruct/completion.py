"""The upper part of a picture, completed several times by a model whose prior can go on from it."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.images import pictures
from explorer.ui import address, html, sheets
from explorer.ui.codes import abilities
from explorer.ui.reconstruct.analysis import Analysis

_KEPT, _DRAWS, _TEMPERATURE = "complete_kept", "complete_draws", "complete_temperature"
_SEED, _CLASS, _LAST = "complete_seed", "complete_class", "complete_last"
_LAST_SEED = 9999
_HIDDEN = 128  # the gray of what the model is not shown
ANY = "any"


def query(model: Model) -> dict[str, str]:
    """Restores what the URL says of it on the session's first run, and gives what it says now."""
    if model.class_prior:
        address.restore_choice("of", _CLASS, [ANY, *model.classes], "pictures of", usual=ANY)
    address.restore_number("kept", _KEPT, 5, 95, default=50)
    address.restore_number("draws", _DRAWS, 1, 24, default=8)
    address.restore_number("temperature", _TEMPERATURE, 0.0, 2.0, default=1.0, step=0.05)
    address.restore_number("complete_seed", _SEED, 0, _LAST_SEED, default=0)
    usual = {_KEPT: 50, _DRAWS: 8, _TEMPERATURE: 1.0, _SEED: 0}
    names = {"kept": _KEPT, "draws": _DRAWS, "temperature": _TEMPERATURE, "complete_seed": _SEED}
    state = st.session_state
    found = {name: "" if state[key] == usual[key] else f"{state[key]:g}" for name, key in names.items()}
    drawn = state.get(_CLASS, ANY) if model.class_prior else ANY
    return {**found, "of": "" if drawn == ANY else drawn}


def completion_panel(analysis: Analysis) -> None:
    """Draws the controls and the pictures, or says why there are none."""
    if reason := abilities.why_no_completion(analysis.data.model):
        st.info(reason)
    else:
        st.fragment(_panel)(analysis)


def _panel(analysis: Analysis) -> None:
    model, image = analysis.data.model, analysis.prepared.image
    query(model)  # before the widgets, which start from the address
    rows, label = _controls(model)
    address.put_more(query(model))
    made = _completed(analysis, rows, label)
    share = rows / (model.network.grid or (1, 1))[0]
    hidden = image.clone()
    hidden[:, round(share * image.shape[1]) :] = _HIDDEN
    figures = [
        html.image(pictures.single(hidden), "given", alt="the part that is given", given=share),
        *(
            html.image(pictures.single(one), f"drawn {i}", alt=f"completed, draw {i}", given=share)
            for i, one in enumerate(made, 1)
        ),
        html.image(pictures.single(image), "the whole picture", alt="the whole picture"),
    ]
    st.html(html.gallery(*figures))
    st.caption(
        f"Above the line is the given part, the upper {share:.0%}, as the model reconstructs it; below it is what the "
        "prior draws. The model sees nothing of the picture below the line."
    )


def _controls(model: Model) -> tuple[int, int | None]:
    """Draws them; returns how many rows of the grid are kept, and the class that the prior is told."""
    rows, label = (model.network.grid or (1, 1))[0], None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kept = st.slider(
            "Kept, from the top", 5, 95, key=_KEPT, step=5, format="%d%%", persist_state="session", width=180
        )
        st.slider("Draws", 1, 24, key=_DRAWS, persist_state="session", width=150)
        st.slider(
            "Temperature",
            0.0,
            2.0,
            step=0.05,
            key=_TEMPERATURE,
            persist_state="session",
            help=abilities.temperature_help(model),
            width=180,
        )
        if model.class_prior:
            drawn = st.selectbox(
                "Class",
                [ANY, *model.classes],
                key=_CLASS,
                persist_state="session",
                help="What the prior is told of the picture.",
                width=120,
            )
            label = None if drawn == ANY else model.classes.index(drawn)
        st.button("New draws", key="complete_new", on_click=_next_seed, help="Draw other pictures (the next seed)")
    return min(max(round(kept / 100 * rows), 1), rows - 1), label


def _next_seed() -> None:
    st.session_state[_SEED] = (st.session_state[_SEED] + 1) % (_LAST_SEED + 1)


def _completed(analysis: Analysis, rows: int, label: int | None) -> Tensor:
    """The pictures [N, C, H, W]; the last ones stay in the session, as they are made of a person's own picture."""
    state, image = st.session_state, analysis.prepared.image
    settings = (state[_DRAWS], state[_TEMPERATURE], state[_SEED], rows, label)
    key = (analysis.data.content, sheets.hashed(image), *settings)
    if key not in (last := state.get(_LAST, {})):
        with st.spinner("Drawing the rest …"):
            draws, temperature, seed = settings[:3]
            made = analysis.data.model.complete(
                image[None], rows, draws, temperature=temperature, seed=seed, label=label
            )
        last = state[_LAST] = {key: made}
    found: Tensor = last[key]
    return found
