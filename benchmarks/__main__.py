"""Run every benchmark, or those named, such as `python -m benchmarks training arithmetic`.

`python -m benchmarks gpu` has options of its own, and needs a GPU: it is not among those that run by default.
"""

import importlib
import sys

ALL = ("training", "reporting", "browser", "screen", "arithmetic", "reconstruct", "cells", "screening")

if __name__ == "__main__":
    if sys.argv[1:2] == ["gpu"]:
        sys.exit(importlib.import_module("benchmarks.gpu").main(sys.argv[2:]))
    for name in sys.argv[1:] or ALL:
        print(f"== {name}")
        importlib.import_module(f"benchmarks.{name}").main()
