"""Concept directions: from one class or kept selection to another, with a strength to steer and figures of trust."""

from __future__ import annotations

from hashlib import sha256

import streamlit as st
import torch
from torch import Tensor

from explorer import pictures
from explorer.latents import METHODS, Scope
from explorer.ui import codes, html, kept, moves, sheets, view
from explorer.ui.codes import Source
from explorer.ui.components.code_sliders import Knob, code_sliders
from explorer.ui.components.latent_map import Trail
from explorer.ui.components.tiles import tiles
from explorer.ui.kept import KeptDirection, Method
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain, sentence
from explorer.ui.panels import ends
from explorer.ui.panels.shown import NOTHING, Shown, ring

FROM, TO, METHOD, AT = "direction_from", "direction_to", "direction_method", "direction_at"
_NAME, _PROBLEM, _UNDO = "direction_name", "direction_problem", "direction_undo"
_STRENGTH = "direction_strength"
_STRIP = torch.linspace(-2, 2, 9)
_REACH = 3.0


def directions_panel(data: Mapped, scope: Scope) -> Shown:
    """Draw the panel; the middles of both ends and the line through the code for the map."""
    with st.container(key="directions"):
        pair = _pair(data)
        shown = NOTHING if pair is None else _direction(data, scope, *pair)
        _kept()
        return shown


def _pair(data: Mapped) -> tuple[Source, Source, Method] | None:
    """Both ends and how the direction is found; None, with a sentence, where there are no two groups."""
    found = codes.sources(data)
    if len(found) < 2:
        st.info(
            "A direction goes from one group of images to another. Select one with the lasso on Explore's map and "
            "keep it under a name, then another one."
        )
        return None
    options = list(found)
    view.restore_choice("a", FROM, options, "the group", {ident: source.label for ident, source in found.items()})
    view.restore_choice("b", TO, options, "the group", {ident: source.label for ident, source in found.items()})
    groups = [ident for ident in options if ident.startswith("group:")]
    st.session_state.setdefault(FROM, groups[0] if len(groups) > 1 else options[0])
    st.session_state.setdefault(TO, groups[1] if len(groups) > 1 else options[1])
    view.restore_choice("method", METHOD, METHODS, "the method")
    st.session_state.setdefault(METHOD, "means")
    left, right = st.columns(2)
    start = left.selectbox(
        "From", options, format_func=lambda i: found[i].label, key=FROM, persist_state="session", help=_GROUPS_HELP
    )
    end = right.selectbox("To", options, format_func=lambda i: found[i].label, key=TO, persist_state="session")
    method = st.segmented_control(
        "Found by",
        list(METHODS),
        format_func=lambda m: METHODS[m].capitalize(),
        key=METHOD,
        required=True,
        persist_state="session",
        help="The difference of the two mean codes; or the normal of the plane that best tells the groups apart "
        "(Fisher's discriminant), which leaves out what varies within both.",
    )
    if start == end:
        st.info("Choose two different groups.")
        return None
    return found[start], found[end], method or "means"


_GROUPS_HELP = "Classes, and the selections that you kept in Explore: draw a lasso there, then **Keep selection**."


def _direction(data: Mapped, scope: Scope, start: Source, end: Source, method: Method) -> Shown:
    try:
        vector = codes.direction(data, start, end, method)
    except ValueError as error:
        st.error(sentence(error))
        return NOTHING
    at = ends.choose_code("Starting at", AT, "at", scope, default=_default(scope, start))
    if at is not None:
        st.fragment(_steer)(data, at.code, vector)
        _strip(data, at.code, vector)
    _trust(data, start, end, method)
    _keep(start, end, method)
    middles = tuple(
        ring(data, data.latents.mean[source.rows].mean(0), source.ident.split(":", 1)[1]) for source in (start, end)
    )
    if at is None:
        return Shown(middles)
    along = data.map.place(at.code + _STRIP[:, None] * vector).tolist()
    trail = Trail([(float(x), float(y)) for x, y in along], dashed=True)
    return Shown((*middles, ring(data, at.code, "start", "result")), (trail,))


def _default(scope: Scope, start: Source) -> str:
    kind, name = start.ident.split(":", 1)
    means = {r.argument: r.text for r in ends.references(scope) if r.kind == "mean"}
    return "here" if scope.here is not None else means.get(name, name if kind == "group" else ends.first(scope))


