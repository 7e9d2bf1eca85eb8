"""What a sweep has found: each measure over the setting that was varied, with the spread over seeds."""

from __future__ import annotations

from dataclasses import fields

import streamlit as st

from explorer.evaluation.comparison import TERMS, measured
from explorer.evaluation.measures import MEASURES
from explorer.evaluation.sweeps import Sweep, find_sweeps
from explorer.figures import sweep_figure
from explorer.files.tables import table_text
from explorer.training.config import Recipe
from explorer.ui import access, address, page_switch
from explorer.ui.compare.models import MOST
from explorer.ui.downloads import download_menu
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.pickers import show_labels

_SWEEP = "compare_sweep"
_LABELS = {f.name: str(f.metadata["label"]) for f in fields(Recipe) if f.metadata}


def sweeps_panel() -> dict[str, str]:
    """Draws the choice of a sweep and its charts; returns what the URL says of it."""
    page_switch.hand_over()
    found = {sweep.ident: sweep for sweep in find_sweeps(access.usable().values())}
    if not found:
        st.info(
            "There is no sweep yet: two models or more that differ in one number alone. Start one on **Train**, under "
            "All options, or by `python -m explorer sweep --preset mlp-2d --over beta=0.1,1,10 --out runs/mine`."
        )
        return {}
    address.restore_choice("sweep", _SWEEP, list(found), "the sweep", usual=next(iter(found)))
    labels = {ident: _label(sweep, sweep.beside(found.values())[0]) for ident, sweep in found.items()}
    show_labels(_SWEEP, labels)
    chosen = st.selectbox("Sweep", list(found), format_func=labels.__getitem__, key=_SWEEP, persist_state="session")
    sweep = found[chosen]
    second, others = sweep.beside(found.values())
    lines = {f"{_name(second)} {value:g}": other for value, other in others.items()} or {"": sweep}
    charts = {}
    for name, measure in {**TERMS, **MEASURES}.items():
        points = {line: figures for line, of in lines.items() if len(figures := of.figures(name)) > 1}
        if points:
            title = f"{measure.label}, {measure.unit}" if measure.unit else measure.label
            charts[name] = sweep_figure(points, _name(sweep.setting), title)
    count = sum(len(infos) for of in lines.values() for infos in of.models.values())
    each = f", one for each value of {_name(second)}" if second else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        text = f"A dot a model, {count} in all; a line joins the means of the seeds{each}."
        st.caption(text, help=_HELP, width="content")
        st.button("Compare these models", key="compare_sweep_models", on_click=_compare, args=(sweep,))
    for first in range(0, len(charts), 2):
        for name, column in zip([*charts][first : first + 2], st.columns(2, gap="medium"), strict=False):
            with column:
                st.plotly_chart(charts[name], key=f"compare_sweep_{name}", config={"displayModeBar": False})
    header = ["model", _name(sweep.setting), *([_name(second)] if second else []), "seed", *charts]
    download_menu(
        "compare_sweep",
        "sweep",
        f"{labels[chosen]}.",
        figure=lambda: [*charts.values()],
        table=lambda: table_text(
            header,
            [
                [i.id, value, *([at] if second else []), i.config.get("seed"), *(measured(i, name) for name in charts)]
                for at, of in (others or {0.0: sweep}).items()
                for value, infos in of.models.items()
                for i in infos
            ],
        ),
    )
    return {"sweep": chosen}


_HELP = meaning("ELBO", "Squared error", "Active latent", "Seed")


def _compare(sweep: Sweep) -> None:
    """As a callback: puts one model of each value side by side."""
    st.session_state["compare_models"] = [of[0].id for of in sweep.models.values()][:MOST]
    st.session_state[page_switch.COMPARE_PART] = "pictures"
    page_switch.refresh()


def _name(setting: str) -> str:
    return _LABELS.get(setting, setting)


def _label(sweep: Sweep, second: str) -> str:
    first = next(iter(sweep.models.values()))[0]
    values = ", ".join(f"{value:g}" for value in sweep.models)
    at = f" · {_name(second)} {sweep.fixed[second]:g}" if second else ""
    seeds = len({info.config.get("seed") for of in sweep.models.values() for info in of})
    of = f"{first.trained_on} · {first.config.get('preset', '')}"
    return plain(f"{_name(sweep.setting)} {values}{at} · {of} · {seeds} seed{'s' if seeds > 1 else ''}")
