"""The browser's part of the components, read from the files beside them: there is no build step."""

from __future__ import annotations

from pathlib import Path

__all__ = ["css", "script"]

_HERE = Path(__file__).parent
_SHARED = "shared/elements"


def css(name: str) -> str:
    """The style sheet of a component."""
    return (_HERE / name / "style.css").read_text(encoding="utf-8")


def script(*parts: str) -> str:
    """One ES module from files of this folder, named without `.js`, in this order, after what all components share.

    Top-level names are common to the parts and must be unique among them; only the last part exports anything.
    """
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in (_SHARED, *parts))
