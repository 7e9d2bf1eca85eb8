"""A tour as data: steps over the real screens, each of which waits until a person has done what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing to do, and what it shows.

    Attributes:
        page: the screen that it is done on.
        do: what to do, one or two sentences of Markdown.
        done: whether it has been done, by the session's state alone.
        seen: what was seen and why, in three sentences or fewer.
        choices: by a widget's key, what that screen has to show for it.
        formula: what lies behind it, in Markdown with LaTeX; shown a click away.
        gone: a sentence where what the step is about is not on this machine, else nothing.
        shows: key of the part of the screen that `seen` speaks of; it is scrolled into sight.
    """

    page: Path
    do: str
    done: Callable[[], bool]
    seen: str
    choices: Mapping[str, Any] = field(default_factory=dict)
    formula: str = ""
    gone: Callable[[], str] = str
    shows: str = ""


@dataclass(frozen=True)
class Tour:
    """A story in steps. `name` stands in addresses; `summary` says in a sentence what one will understand."""

    name: str
    title: str
    summary: str
    steps: Sequence[Step]
