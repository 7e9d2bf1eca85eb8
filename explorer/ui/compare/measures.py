"""The table of measures, which says what may be ranked, and takes itself along as CSV, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from explorer.evaluation.comparison import Figure, compare, to_latex, to_markdown
from explorer.files.tables import table_text
from explorer.ui.cache import CheckpointInfo
from explorer.ui.compare.epochs import EpochInfo
from explorer.ui.downloads import File, download_menu
from explorer.ui.markdown import plain

_BEST, _UNRANKED = "font-weight: bold; color: #2aa876", "color: #8c8c8c; font-style: italic"


def measures_panel(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Draws the table with what it leaves unranked; the address has nothing to say of it."""
    figures = compare(models)
    names = [info.id for info in models]
    frame = pd.DataFrame({figure.title: figure.values for figure in figures}, index=names, dtype=float)
    with st.container(key="compare_table"):
        st.dataframe(
            _marked(frame, figures),
            placeholder="–",
            column_config={
                figure.title: st.column_config.NumberColumn(format=_format(figure), help=_help(figure))
                for figure in figures
            },
        )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(
            "**Best in bold**, among models that may be ranked; the others are grey. Click a column's name to sort.",
            width="content",
        )
        _downloads(names, figures)
    unranked = _unranked(names, figures)
    if unranked:
        with st.expander(f"Why {len(unranked)} of {len(figures)} columns are not ranked throughout"):
            st.markdown("\n".join(f"- {text}" for text in unranked))
    missing = [info.id for info in models if not info.metrics.get("measures") and not isinstance(info, EpochInfo)]
    if missing:
        st.caption(
            f"Only measured at the end of training: {plain(', '.join(missing))}. For the other columns run "
            f"`python -m explorer evaluate {missing[0].removeprefix('runs/')} --k 100 --save`."
        )
    return {}


def _marked(frame: pd.DataFrame, figures: Sequence[Figure]) -> Styler:
    def styles(column: pd.Series) -> list[str]:
        figure = figures[frame.columns.get_loc(column.name)]
        return [_BEST if i in figure.best else _UNRANKED if i in figure.unranked else "" for i in range(len(frame))]

    return frame.style.apply(styles, axis=0)


def _format(figure: Figure) -> str:
    largest = max((abs(value) for value in figure.values if value is not None), default=0.0)
    if all(value is None or value == round(value) for value in figure.values):
        return "%d"
    return "%.1f" if largest >= 100 else "%.2f" if largest >= 10 else "%.4f"


def _help(figure: Figure) -> str:
    better = f" {figure.measure.better.capitalize()} is better." if figure.measure.better else ""
    return f"{figure.measure.help[:1].upper()}{figure.measure.help[1:]}.{better}"


def _unranked(names: Sequence[str], figures: Sequence[Figure]) -> list[str]:
    """A line a column in which something is not ranked: each reason with its models."""
    lines = []
    for figure in figures:
        by_reason: dict[str, list[str]] = {}
        for i, reason in figure.unranked.items():
            by_reason.setdefault(reason, []).append(plain(names[i]))
        if by_reason and figure.measure.better:
            told = "; ".join(f"{', '.join(of)}: {reason}" for reason, of in by_reason.items())
            lines.append(f"**{figure.measure.label}** – {told}")
    return lines


def _downloads(names: Sequence[str], figures: Sequence[Figure]) -> None:
    header = ["model", *(figure.title for figure in figures)]
    rows = [[name, *(figure.values[i] for figure in figures)] for i, name in enumerate(names)]
    more = [
        File("Markdown", ".md", "text/markdown", lambda: to_markdown(names, figures).encode(), "A table for a README"),
        File("LaTeX", ".tex", "application/x-tex", lambda: to_latex(names, figures).encode(), "A table for a paper"),
    ]
    caption = f"Measures of {', '.join(names)} on their test sets."
    download_menu("compare_measures", "comparison", caption, table=lambda: table_text(header, rows), more=more)
