"""The grid over a latent plane: n x n decoded images, each of which can be picked."""

from __future__ import annotations

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.checkpoints.plane import usual_plane
from explorer.latents import compact, planes
from explorer.latents.planes import Plane
from explorer.ui import address, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import abilities
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, sheet_menu
from explorer.ui.markdown import sentence
from explorer.ui.panels import follow
from explorer.ui.selection import Pick

_CORNERS = ("A", "B", "C")
_SIDE, _OUTER, _PLANE, _ACROSS, _UP = "grid_n", "grid_outer", "grid_plane", "grid_a", "grid_b"
_SIDES, _USUAL_SIDE = (5, 30), 15
_QUANTILES, _USUAL_OUTER, _QUANTILE_STEP = (0.005, 0.25), 0.05, 0.005
_PLANES = {"pca": "Two principal components", "latents": "Two latents", "points": "Through three codes"}


def restore(data: EncodedDataset) -> None:
    """Before anything of the screen is drawn: starts the controls from the address."""
    address.restore_number("grid", _SIDE, *_SIDES, default=_USUAL_SIDE)
    address.restore_number("outer", _OUTER, *_QUANTILES, default=_USUAL_OUTER, step=_QUANTILE_STEP)
    if data.model.latent < 3 or abilities.why_no_plane(data.model):
        return
    address.restore_choice("plane", _PLANE, _PLANES, "the plane", usual="pca")
    across, up, *others = _latents(data)
    for param, key, order in (("across", _ACROSS, (across, up, *others)), ("up", _UP, (up, across, *others))):
        address.restore_choice(param, key, {latent: str(latent) for latent in order}, "the latent")  # its default first

    def corners(text: str) -> dict[str, Pick]:
        codes = zip(_CORNERS, (compact.read_code(part, data.model.latent) for part in text.split("~")), strict=False)
        return {
            name: Pick(data.model.info.id, tuple(code), origin="the address")
            for name, code in codes
            if code is not None
        }

    address.restore_value("corners", _corners_key(data), corners, default={})


def query(data: EncodedDataset) -> dict[str, str]:
    """Gives what the address says of it, empty where it says nothing."""
    state = st.session_state
    found = {
        "grid": "" if state[_SIDE] == _USUAL_SIDE else str(state[_SIDE]),
        "outer": "" if state[_OUTER] == _USUAL_OUTER else f"{state[_OUTER]:g}",
    }
    plane = state.get(_PLANE, "pca") if data.model.latent > 2 else "pca"
    if plane == "latents":
        across, up, *_ = _latents(data)
        found |= {"across": str(state.get(_ACROSS, across)), "up": str(state.get(_UP, up))}
    elif plane == "points":
        corners: dict[str, Pick] = state.get(_corners_key(data), {})
        codes = [compact.code_text(corners[name].tensor()) if name in corners else "" for name in _CORNERS]
        found["corners"] = "~".join(codes) if corners else ""
    return {**found, "plane": "" if plane == "pca" else plane}


def _corners_key(data: EncodedDataset) -> str:
    return f"grid_corners_{data.content}"


def _latents(data: EncodedDataset) -> list[int]:
    """Lists the latents, the strongest first."""
    kl = data.latents.kl_by_latent
    found: list[int] = (data.model.spread[1] if kl is None else kl).argsort(descending=True).tolist()
    return found


def grid_panel(data: EncodedDataset) -> None:
    """Draws the grid with its controls."""
    pick = selection.current(data)
    st.markdown("##### The grid", help=_HELP)
    if reason := abilities.why_no_plane(data.model):
        st.info(reason)
        return
    left, right = st.columns(2)
    n = left.slider("Images a side", *_SIDES, key=_SIDE, persist_state="session")
    outer = right.slider(
        "Outer quantile",
        *_QUANTILES,
        step=_QUANTILE_STEP,
        format="%.3f",
        key=_OUTER,
        persist_state="session",
        help="The grid runs from this quantile of the prior to its mirror image: smaller reaches further out.",
    )
    found = _plane(data, pick)
    if isinstance(found, str):
        selection.show_codes("grid", None)
        st.info(found)
        return
    plane, (across, up), own = found
    axis = planes.quantiles(n, outer)
    codes = plane.grid(axis)
    selection.show_codes("grid", codes)

    def choose(i: int) -> None:
        before = grid_state(data)[1]
        selection.choose_code(data, codes[i], "the grid")
        follow("grid", shown=grid_state(data)[1] == before)

    ticks = axis.tolist()
    tiles(
        key="grid_tiles",
        sheet_url=sheets.decoded_sheet(f"{data.key}-grid", data.model, codes, n, data.drawn_as, own=own),
        count=len(codes),
        columns=n,
        tile=sheets.tile_size(data.model),
        titles=[f"{across} {a:.2f}, {up} {b:.2f}" for b in reversed(ticks) for a in ticks],
        selected=selection.among(codes, pick),
        max_tile_px=64,
        label="The latent plane, decoded",
        on_pick=choose,
    )
    st.caption(_caption(data.model))
    sheet_menu(
        "grid",
        f"{data.model.info.name}-grid",
        caption_of(
            data.model.info,
            f"A plane of the codes, decoded at {n} × {n} equally likely places from the {outer:g} quantile on",
            f"{across} to the right, {up} upwards",
        ),
        lambda: data.decode(codes),
        n,
        across=[f"{tick:.2f}" for tick in ticks],
        down=[f"{tick:.2f}" for tick in reversed(ticks)],
        axes=(across, up),
    )


