"""A code chosen by its expression: from a list, or typed."""

from __future__ import annotations

import streamlit as st

from explorer.latents import ExpressionError, Reference, Result, Scope, evaluate
from explorer.ui import address
from explorer.ui.codes import saved_names
from explorer.ui.codes.saved_names import SavedDirection
from explorer.ui.markdown import plain


def references(scope: Scope) -> list[Reference]:
    """Lists what can be chosen without typing: the pick, the upload, class means, draws, kept groups."""
    found = []
    if scope.here is not None:
        found.append(Reference("here", None))
    if scope.upload is not None:
        found.append(Reference("upload", None))
    if scope.means is not None:
        known = scope.means.isfinite().all(1).tolist()
        found += [Reference("mean", name) for name, known_ in zip(scope.classes, known, strict=True) if known_]
    directions = {name for name, thing in saved_names.everything().items() if isinstance(thing, SavedDirection)}
    found += [Reference("name", name) for name in scope.names if name not in directions]
    if scope.draw is not None:
        found += [Reference("draw", seed) for seed in range(4)]
    return found


HELP = (
    "`here` is the spot or item chosen on the map, `mean(7)` the mean code of class 7, `item(42)` an image of the "
    "mapped data, `draw(1)` a draw from the prior, `upload` the picture you uploaded, `origin` the code of zeros. Type "
    "any expression of these, such as `0.5*mean(3) + 0.5*mean(8)`."
)


def choose_code(label: str, key: str, param: str, scope: Scope, *, default: str) -> Result | None:
    """Draws a select box that takes any expression; None, with a sentence under it, where it is no code."""
    options = list(dict.fromkeys([default, *(reference.text for reference in references(scope))]))
    address.restore_text(param, key, default=default)
    text = st.selectbox(label, options, key=key, persist_state="session", accept_new_options=True, help=HELP)
    try:
        return evaluate(text or "", scope)
    except ExpressionError as error:
        show_error(error)
        st.button(f"Use {plain(default)}", key=f"{key}_default", type="tertiary", on_click=_set, args=(key, default))
        return None


def _set(key: str, text: str) -> None:
    st.session_state[key] = text


_OF_THE_SESSION = "Names you keep and pictures you upload belong to one browser session: a link does not carry them."
_HINTS = {
    "here": "Click the map, or choose a spot or an image on Explore: that becomes `here`.",
    "upload": f"The picture you uploaded last is `upload`. {_OF_THE_SESSION}",
    "name": _OF_THE_SESSION,
}


def show_error(error: ExpressionError) -> None:
    """Shows the sentence, with the place in the text that it is about."""
    st.error(plain(str(error)))
    if pointer := error.pointer():
        st.code(pointer, language=None)
    if hint := _HINTS.get(error.missing):
        st.caption(hint)


def first(scope: Scope, *, other: bool = False) -> str:
    """Suggests a code to begin with: the pick, a class's mean or an item. With `other`, one to go to."""
    found = [r.text for r in references(scope) if r.kind == "mean"] or items(scope)
    if scope.here is not None and not other:
        return "here"
    return found[-1] if other else found[0]


def items(scope: Scope) -> list[str]:
    """Names the first two items, or what there is."""
    numbers = range(len(scope.items)) if scope.index is None else scope.index.tolist()
    return [Reference("item", number).text for number in numbers[:2]] or ["origin"]


def all_latents(key: str, latent: int, few: int) -> bool:
    """Asks whether all latents are shown, or only the few strongest."""
    if latent <= few:
        return True
    address.restore_value("all", key, lambda text: text == "1", default=False)
    return st.toggle(f"All {latent} latents", key=key, persist_state="session", help=f"Otherwise the {few} strongest")
