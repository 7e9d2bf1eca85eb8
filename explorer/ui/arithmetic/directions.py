"""Concept directions: from one class or kept selection to another, with a strength to steer and figures of trust."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
import torch
from torch import Tensor

from explorer.files.tables import table_text
from explorer.latents import METHODS, Reference, Scope
from explorer.latents.colours import GROUP
from explorer.ui import address, html, pickers, selection, sheets
from explorer.ui.arithmetic.live_code import live_code
from explorer.ui.cache import STORED, EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.computed import Source
from explorer.ui.codes.map_marks import MapMarks, ring
from explorer.ui.codes.naming import name_to_save, saved_list
from explorer.ui.codes.saved_names import Method, SavedDirection, SavedGroup
from explorer.ui.components.code_sliders.component import Knob
from explorer.ui.components.latent_map.component import Trail
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, download_menu, sheet_menu
from explorer.ui.markdown import plain, sentence
from explorer.ui.wording import GROUPS

KEY = "direction_knob"
FROM, TO, METHOD, AT = "direction_from", "direction_to", "direction_method", "direction_at"
_STRIP = torch.linspace(-2, 2, 9)
_REACH = 3.0


def directions_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns the middles of both ends and the line through the code for the map."""
    with st.container(key="directions"):
        pair = _pair(data)
        shown = MapMarks() if pair is None else _direction(data, scope, *pair)
        saved_list(set(scope.names))
        return replace(shown, address=_address() | shown.address)


def _pair(data: EncodedDataset) -> tuple[Source, Source, Method] | None:
    """Asks for both ends and the method; None, with a sentence, where there are no two groups."""
    found = computed.sources(data)
    if len(found) < 2:
        st.info(
            "A direction goes from one group of images to another. Select a group with the lasso on Explore's map and "
            f"keep it under a name, then a second one.{_other_classes(data, len(found))}"
        )
        return None
    options = list(found)
    labels = {
        ident: f"{source.name} ({len(source.rows):,} images)"
        if isinstance(source.end, SavedGroup)
        else f"class {source.name}"
        for ident, source in found.items()
    }
    groups = [ident for ident in options if ident.startswith("group:")]
    usual = groups if len(groups) > 1 else options
    address.restore_choice("a", FROM, options, "the group", labels, usual=usual[0])
    address.restore_choice("b", TO, options, "the group", labels, usual=usual[1])
    left, right = st.columns(2)
    start = left.selectbox(
        "From", options, format_func=labels.__getitem__, key=FROM, persist_state="session", help=_GROUPS_HELP
    )
    end = right.selectbox("To", options, format_func=labels.__getitem__, key=TO, persist_state="session")
    method = pickers.pick_one(
        "Found by",
        "method",
        METHOD,
        {name: text.capitalize() for name, text in METHODS.items()},
        "the method",
        help="The difference of the two mean codes, or the normal of the plane that best separates the groups "
        "(Fisher's discriminant), which ignores what varies within both.",
    )
    if start == end:
        st.info("Choose two different groups.")
        return None
    return found[start], found[end], method


def _other_classes(data: EncodedDataset, found: int) -> str:
    """Says where a model of one class finds the others."""
    trained = data.model.info.config["dataset"]
    if not found or data.name != STORED or trained.get("only") is None:
        return ""
    name = plain(trained["name"])
    where = f"choose {name} under **Data**" if computed.training_is_here(data) else f"get {name}, which is not here"
    return f" Only {plain(trained['only'])} images came with this model: to have all classes, {where}."


_GROUPS_HELP = "Classes, and the selections that you kept in Explore: draw a lasso there, then **Keep selection**."


def _direction(data: EncodedDataset, scope: Scope, start: Source, end: Source, method: Method) -> MapMarks:
    try:
        vector = computed.direction(data, start, end, method)
    except ValueError as error:
        st.error(sentence(error))
        return MapMarks()
    at = code_picker.choose_code("Starting at", AT, "at", scope, default=_default(scope, start))
    query: dict[str, str] = {}
    if at is not None:
        query = _strength(data, at.code, vector)
        _strip(data, at.code, vector, f"{start.name} to {end.name}", computed.is_own(data, at))
    _trust(data, start, end, method)
    name_to_save("direction", "direction", lambda _: SavedDirection(start.end, end.end, method))
    middles = tuple(ring(data, data.latents.mean[source.rows].mean(0), source.name) for source in (start, end))
    if at is None:
        return MapMarks(middles)
    along = data.map.place(at.code + _STRIP[:, None] * vector).tolist()
    trail = Trail([(float(x), float(y)) for x, y in along], dashed=True)
    return MapMarks((*middles, ring(data, at.code, "start", "result")), (trail,), KEY, query)