def grid_state(data: EncodedDataset) -> tuple[int | None, object]:
    """Gives what the grid shows of the pick: the image with the ring, and what its plane and its buttons make of it."""
    pick = selection.current(data)
    through = {"latents": None if pick is None else pick.code, "points": pick is not None}
    return selection.among_shown("grid", data), through.get(st.session_state.get(_PLANE, ""))


def _caption(model: Model) -> str:
    click = "Click an image to pick its code."
    if note := abilities.blends_note(model):
        return f"{click} {note}"
    if not model.network.learns_prior:
        return click
    return f"The prior is {model.network.prior_name}: the grid covers the Gaussian of its mean and variance. {click}"


_HELP = (
    "The decoder's images at equally likely places of the prior: norm.ppf of equally spaced quantiles on both axes. "
    "With more than two latents, choose which plane through the code space to look at."
)


_Found = tuple[Plane, tuple[str, str], bool]


def _plane(data: EncodedDataset, pick: Pick | None) -> _Found | str:
    """The plane that the controls ask for, or a sentence on what is missing.

    With the plane come the names of its axes and whether it may go through the code of a person's own picture.
    """
    if data.model.latent > 2:
        kind = st.segmented_control(
            "Plane",
            list(_PLANES),
            format_func=_PLANES.__getitem__,
            key=_PLANE,
            required=True,
            persist_state="session",
        )
        if kind == "latents":
            return _two_latents(data, pick)
        if kind == "points":
            return _three_codes(data, pick)
    found = usual_plane(data.model, data.latents.mean)
    return found if isinstance(found, str) else (*found, False)


def _two_latents(data: EncodedDataset, pick: Pick | None) -> _Found | str:
    kl, order = data.latents.kl_by_latent, _latents(data)
    left, right = st.columns(2)

    called = data.model.network.latent_name

    def name(i: int) -> str:
        return called(i) if kl is None else f"{called(i)} ({float(kl[i]):.2f} nats)"

    a = left.selectbox("Across", order, 0, name, key=_ACROSS, persist_state="session")
    b = right.selectbox("Up", order, 1, name, key=_UP, persist_state="session")
    if a == b:
        return "Choose two different latents."
    centre, spread = data.model.spread
    origin = pick.tensor() if pick is not None else centre
    st.caption(
        "Through the picked code." if pick is not None else "Through the prior mean; pick a code to go through it."
    )
    own = pick is not None and pick.may_be_own
    unit = "" if bool((spread == 1).all()) else ", σ"
    return planes.latent_plane(origin, a, b, centre, spread), (f"{called(a)}{unit}", f"{called(b)}{unit}"), own


def _three_codes(data: EncodedDataset, pick: Pick | None) -> _Found | str:
    corners: dict[str, Pick] = st.session_state[_corners_key(data)]

    def set_corner(name: str) -> None:
        if (now := selection.current(data)) is not None:  # the pick may have changed since this was drawn
            corners[name] = now

    for column, name in zip(st.columns(3), _CORNERS, strict=True):
        column.button(
            f"{name} ✓" if name in corners else f"Set {name}",
            key=f"grid_corner_{name}",
            disabled=pick is None,
            help=f"Make the picked code corner {name} of the plane",
            on_click=set_corner,
            args=(name,),
        )
    if len(corners) < 3:
        missing = ", ".join(name for name in _CORNERS if name not in corners)
        return f"Pick a code on the map, then set it as a corner. Still open: {missing}."
    try:
        plane = planes.plane_through(*(corners[name].tensor() for name in _CORNERS))
    except ValueError as error:
        return sentence(error)
    return plane, ("A to B", "A to C"), any(corner.may_be_own for corner in corners.values())
