"""The plotly.js that the map loads: the installed one, without the kinds of trace that the map does not draw by it.

Its bundle ends with one call that registers 47 kinds of trace, and with that runs the code of each: two thirds of the
time that a browser is busy with plotly.js before the first map. What nobody registers is never run, and the one kind
that the map has, an invisible `scatter`, the core registers by itself.
"""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["FILE", "source", "unregistered"]

FILE = "plotly.min.js"
_END = 100_000  # characters, in which the registering call is
_REGISTERED = re.compile(r"\.register\(\[((?:[\w$]+\(\),?){9,})\]\)")


def source() -> str:
    """Reads the script from the installed plotly."""
    return unregistered(files("plotly").joinpath("package_data", FILE).read_text("utf-8"))


def unregistered(bundle: str) -> str:
    """Returns the bundle without what it registers at its end; as it is where plotly has come to build it otherwise."""
    *_, found = [None, *_REGISTERED.finditer(bundle, max(0, len(bundle) - _END))]
    return bundle if found is None else bundle[: found.start(1)] + bundle[found.end(1) :]
