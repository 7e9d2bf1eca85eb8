"""Walks from code to code: as a film, as a strip, as a path on the map, with the density along the way."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Literal

import streamlit as st
import torch
from torch import Tensor

from explorer import films
from explorer.latents import Scope, stop_steps, walk
from explorer.ui import codes, html, sheets, view
from explorer.ui.components.film import film
from explorer.ui.components.latent_map import Trail
from explorer.ui.library import Mapped
from explorer.ui.markdown import sentence
from explorer.ui.panels import ends
from explorer.ui.panels.shown import NOTHING, Shown, ring

FILM = "walk_film"
FROM, TO, STEPS, WAY, LOOP = "walk_from", "walk_to", "walk_steps", "walk_way", "walk_loop"
Way = Literal["line", "circle", "dense"]
WAYS: dict[Way, str] = {"line": "Straight line", "circle": "Great circle", "dense": "Dense regions"}
LEAST, MOST, USUAL = 2, 64, 24


def walk_panel(data: Mapped, scope: Scope) -> Shown:
    """Draw the panel; the path and its ends for the map."""
    with st.container(key="walk"):
        stops = _stops(scope)
        view.restore_choice("way", WAY, WAYS, "the way")
        st.session_state.setdefault(WAY, "line")
        way = st.segmented_control(
            "Way",
            list(WAYS),
            format_func=lambda name: WAYS[name],
            key=WAY,
            required=True,
            persist_state="session",
            help=_WAYS_HELP,
        )
        view.restore_number("steps", STEPS, LEAST, MOST, default=USUAL)
        steps = st.slider("Steps", LEAST, MOST, key=STEPS, persist_state="session")
        if stops is None:
            return NOTHING
        names, places = stops
        try:
            path = _path(data, places, max(steps, len(names)), way or "line")
        except ValueError as error:
            st.error(sentence(error))
            return NOTHING
        return _show(data, path, names, places)


_WAYS_HELP = (
    "A straight line is the shortest, and in many dimensions it passes nearer to the origin than codes do. A great "
    "circle keeps their distance from it. The third goes from neighbour to neighbour of the encoded test set, where "
    "the decoder has been trained."
)


def _stops(scope: Scope) -> tuple[list[str], Tensor] | None:
    """Names and codes of what the walk goes through, or None with a sentence on the screen."""
    means = scope.means
    known = [] if means is None else [i for i, has in enumerate(means.isfinite().all(1).tolist()) if has]
    loop = False
    if len(known) > 1:
        if view.asked("loop") == "1":
            st.session_state[LOOP] = True
        loop = st.toggle(
            "Loop through all class means", key=LOOP, persist_state="session", help="From class to class and back."
        )
    if loop and means is not None:
        order = [*known, known[0]]
        return [scope.classes[i] for i in order], means[order]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container():
            start = ends.choose_code("From", FROM, "from", scope, default=ends.first(scope))
        st.button("", icon=":material/swap_horiz:", key="walk_swap", help="Swap the ends", on_click=_swap)
        with st.container():
            end = ends.choose_code("To", TO, "to", scope, default=ends.first(scope, other=True))
    if start is None or end is None:
        return None
    names = [str(st.session_state[FROM]), str(st.session_state[TO])]
    return names, torch.stack([start.code, end.code])


def _swap() -> None:
    state = st.session_state
    state[FROM], state[TO] = state[TO], state[FROM]


def _path(data: Mapped, stops: Tensor, steps: int, way: Way) -> Tensor:
    return walk(stops, steps, way=codes.graph(data.model).path if way == "dense" else way)


def _show(data: Mapped, path: Tensor, names: list[str], stops: Tensor) -> Shown:
    shares = codes.density(data.model).share(path)
    film(
        key=FILM,
        sheet_url=sheets.exact_sheet(f"{data.key}-walk", data.model, path),
        count=len(path),
        columns=len(path),
        tile=(data.model.image_shape[2], data.model.image_shape[1]),
        shares=shares.tolist(),
        stops=stop_steps(len(stops), len(path)),
        stop_names=names,
        label="Walk",
        revision=f"{data.key}-{sha256(path.numpy().tobytes()).hexdigest()[:20]}",
        on_use=lambda step: view.choose_code(data, path[step], "a walk"),
    )
    thinnest = int(shares.argmin())
    st.caption(
        f"Thinnest at step {thinnest + 1} of {len(path)}: {html.percent(float(shares[thinnest]))} of real images lie "
        "in less dense places of the aggregate posterior."
    )
    _downloads(data, path)
    trail = Trail([(float(x), float(y)) for x, y in data.map.place(path).tolist()], player=FILM)
    marks = {name: ring(data, stop, name) for name, stop in zip(names, stops, strict=True)}  # a loop's first but once
    return Shown(tuple(marks.values()), (trail,))


def _downloads(data: Mapped, path: Tensor) -> None:
    model = data.model

    def button(label: str, name: str, mime: str, make: Callable[[Tensor], bytes], text: str) -> None:
        st.download_button(
            label,
            lambda: make(model.decode(path)),
            f"{model.info.name}-walk.{name}",
            mime,
            key=f"walk_{name}",
            on_click="ignore",
            help=text,
        )

    with st.container(horizontal=True, gap="small"):
        button("GIF", "gif", "image/gif", films.gif, "An animation that loops")
        button("MP4", "mp4", "video/mp4", films.mp4, "A video, H.264")
        button("PNG strip", "png", "image/png", films.strip, "All steps side by side, pixel by pixel")


def address() -> dict[str, str]:
    """What the URL says of the walk."""
    state = st.session_state
    found = {"loop": "1"} if state.get(LOOP) else {"from": str(state.get(FROM)), "to": str(state.get(TO))}
    if state.get(WAY) not in (None, "line"):
        found["way"] = state[WAY]
    if state.get(STEPS) not in (None, USUAL):
        found["steps"] = str(state[STEPS])
    return found
