"""Expressions: type one or build it, see it decoded between its ingredients and its nearest real images."""

from __future__ import annotations

import streamlit as st
import torch
from PIL import Image

from explorer.images import pictures
from explorer.latents import ExpressionError, Result, Scope, evaluate
from explorer.ui import address, html, selection
from explorer.ui.arithmetic.builder import builder
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import computed, saved_names, upload
from explorer.ui.codes.code_picker import HELP, items, references, show_error
from explorer.ui.codes.item_files import code_csv
from explorer.ui.codes.map_marks import MapMarks, rings
from explorer.ui.codes.naming import name_to_save, saved_list
from explorer.ui.codes.neighbours import neighbour_tiles, neighbours_strip
from explorer.ui.codes.saved_names import SavedCode, SavedDirection
from explorer.ui.downloads import caption_of, strip_menu

KEY, PARAM = "expression_text", "e"
_MOST_INGREDIENTS = 6  # pictures of a sum that fit a line


def expression_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns rings for the result and its ingredients."""
    with st.container(key="expression"):
        address.restore_text(PARAM, KEY, default=example(scope))
        builder(scope, KEY)
        text = st.text_input(
            "Expression",
            key=KEY,
            persist_state="session",
            placeholder=f"for example {example(scope)}",
            help=f"Add and subtract codes, and multiply them by numbers. {HELP}",
        )
        query = {PARAM: text or ""}
        try:
            result = evaluate(text or "", scope)
        except ExpressionError as error:
            show_error(error)
            st.button("Use an example", key="expression_example", type="tertiary", on_click=_use_example, args=(scope,))
            marks = MapMarks(address=query)
        else:
            shown = _sum(data, result)
            _facts(data, result)
            neighbour_tiles(
                data,
                result.code,
                key="expression_neighbours",
                on_pick=lambda row: selection.choose_row(data, row, "the neighbours"),
            )
            strip_menu(
                "expression",
                f"{data.model.info.name}-sum",
                caption_of(data.model.info, f"{text}, decoded, and the images with the nearest codes"),
                lambda: shown,
                beside=lambda: neighbours_strip(data, result.code),
                table=lambda: code_csv(data.model, result.code),
                quiet=True,
            )
            marks = MapMarks(rings(data, result), address=query)
        saved_list(set(scope.names))
        return marks


def _use_example(scope: Scope) -> None:
    st.session_state[KEY] = example(scope)


def example(scope: Scope) -> str:
    """Suggests an expression to begin with, of what this model has."""
    means = [reference.text for reference in references(scope) if reference.kind == "mean"]
    if scope.items.shape[1] > 2 and len(means) == 10 and {"mean(7)", "mean(1)", "mean(4)"} <= set(means):
        return "mean(7) - mean(1) + mean(4)"
    blended = means if len(means) > 1 else items(scope)
    return " + ".join(f"0.5*{name}" for name in blended[:2]) if len(blended) > 1 else blended[0]


def _sum(data: EncodedDataset, result: Result) -> list[tuple[str, Image.Image]]:
    """Draws the sum in pictures, and gives those: the ingredients with their weights and signs, and the result."""
    shown = result.terms if len(result.terms) <= _MOST_INGREDIENTS else ()
    alone = len(shown) == 1 and shown[0].weight == 1
    decoded = data.decode(torch.stack([*(term.code for term in shown), result.code]))
    parts, kept, named = [], [], saved_names.everything()
    if not alone:
        for i, term in enumerate(shown):
            sign = "−" if term.weight < 0 else ("+" if i else "")
            size = abs(term.weight)
            weight = "" if size == 1 else f"{size:.4g} ×"
            name = term.reference.text
            if isinstance(named.get(name), SavedDirection):  # a difference of codes is no code to look at
                picture = html.arrow(name)
            else:
                picture = html.image(pictures.single(decoded[i]), name, alt=f"decoded {name}")
                kept.append((f"{sign} {weight} {name}".strip(), pictures.single(decoded[i])))
            parts.append((f"{sign} {weight}".strip(), picture))
    answer = html.image(
        pictures.single(decoded[-1]),
        "result",
        alt="the decoded result",
        code=html.code_text(result.code),
    )
    parts.append(("=" if parts else "", answer))
    st.html(html.equation(parts))
    return [*kept, ("result", pictures.single(decoded[-1]))]


def _facts(data: EncodedDataset, result: Result) -> None:
    facts = []
    found = computed.density(data)
    if found is not None:
        share = html.most(1 - float(found.share(result.code[None])[0]))
        facts.append(("In an emptier region than", f"{share} of the real images", _DENSITY_HELP))
    if any(term.reference.kind == "upload" for term in result.terms) and (uploaded := upload.current()) is not None:
        facts.append(("upload", uploaded.name, "The picture you uploaded last"))
    st.html(html.facts(facts))
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Use this code",
            key="expression_use",
            help="Choose the result, as a click on the map would: it becomes `here`, on Explore too",
            on_click=lambda: selection.choose_code(data, result.code, "an expression"),
        )
        with st.popover("Keep it", key="code_keep_box", help="Give it a name, to walk from it or add it later"):
            code = tuple(result.code.tolist())
            name_to_save("code", "spot", lambda _: SavedCode(data.model.info.id, code))


_DENSITY_HELP = (
    "Of the real images, how many have their codes in more crowded places than this one. Where almost all do, the "
    "decoder has seen hardly any image like this."
)
