"""What a code is called in an expression: `mean(7)`, `item(42)`, `draw(3)`, `here`, `upload`, `origin`, or a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["mean", "item", "draw", "here", "upload", "origin", "name"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_NAME = 40
LARGEST_SEED = 2**32 - 1
WITH_BRACKETS = {"mean": "mean(7)", "item": "item(42)", "draw": "draw(3)"}  # each with an example
ALONE = ("here", "upload", "origin")
NOT_FINITE = ("inf", "infinity", "nan")  # words that a person means as numbers

_BARE_CLASS = re.compile(r"\w+")


@dataclass(frozen=True)
class Reference:
    """One code by its name in an expression.

    `argument` is the class's name for `mean`, the item's index in its data set for `item`, the seed for `draw`,
    the name of a direction or a group for `name`, and None for the others.

    Raises:
        ValueError: the argument does not go with the kind.
    """

    kind: Kind
    argument: str | int | None = None

    def __post_init__(self) -> None:
        a = self.argument
        if self.kind == "name":
            fits = isinstance(a, str) and NAME.fullmatch(a) is not None and not _reserved(a)
        elif self.kind == "mean":
            fits = isinstance(a, str)
        elif self.kind == "item":
            fits = isinstance(a, int) and not isinstance(a, bool) and a >= 0
        elif self.kind == "draw":
            fits = isinstance(a, int) and not isinstance(a, bool) and 0 <= a <= LARGEST_SEED
        else:
            fits = a is None
        if not fits:
            raise ValueError(f"{a!r} is not an argument for {self.kind}")

    @property
    def text(self) -> str:
        """The spelling in an expression, such as `mean(7)`, `mean("Ankle boot")` or `smile`.

        A class is quoted unless it is one word; a quotation mark in its name is doubled.
        """
        if self.kind == "name":
            return str(self.argument)
        if self.argument is None:
            return self.kind
        argument = str(self.argument)
        if self.kind == "mean" and not _BARE_CLASS.fullmatch(argument):
            argument = '"' + argument.replace('"', '""') + '"'
        return f"{self.kind}({argument})"


def check_name(name: str) -> None:
    """Checks that a direction or a group can be called so in expressions.

    Raises:
        ValueError: it is no identifier, is too long, or means something else in an expression.
    """
    if not name:
        raise ValueError("Type a name, such as smile.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"A name has at most {LONGEST_NAME} characters, and this one has {len(name)}.")
    if not NAME.fullmatch(name):
        raise ValueError("A name is made of the letters a to z, digits and _, and does not begin with a digit.")
    if _reserved(name):
        raise ValueError(f"“{name}” means something else in an expression; choose another name.")


def _reserved(name: str) -> bool:
    return name.lower() in (*WITH_BRACKETS, *ALONE, *NOT_FINITE)
