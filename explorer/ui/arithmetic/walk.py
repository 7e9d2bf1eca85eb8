"""Walks from code to code: as a film, as a strip, as a path on the map, with the density along the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st
import torch
from torch import Tensor

from explorer.images import films
from explorer.latents import Scope, stop_steps, walk
from explorer.ui import address, html, pickers, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.map_marks import MOST_LABELS, MapMarks, ring
from explorer.ui.components.film.component import film
from explorer.ui.components.latent_map.component import Trail
from explorer.ui.downloads import File, caption_of, sheet_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import sentence

FILM = "walk_film"
FROM, TO, STEPS, WAY, LOOP = "walk_from", "walk_to", "walk_steps", "walk_way", "walk_loop"
Way = Literal["line", "circle", "dense"]
WAYS: dict[Way, str] = {"line": "Straight line", "circle": "Great circle", "dense": "Dense regions"}
LEAST, MOST, USUAL = 2, 64, 24


@dataclass(frozen=True)
class _Stops:
    """What a walk goes through: names and codes [S, D], None where one is no code; whether it is the loop.

    `own` says that a code may come from a person's own picture.
    """

    names: list[str]
    codes: Tensor | None
    loop: bool
    own: bool = False


def walk_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns the path and its ends for the map."""
    with st.container(key="walk"):
        stops = _stops(data, scope)
        way = pickers.pick_one("Way", "way", WAY, WAYS, "the way", help=_WAYS_HELP)
        address.restore_number("steps", STEPS, LEAST, MOST, default=USUAL)
        steps = st.slider("Steps", LEAST, MOST, key=STEPS, persist_state="session")
        query = _address(stops, way, steps)
        if stops.codes is None:
            return MapMarks(address=query)
        try:
            path = _path(data, stops.codes, max(steps, len(stops.names)), way)
        except ValueError as error:
            st.error(sentence(error))
            return MapMarks(address=query)
        return replace(_show(data, path, stops.names, stops.codes, stops.own), address=query)


_WAYS_HELP = (
    "The straight line is the shortest way; in many dimensions it passes nearer to the origin than any code lies. The "
    "great circle keeps its distance from the origin. The way through dense regions goes from neighbour to neighbour "
    "among the encoded test images, where the decoder has been trained."
)


def _stops(data: EncodedDataset, scope: Scope) -> _Stops:
    """Asks for the stops; says on the screen which expression is no code."""
    means = scope.means
    known = [] if means is None else [i for i, has in enumerate(means.isfinite().all(1).tolist()) if has]
    address.restore_value("loop", LOOP, lambda text: text == "1", default=False)
    if means is not None and len(known) > 1 and _loop():
        if len(known) >= MOST:
            known = known[: MOST - 1]
            st.caption(f"A walk has at most {MOST} steps, so this loop goes through the first {len(known)} classes.")
        order = [*known, known[0]]
        return _Stops([scope.classes[i] for i in order], means[order], True)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container():
            start = code_picker.choose_code("From", FROM, "from", scope, default=code_picker.first(scope))
        st.button("Swap the ends", icon=":material/swap_horiz:", key="walk_swap", help="Swap the ends", on_click=_swap)
        with st.container():
            end = code_picker.choose_code("To", TO, "to", scope, default=code_picker.first(scope, other=True))
    names = [str(st.session_state[FROM]), str(st.session_state[TO])]
    if start is None or end is None:
        return _Stops(names, None, False)
    return _Stops(names, torch.stack([start.code, end.code]), False, computed.is_own(data, start, end))


def _loop() -> bool:
    return st.toggle(
        "Loop through all class means",
        key=LOOP,
        persist_state="session",
        help="Goes from class to class and back to the first",
    )


def _swap() -> None:
    state = st.session_state
    state[FROM], state[TO] = state[TO], state[FROM]


def _path(data: EncodedDataset, stops: Tensor, steps: int, way: Way) -> Tensor:
    return walk(stops, steps, way=computed.graph(data).path if way == "dense" else way)


def _show(data: EncodedDataset, path: Tensor, names: list[str], stops: Tensor, own: bool) -> MapMarks:
    density = computed.density(data)
    at = stop_steps(len(stops), len(path))
    shares = None
    if density is not None:
        shares = density.share_along(path, stops, at).tolist()
    film(
        key=FILM,
        sheet_url=sheets.exact_sheet(f"{data.key}-walk", data.model, path, data.drawn_as, own=own),
        count=len(path),
        columns=len(path),
        tile=(data.model.image_shape[2], data.model.image_shape[1]),
        shares=shares,
        stops=at,
        stop_names=names,
        label="Walk",
        revision=f"{data.key}-{sheets.hashed(path)}",
        on_use=lambda step: selection.choose_code(data, path[step], "a walk"),
    )
    if shares is not None:
        sparsest = min(range(len(path)), key=shares.__getitem__)
        st.caption(
            f"Step {sparsest + 1} of {len(path)} is the emptiest: it lies in an emptier region than "
            f"{html.most(1 - shares[sparsest])} of the real images.",
            help=meaning("Emptier region"),
        )
    _downloads(data, path, names)
    trail = Trail([(float(x), float(y)) for x, y in data.map.place(path).tolist()], player=FILM)
    labels = names if len(names) <= MOST_LABELS else [""] * len(names)
    rings = {name: ring(data, stop, label) for name, label, stop in zip(names, labels, stops, strict=True)}
    return MapMarks(tuple(rings.values()), (trail,))  # by name, so that a loop's first stop has one ring


def _downloads(data: EncodedDataset, path: Tensor, names: list[str]) -> None:
    def made(make: Callable[[Tensor], bytes]) -> Callable[[], bytes]:
        return lambda: make(data.decode(path))

    way = WAYS[st.session_state[WAY]].lower()
    sheet_menu(
        "walk",
        f"{data.model.info.name}-walk",
        caption_of(data.model.info, f"A walk of {len(path)} steps through {', '.join(names)}", f"way: {way}"),
        lambda: data.decode(path),
        len(path),
        more=[
            File("GIF", ".gif", "image/gif", made(films.gif), "An animation that loops"),
            File("MP4", ".mp4", "video/mp4", made(films.mp4), "A video, H.264"),
        ],
    )


def _address(stops: _Stops, way: str, steps: int) -> dict[str, str]:
    found = {"loop": "1"} if stops.loop else dict(zip(("from", "to"), stops.names, strict=True))
    if way != "line":
        found["way"] = way
    if steps != USUAL:
        found["steps"] = str(steps)
    return found