def _steer(data: Mapped, at: Tensor, vector: Tensor) -> None:
    """The part that runs for each move of the strength."""
    moves.follow()
    revision = f"{data.key}-{sha256(torch.cat([at, vector]).numpy().tobytes()).hexdigest()[:20]}"
    found: tuple[str, float] = st.session_state.get(_STRENGTH, ("", 0.0))
    strength = found[1] if found[0] == revision else 0.0
    code = at + strength * vector
    share = float(codes.density(data.model).share(code[None])[0])

    def move(values: dict[int, float]) -> None:
        st.session_state[_STRENGTH] = (revision, values.get(0, 0.0))

    code_sliders(
        key="direction_knob",
        knobs=[
            Knob(0, "strength", strength, -_REACH, _REACH, 0.0, hint="1 goes as far as from one group to the other")
        ],
        picture=html.source(pictures.single(data.model.decode(code[None])[0])),
        picture_alt="the decoded code",
        picture_data={"code": html.code_text(code)},
        caption=f"denser than {html.percent(share)} of real images' places",
        revision=revision,
        columns=1,
        label="Strength of the direction",
        on_move=move,
    )

    def use() -> None:
        view.choose_code(data, code, "a direction")
        moves.refresh()

    st.button("Use this code", key="direction_use", on_click=use, help="It becomes `here`, also in Explore")


def _strip(data: Mapped, at: Tensor, vector: Tensor) -> None:
    path = at + _STRIP[:, None] * vector
    tiles(
        key="direction_strip",
        sheet_url=sheets.decoded_sheet(f"{data.key}-direction", data.model, path, len(path)),
        count=len(path),
        columns=len(path),
        tile=sheets.tile_size(data.model),
        captions=[f"{value:+g}".replace("-", "−") if value else "0" for value in _STRIP.tolist()],
        max_tile_px=64,
        gap=2,
        label="Along the direction",
        on_pick=lambda i: view.choose_code(data, path[i], "a direction"),
    )


def _trust(data: Mapped, start: Source, end: Source, method: Method) -> None:
    try:
        found = codes.trust(data, start, end, method)
    except ValueError as error:
        st.caption(sentence(error))
        return
    low, high = found.auc_interval
    st.html(
        html.facts(
            [
                ("Tells them apart (AUC)", f"{found.auc:.3f} ({low:.3f} to {high:.3f})", _AUC_HELP),
                (
                    "Same from another sample",
                    f"cosine {found.cosine:.2f} (at least {found.cosine_low:.2f})",
                    _COSINE_HELP,
                ),
                ("Effect", f"{found.effect:.1f} (random pairs: {found.random_effect:.1f})", _EFFECT_HELP),
            ]
        )
    )
    st.caption(found.verdict())


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


def _keep(start: Source, end: Source, method: Method) -> None:
    def keep() -> None:
        name = st.session_state[_NAME].strip()
        try:
            kept.keep_direction(KeptDirection(name, start.ident, end.ident, method))
        except ValueError as error:
            st.session_state[_PROBLEM] = str(error)
        else:
            st.session_state.pop(_PROBLEM, None)
            st.session_state[_NAME] = kept.free_name("direction")

    st.session_state.setdefault(_NAME, kept.free_name("direction"))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Name", key=_NAME, max_chars=40, width=200, help="To use it in expressions: `here + 1.5*smile`")
        st.button("Keep direction", key="direction_keep", on_click=keep)
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem))


def _kept() -> None:
    """What has been named, each with a way to forget it, and the last forgetting with a way back."""
    undo = st.session_state.get(_UNDO)
    if not kept.groups() and not kept.directions() and undo is None:
        return
    with st.container(key="kept", gap="xsmall"):
        st.caption("Names for expressions")
        for name, what in [
            *(
                (d.name, f"direction from {_plain_source(d.start)} to {_plain_source(d.end)}")
                for d in kept.directions().values()
            ),
            *((g.name, f"mean of {len(g.indices):,} selected items") for g in kept.groups().values()),
        ]:
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.markdown(f"`{name}` {plain(what)}", width="content")
                st.button("Forget", key=f"forget_{name}", type="tertiary", on_click=_forget, args=(name,))
        if undo is not None:
            name = undo[0]
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.caption(f"Forgot {plain(name)}.", width="content")
                st.button("Undo", key="forget_undo", type="tertiary", on_click=_undo)


def _plain_source(ident: str) -> str:
    kind, name = ident.split(":", 1)
    return f"class {name}" if kind == "class" else name


def _forget(name: str) -> None:
    st.session_state[_UNDO] = (name, kept.forget(name))


def _undo() -> None:
    _, back = st.session_state.pop(_UNDO)
    back()


def address() -> dict[str, str]:
    """What the URL says of the direction."""
    state = st.session_state
    names = {"a": FROM, "b": TO, "method": METHOD, "at": AT}
    # A kept selection is this session's own: another one would not know it.
    return {
        param: str(state[key])
        for param, key in names.items()
        if state.get(key) not in (None, "means") and not str(state[key]).startswith("group:")
    }
