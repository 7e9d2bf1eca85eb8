"""Where the parts of the program that are no Python package lie: in a clone and in an installation alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """Returns the path of `app.py`, `pages` or `checkpoints`.

    They lie at the top of the repository, and in `explorer/_app` once a wheel has been installed (pyproject.toml).
    """
    installed = _PACKAGE / "_app" / name
    return installed if installed.exists() else _PACKAGE.parent / name
