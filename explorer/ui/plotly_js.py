"""The plotly.js that the map loads: the installed one, with no other kind of trace than the map's.

Its bundle ends with one call that registers 47 kinds of trace, and with that runs the code of each: two thirds of the
time that a browser is busy with plotly.js before the first map. What nobody registers is never run.
"""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["FILE", "registering", "source"]

FILE = "plotly.min.js"
_TRACE = "scattergl"  # the map's; the core registers `scatter` by itself
_STEPS = 2  # from the module that names the trace to what is registered: its base, the trace, the library's entry
_END = 100_000  # characters, in which the registering call is

_REGISTERED = re.compile(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\)")
_MODULE = re.compile(r"var ([\w$]+)=[\w$]+\(\([\w$,]*\)=>\{")  # a function that is run when the module is first called


def source() -> str:
    """Reads the script from the installed plotly."""
    return registering(files("plotly").joinpath("package_data", FILE).read_text("utf-8"), _TRACE)


def registering(bundle: str, trace: str) -> str:
    """Returns the bundle with that one kind of trace; as it is where plotly has come to build it in another way."""
    *_, registered = [None, *_REGISTERED.finditer(bundle, max(0, len(bundle) - _END))]
    leading = {_module_at(bundle, found.start()) for found in re.finditer(f'name:"{trace}"', bundle)}
    for _ in range(_STEPS):
        calls = re.compile("|".join(rf"{re.escape(name)}\(\)" for name in leading if name) or "$^")
        leading |= {_module_at(bundle, found.start()) for found in calls.finditer(bundle)}
    kept = [] if registered is None else [call for call in registered[1].split(",") if call[:-2] in leading]
    if registered is None or not kept:
        return bundle
    return bundle[: registered.start(1)] + ",".join(kept) + bundle[registered.end(1) :]


def _module_at(bundle: str, position: int) -> str:
    """The name of the module that a place in the bundle is in; empty before the first."""
    start = position
    while (start := bundle.rfind("var ", 0, start)) >= 0:
        if module := _MODULE.match(bundle, start):
            return module[1]
    return ""
