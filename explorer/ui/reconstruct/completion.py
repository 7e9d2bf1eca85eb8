"""The upper part of a picture, completed several times by a model whose prior can go on from it."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.images import pictures
from explorer.ui import address, draws, html, sheets
from explorer.ui.codes import abilities
from explorer.ui.downloads import caption_of, strip_menu
from explorer.ui.reconstruct.analysis import Analysis

_KEPT, _DRAWS, _TEMPERATURE = "complete_kept", "complete_draws", "complete_temperature"
_SEED, _CLASS, _LAST = "complete_seed", "complete_class", "complete_last"
_HIDDEN = 128  # the gray of what the model is not shown
ANY = "any"


def query(model: Model) -> dict[str, str]:
    """Restores what the URL says of it on the session's first run, and gives what it says now."""
    if model.class_prior:
        address.restore_choice("of", _CLASS, [ANY, *model.classes], "pictures of", usual=ANY)
    address.restore_number("kept", _KEPT, 5, 95, default=50)
    address.restore_number("draws", _DRAWS, 1, 24, default=8)
    draws.restore(_SEED, _TEMPERATURE, param="complete_seed")
    state = st.session_state
    found = draws.query(_SEED, _TEMPERATURE, param="complete_seed")
    for name, key, usual in (("kept", _KEPT, 50), ("draws", _DRAWS, 8)):
        found[name] = "" if state[key] == usual else str(state[key])
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
    parts = [("given", hidden), *((f"drawn {i}", one) for i, one in enumerate(made, 1)), ("the whole", image)]
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
    info, state = model.info, st.session_state
    strip_menu(
        "complete",
        f"{info.name}-completed",
        caption_of(
            info,
            f"The upper {share:.0%} of a picture, and {len(made)} ways in which the prior goes on",
            f"temperature {state[_TEMPERATURE]:g}, seed {state[_SEED]}",
        ),
        lambda: [(name, pictures.single(one)) for name, one in parts],
        quiet=True,
    )


def _controls(model: Model) -> tuple[int, int | None]:
    """Draws them; returns how many rows of the grid are kept, and the class that the prior is told."""
    rows, label = (model.network.grid or (1, 1))[0], None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kept = st.slider(
            "Kept, from the top", 5, 95, key=_KEPT, step=5, format="%d%%", persist_state="session", width=180
        )
        st.slider("Draws", 1, 24, key=_DRAWS, persist_state="session", width=150)
        draws.temperature_slider(_TEMPERATURE, abilities.temperature_help(model), width=180)
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
        draws.seed_button("complete_new", _SEED, help="Draw other images (the next seed)")
    return min(max(round(kept / 100 * rows), 1), rows - 1), label


def _completed(analysis: Analysis, rows: int, label: int | None) -> Tensor:
    """The pictures [N, C, H, W]; the last ones stay in the session, as they are made of a person's own picture."""
    state, image = st.session_state, analysis.prepared.image
    settings = (state[_DRAWS], state[_TEMPERATURE], state[_SEED], rows, label)
    key = (analysis.data.content, sheets.hashed(image), *settings)
    if key not in (last := state.get(_LAST, {})):
        with st.spinner("Drawing the rest …"):
            count, temperature, seed = settings[:3]
            made = analysis.data.model.complete(
                image[None], rows, count, temperature=temperature, seed=seed, label=label
            )
        last = state[_LAST] = {key: made}
    found: Tensor = last[key]
    return found
