"""Expressions: type one or build it, see it decoded between its ingredients and its nearest real images."""

from __future__ import annotations

import streamlit as st
import torch

from explorer import pictures
from explorer.latents import ExpressionError, Result, Scope, evaluate
from explorer.ui import codes, html, view
from explorer.ui.library import Mapped
from explorer.ui.panels.builder import builder
from explorer.ui.panels.ends import HELP, references, show_error
from explorer.ui.panels.near import near_tiles
from explorer.ui.panels.shown import NOTHING, Shown, rings

KEY, PARAM = "expression_text", "e"
_MOST_INGREDIENTS = 6  # pictures of a sum that fit a line


def expression_panel(data: Mapped, scope: Scope) -> Shown:
    """Draw the panel; rings for the result and its ingredients."""
    with st.container(key="expression"):
        view.restore_text(PARAM, KEY, default=example(scope))
        builder(scope, KEY)
        text = st.text_input(
            "Expression",
            key=KEY,
            persist_state="session",
            placeholder=f"for example {example(scope)}",
            help=f"Codes are added, subtracted, and multiplied by numbers. {HELP}",
        )
        try:
            result = evaluate(text or "", scope)
        except ExpressionError as error:
            show_error(error)
            return NOTHING
        _sum(data, result)
        _facts(data, result)
        near_tiles(data, result.code, key="expression_neighbours", origin="the neighbours")
        return Shown(rings(data, result))


def example(scope: Scope) -> str:
    """An expression to begin with, of what this model has."""
    names = [reference.text for reference in references(scope) if reference.kind == "mean"]
    if len(scope.classes) == 10 and {"mean(7)", "mean(1)", "mean(4)"} <= set(names):
        return "mean(7) - mean(1) + mean(4)"
    if len(names) > 1:
        return f"0.5*{names[0]} + 0.5*{names[1]}"
    return "0.5*item(0) + 0.5*item(1)"


def _sum(data: Mapped, result: Result) -> None:
    """The ingredients' images with their weights and signs, and the result's: a sum in pictures."""
    shown = result.terms if len(result.terms) <= _MOST_INGREDIENTS else ()
    alone = len(shown) == 1 and shown[0].weight == 1
    decoded = data.model.decode(torch.stack([*(term.code for term in shown), result.code]))
    parts = []
    if not alone:
        for i, term in enumerate(shown):
            sign = "−" if term.weight < 0 else ("+" if i else "")
            size = abs(term.weight)
            weight = "" if size == 1 else f"{size:.4g} ×"
            picture = html.image(pictures.single(decoded[i]), term.reference.text, alt=f"decoded {term.reference.text}")
            parts.append((f"{sign} {weight}".strip(), picture))
    answer = html.image(
        pictures.single(decoded[-1]),
        "result",
        alt="the decoded result",
        code=html.code_text(result.code),
    )
    parts.append(("=" if parts else "", answer))
    st.html(html.equation(parts))


def _facts(data: Mapped, result: Result) -> None:
    share = float(codes.density(data.model).share(result.code[None])[0])
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.html(html.facts([("Denser than", f"{html.percent(share)} of real images", _DENSITY_HELP)]))
    right.button(
        "Use this code",
        key="expression_use",
        help="Choose the result, as a click on the map would: it becomes `here`, also in Explore",
        on_click=lambda: view.choose_code(data, result.code, "an expression"),
    )


_DENSITY_HELP = (
    "The share of real images whose codes lie in a less dense place of the aggregate posterior than this one. "
    "Near 0%: the decoder has hardly been there."
)


def address() -> dict[str, str]:
    """What the URL says of the expression."""
    return {PARAM: str(st.session_state.get(KEY) or "")}