def _default(scope: Scope, start: Source) -> str:
    if scope.here is not None:
        return "here"
    if isinstance(start.end, SavedGroup):
        return start.name
    return Reference("mean", start.name).text


def _strength(data: EncodedDataset, at: Tensor, vector: Tensor) -> dict[str, str]:
    def make(moved: dict[int, float]) -> tuple[Tensor, list[Knob]]:
        strength = moved.get(0, 0.0)
        hint = "1 reaches the other group"
        return at + strength * vector, [Knob(0, "strength", strength, -_REACH, _REACH, 0.0, hint=hint)]

    return live_code(
        data,
        at,
        make,
        key=KEY,
        edited=torch.cat([at, vector]),
        label="Strength of the direction",
        origin="a direction",
        columns=1,
    )


def _strip(data: EncodedDataset, at: Tensor, vector: Tensor, ends: str, own: bool) -> None:
    path = at + _STRIP[:, None] * vector
    values = [f"{value:+g}".replace("-", "−") if value else "0" for value in _STRIP.tolist()]
    tiles(
        key="direction_strip",
        sheet_url=sheets.decoded_sheet(f"{data.key}-direction", data.model, path, len(path), data.drawn_as, own=own),
        count=len(path),
        columns=len(path),
        tile=sheets.tile_size(data.model),
        captions=values,
        max_tile_px=64,
        gap=2,
        label="Along the direction",
        on_pick=lambda i: selection.choose_code(data, path[i], "a direction"),
    )
    sheet_menu(
        "direction",
        f"{data.model.info.name}-direction",
        caption_of(data.model.info, f"Codes along the direction from {ends}, decoded", "1 reaches the other group"),
        lambda: data.decode(path),
        len(path),
        across=values,
        quiet=True,
    )


def _trust(data: EncodedDataset, start: Source, end: Source, method: Method) -> None:
    try:
        found, shared = computed.trust(data, start, end, method)
    except ValueError as error:
        st.caption(sentence(error))
        return
    low, high = found.auc_interval
    cosine = f"cosine {found.cosine:.2f} (5th percentile {found.cosine_low:.2f})"
    st.html(
        html.facts(
            [
                ("Separates them (AUC)", f"{found.auc:.3f} ({low:.3f} to {high:.3f})", _AUC_HELP),
                ("Same from another sample", cosine, _COSINE_HELP),
                ("Effect", f"{found.effect:.1f} (random pairs: {found.random_effect:.1f})", _EFFECT_HELP),
            ]
        )
    )
    left_out = f" The {shared:,} images that are in both groups were left out of this test." if shared else ""
    slides = (
        f" Images are held out one by one, not {GROUP} by {GROUP}: where the groups are of different {GROUPS}, part of "
        "this direction may be their slides."
        if data.latents.group is not None
        else ""
    )
    st.caption(f"{plain(found.verdict())}{left_out}{slides}")
    figures = [
        ("AUC", found.auc),
        ("AUC, 95% from", low),
        ("AUC, 95% to", high),
        ("cosine", found.cosine),
        ("cosine, 5th percentile", found.cosine_low),
        ("effect", found.effect),
        ("effect, random pairs", found.random_effect),
    ]
    download_menu(
        "trust",
        f"{data.model.info.name}-direction-trust",
        caption_of(data.model.info, f"How far to trust the direction from {start.name} to {end.name}", METHODS[method]),
        table=lambda: table_text(["figure", "value"], figures),
        quiet=True,
    )


_AUC_HELP = (
    "How often a held-out image of the second group lies further along the direction than one of the first, with its "
    "95% interval: 0.5 is chance"
)
_COSINE_HELP = (
    "Median cosine between directions found from resampled images, and what 95% of them exceed: "
    "1 is the same direction, 0 an unrelated one"
)
_EFFECT_HELP = (
    "How far apart the held-out groups' projections lie, in standard deviations (Cohen's d), and what 95% of random "
    "pairs of groups of these sizes stay below"
)


def _address() -> dict[str, str]:
    state = st.session_state
    names = {"a": FROM, "b": TO, "method": METHOD, "at": AT}
    # A kept selection is this session's own: another one would not know it.
    return {
        param: str(state[key])
        for param, key in names.items()
        if state.get(key) not in (None, "means") and not str(state[key]).startswith("group:")
    }
