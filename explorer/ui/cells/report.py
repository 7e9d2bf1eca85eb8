"""How well screening does on patients that nothing was fitted on: calibration, ROC, areas with their intervals."""

from __future__ import annotations

import streamlit as st

from explorer.cells import figures
from explorer.cells.screening import Report, report
from explorer.cells.screening.verdicts import HEALTHY, INFECTED
from explorer.files.tables import table_text
from explorer.ui import html
from explorer.ui.downloads import download_menu
from explorer.ui.glossary import meaning

ELBOS = "difference of the ELBOs"
REPORT = "cells_report_open"
_PLAIN = {"displayModeBar": False}


def measured() -> Report | None:
    """Reads the report that comes with the program; None where it is missing or damaged."""
    try:
        return report()
    except (OSError, ValueError, KeyError, TypeError):
        return None


_ROC_HELP = (
    "Each point of a curve is a threshold: how many of the infected cells are above it, and how many of the healthy "
    f"ones. {meaning('Area under the ROC')}"
)


def report_panel() -> None:
    """Draws the report, closed."""
    found = measured()
    with st.expander("Calibration and ROC", key=REPORT, on_change="rerun"):
        if found is None:
            st.caption("The measurements on test patients are missing from this installation.")
            return
        st.caption(
            f"Measured on {found.cells:,} real cells of {found.patients:,} patients, none of whom was used for "
            "training or calibration."
        )
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown("###### Are the probabilities calibrated?", help=meaning("Calibrated"))
            st.plotly_chart(figures.calibration(found.calibration), key="cells_upload_calibration", config=_PLAIN)
            st.caption(
                f"{_middle(found)} Brier score {found.brier:.3f}: the mean squared error of the probability; always "
                f"saying 50% would score 0.25. {html.percent(found.unlike)} of these real cells are flagged as unlike "
                "any in training."
            )
        with right:
            st.markdown("###### Infected cells found, against false alarms", help=_ROC_HELP)
            curves = {name: method.roc for name, method in found.methods.items()}
            st.plotly_chart(figures.roc(curves), key="cells_upload_roc", config=_PLAIN)
        rows = [[name, _interval(m.auc), _interval(m.patient_auc)] for name, m in found.methods.items()]
        st.html(html.table(["area under the ROC (95% interval)", "by cell", "by patient"], rows))
        ends = ["", ", low", ", high"]
        header = ["method", *(f"{of}{end}" for of in ("AUC by cell", "AUC by patient") for end in ends)]
        download_menu(
            "cells_report",
            "cells-screening",
            f"Calibration and ROC of screening, measured on {found.cells:,} real cells of {found.patients:,} patients, "
            "none of whom was used for training or calibration; areas with 95% bootstrap intervals.",
            figure=lambda: [figures.calibration(found.calibration), figures.roc(curves)],
            table=lambda: table_text(header, [[name, *m.auc, *m.patient_auc] for name, m in found.methods.items()]),
        )


def _middle(found: Report) -> str:
    """In a sentence."""
    between = f"between {HEALTHY:.0%} and {INFECTED:.0%}"
    middle = found.middle
    if middle is None:
        return f"No cell has a probability {between}."
    return (
        f"Of the {middle.cells:,} cells with a probability {between}, {middle.infected:.0%} are infected; their mean "
        f"probability is {middle.said:.0%}."
    )


def doubt() -> str:
    """Says what a probability that is called uncertain is worth, with figures where they were measured."""
    text = f"Probabilities between {HEALTHY:.0%} and {INFECTED:.0%} are often wrong"
    found = measured()
    if found is None or found.middle is None:
        return f"{text}."
    middle = found.middle
    return (
        f"{text}: of {middle.cells:,} cells of test patients that had one, {middle.wrong:.0%} lay on the wrong side of "
        "50%."
    )


def _interval(area: tuple[float, float, float]) -> str:
    value, low, high = area
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
