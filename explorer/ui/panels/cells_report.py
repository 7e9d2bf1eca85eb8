"""How well screening does on patients that nothing was fitted on: calibration, ROC, areas with their intervals."""

from __future__ import annotations

import streamlit as st

from explorer import figures_cells
from explorer.screening import Report, report
from explorer.ui import html

ELBOS = "difference of the ELBOs"
_PLAIN = {"displayModeBar": False}


def measured() -> Report | None:
    """The report that comes with the program, or None where it is missing or damaged."""
    try:
        return report()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def report_panel() -> None:
    """Draw it, closed."""
    found = measured()
    with st.expander("Calibration and ROC"):
        if found is None:
            st.caption("The measurements on test patients are missing from this installation.")
            return
        st.caption(
            f"Measured on {found.cells:,} real cells of {found.patients:,} patients, of whom nothing was used for "
            "training or calibration."
        )
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown("###### Can a probability be taken at its word?")
            st.plotly_chart(figures_cells.calibration(found.calibration), key="cells_upload_calibration", config=_PLAIN)
            st.caption(
                f"{found.middle} Brier score {found.brier:.3f}: the mean squared error of the probability, 0.25 for "
                f"always saying 50%. {html.percent(found.unlike)} of these real cells are flagged as unlike any in "
                "training."
            )
        with right:
            st.markdown("###### Infected cells found, against false alarms")
            curves = {name: method.roc for name, method in found.methods.items()}
            st.plotly_chart(figures_cells.roc(curves), key="cells_upload_roc", config=_PLAIN)
        rows = [[name, _interval(m.auc), _interval(m.patient_auc)] for name, m in found.methods.items()]
        st.html(html.table(["area under the ROC (95% interval)", "by cell", "by patient"], rows))


def _interval(area: tuple[float, float, float]) -> str:
    value, low, high = area
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
