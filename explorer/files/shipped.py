"""Where the program lies, in a clone and in an installation alike: its parts that are no package, and its Python."""

from __future__ import annotations

import os
import shlex
import sys
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """Returns the path of `app.py`, `pages` or `checkpoints`.

    They lie at the top of the repository, and in `explorer/_app` once a wheel has been installed (pyproject.toml).
    """
    installed = _PACKAGE / "_app" / name
    return installed if installed.exists() else _PACKAGE.parent / name


def command(words: str) -> str:
    """Words a call of the command line that works in any terminal: by this very Python, relative to the folder."""
    return f"{_python(sys.executable, os.getcwd())} -m explorer {words}"


@cache
def _python(executable: str, folder: str) -> str:
    path = Path(executable)
    return shlex.quote(str(path.relative_to(folder) if path.is_relative_to(folder) else path))
