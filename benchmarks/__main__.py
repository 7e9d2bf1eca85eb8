"""Run every benchmark, or those named, such as `python -m benchmarks training arithmetic`."""

import sys

from benchmarks import arithmetic, browser, cells, reconstruct, reporting, screen, screening, training

ALL = {
    "training": training.main,
    "reporting": reporting.main,
    "browser": browser.main,
    "screen": screen.main,
    "arithmetic": arithmetic.main,
    "reconstruct": reconstruct.main,
    "cells": cells.main,
    "screening": screening.main,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(ALL):
        print(f"== {name}")
        ALL[name]()
