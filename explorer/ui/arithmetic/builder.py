"""An expression by buttons: A, minus B, plus C, each with its weight. The text is the truth; this follows it."""

from __future__ import annotations

import streamlit as st

from explorer.latents import ExpressionError, Scope, build, evaluate, parse
from explorer.ui.codes.code_picker import references

_SIGNS = (1, -1, 1)
_NOTHING = "nothing"
_LARGEST = 100.0  # weight


def builder(scope: Scope, text_key: str) -> None:
    """Draws the three terms before the text input of that key; what they say is written into it."""
    text = st.session_state.get(text_key) or ""
    # Before the widgets are made: those of another screen's visit may be gone, and the text may be new.
    fits = _follow(text, scope)
    typed = [st.session_state[f"builder_term_{i}"] for i in range(len(_SIGNS))]
    choices = dict.fromkeys([_NOTHING, *(reference.text for reference in references(scope)), *typed])

    def write() -> None:
        terms = [
            (sign * float(st.session_state[f"builder_weight_{i}"] or 0.0), parse(chosen).references()[0])
            for i, sign in enumerate(_SIGNS)
            if (chosen := st.session_state[f"builder_term_{i}"]) != _NOTHING
        ]
        st.session_state[text_key] = build(terms)

    columns = st.columns(len(_SIGNS), gap="small")
    for i, (column, sign) in enumerate(zip(columns, _SIGNS, strict=True)):
        name = "ABC"[i]
        label = f"{'−' if sign < 0 else '+' if i else ''} {name}".strip()
        with column.container(gap="xsmall"):
            st.selectbox(
                label,
                list(choices),
                key=f"builder_term_{i}",
                on_change=write,
                disabled=not fits,
            )
            st.number_input(
                f"Weight of {name}",
                -_LARGEST,
                _LARGEST,
                step=0.25,
                format="%g",
                key=f"builder_weight_{i}",
                label_visibility="collapsed",
                icon=":material/close:",
                on_change=write,
                disabled=not fits,
            )
    if not fits:
        st.caption("The buttons hold three terms with weights up to 100; this expression has more than that.")


def _follow(text: str, scope: Scope) -> bool:
    """Shows what a text says, where it fits: at most three terms. One with an error changes nothing."""
    try:
        terms = list(evaluate(text, scope).terms)
    except ExpressionError:
        terms = []
        if "builder_term_0" in st.session_state:
            return True
    fits = len(terms) <= len(_SIGNS) and all(abs(term.weight) <= _LARGEST for term in terms)
    shown = _shown()
    wanted = {term.reference.text: term.weight for term in terms}
    if fits and shown is not None and wanted == shown:
        return True
    slots: list[tuple[float, str] | None] = [None] * len(_SIGNS)
    for term in terms if fits else []:
        # Where its sign fits, else where there is room.
        order = sorted(range(len(_SIGNS)), key=lambda i: (_SIGNS[i] * term.weight < 0, i))
        free = next(i for i in order if slots[i] is None)
        slots[free] = (_SIGNS[free] * term.weight, term.reference.text)
    for i, slot in enumerate(slots):
        weight, name = slot or (1.0, _NOTHING)
        st.session_state[f"builder_weight_{i}"] = float(weight)
        st.session_state[f"builder_term_{i}"] = name
    return fits


def _shown() -> dict[str, float] | None:
    """Reads the builder's weights by the terms' texts; None before it was drawn."""
    state = st.session_state
    found: dict[str, float] = {}
    for i, sign in enumerate(_SIGNS):
        name, weight = state.get(f"builder_term_{i}"), state.get(f"builder_weight_{i}")
        if name is None or weight is None:
            return None
        if name != _NOTHING:
            found[name] = found.get(name, 0.0) + sign * weight
    return found
