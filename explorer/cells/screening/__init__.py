"""Screening blood cells for malaria by what generative models of healthy and infected cells cannot draw."""

from __future__ import annotations

from explorer.cells.screening.detector import Detector, pooled, residual_channels, residual_score
from explorer.cells.screening.files import FileScreening, screen_files, screen_into, screening
from explorer.cells.screening.report import Method, Middle, Report, report
from explorer.cells.screening.screener import UNLIKE, Calibration, Examination, Screener, Screening, screen, screener
from explorer.cells.screening.typicality import Typicality

__all__ = [
    "UNLIKE",
    "Calibration",
    "Detector",
    "Examination",
    "FileScreening",
    "Method",
    "Middle",
    "Report",
    "Screener",
    "Screening",
    "Typicality",
    "pooled",
    "report",
    "residual_channels",
    "residual_score",
    "screen",
    "screen_files",
    "screen_into",
    "screener",
    "screening",
]
