"""Run every benchmark, or those named, such as `python -m benchmarks training arithmetic`.

`python -m benchmarks gpu` and `python -m benchmarks faults` have options of their own, and are not among those that
run by default: one needs a GPU, the other takes an hour.
"""

import importlib
import sys

ALL = (
    "training",
    "reporting",
    "browser",
    "maps",
    "comparing",
    "screen",
    "arithmetic",
    "reconstruct",
    "cells",
    "screening",
)

if __name__ == "__main__":
    if sys.argv[1:2] in (["gpu"], ["faults"]):
        sys.exit(importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:]))
    for name in sys.argv[1:] or ALL:
        print(f"== {name}")
        importlib.import_module(f"benchmarks.{name}").main()
