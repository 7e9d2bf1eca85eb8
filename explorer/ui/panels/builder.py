"""An expression by buttons: A, minus B, plus C, each with its weight. The text is the truth; this follows it."""

from __future__ import annotations

import streamlit as st

from explorer.latents import ExpressionError, Reference, Scope, build, evaluate
from explorer.ui.panels.ends import references

_SIGNS = (1, -1, 1)
_NOTHING = "nothing"
_SYNCED = "builder_synced"  # the text that the builder shows


def builder(scope: Scope, text_key: str) -> None:
    """Draw the three terms before the text input of that key; what they say is written into it."""
    choices = {reference.text: reference for reference in references(scope)}
    text = st.session_state.get(text_key) or ""
    # Before the widgets are made: those of another screen's visit may be gone, and the text may be new.
    if st.session_state.get(_SYNCED) != text or "builder_term_0" not in st.session_state:
        st.session_state[_SYNCED] = text if _follow(text, scope, choices) else None
    for i in range(len(_SIGNS)):
        if st.session_state.get(f"builder_term_{i}") not in (_NOTHING, *choices):
            extra = _reference(st.session_state.get(f"builder_term_{i}"), scope)
            if extra is None:
                st.session_state[f"builder_term_{i}"] = _NOTHING
            else:
                choices[extra.text] = extra

    def write() -> None:
        terms = [
            (sign * float(st.session_state.get(f"builder_weight_{i}") or 0.0), choices[chosen])
            for i, sign in enumerate(_SIGNS)
            if (chosen := st.session_state.get(f"builder_term_{i}")) in choices
        ]
        st.session_state[text_key] = st.session_state[_SYNCED] = build(terms) if terms else ""

    columns = st.columns(len(_SIGNS), gap="small")
    for i, (column, sign) in enumerate(zip(columns, _SIGNS, strict=True)):
        name = "ABC"[i]
        label = f"{'−' if sign < 0 else '+' if i else ''} {name}".strip()
        with column.container(gap="xsmall"):
            st.selectbox(
                label,
                [_NOTHING, *choices] if i or not choices else list(choices),
                key=f"builder_term_{i}",
                on_change=write,
            )
            st.number_input(
                f"Weight of {name}",
                -10.0,
                10.0,
                step=0.25,
                format="%g",
                key=f"builder_weight_{i}",
                label_visibility="collapsed",
                icon=":material/close:",
                on_change=write,
            )


def _reference(text: str | None, scope: Scope) -> Reference | None:
    """The reference that a text such as item(42) is, alone."""
    try:
        terms = evaluate(text or "", scope).terms
    except ExpressionError:
        return None
    return terms[0].reference if len(terms) == 1 and terms[0].weight == 1 else None


def _follow(text: str, scope: Scope, choices: dict[str, Reference]) -> bool:
    """Show a text of at most three terms; one that says more, or nothing yet, leaves the builder as it is."""
    try:
        terms, understood = list(evaluate(text, scope).terms), True
    except ExpressionError:
        terms, understood = [], False
    if "builder_term_0" in st.session_state and not (understood and len(terms) <= len(_SIGNS)):
        return understood
    slots: list[tuple[float, str] | None] = [None] * len(_SIGNS)
    for term in terms[: len(_SIGNS)]:
        # Where its sign fits, else where there is room.
        order = sorted(range(len(_SIGNS)), key=lambda i: (_SIGNS[i] * term.weight < 0, i))
        free = next(i for i in order if slots[i] is None)
        slots[free] = (_SIGNS[free] * term.weight, term.reference.text)
    for i, slot in enumerate(slots):
        weight, name = slot or (1.0, _NOTHING if i or not choices else next(iter(choices)))
        st.session_state[f"builder_weight_{i}"] = float(weight)
        st.session_state[f"builder_term_{i}"] = name
    return understood
