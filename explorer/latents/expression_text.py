"""The text of an expression, read from left to right, and what is wrong with it."""

from __future__ import annotations

import re
from typing import NoReturn

QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}

_SPACE = re.compile(r"\s*")
_MEANT = {"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/"}
_POINTER_WIDTH = 60


class ExpressionError(ValueError):
    """An expression cannot be read or computed: one sentence, and where in the text.

    `start` and `end` count characters of the text, `end` exclusive; only the empty text has an empty place. Where the
    text names a code that is not there, `missing` is its kind, such as `here`: see `Reference`.
    """

    def __init__(self, sentence: str, text: str, start: int, end: int, *, missing: str = "") -> None:
        super().__init__(sentence)
        self.text, self.start, self.end, self.missing = text, start, end, missing

    def pointer(self) -> str:
        """The text, or the part of a long one around the place, over a line of carets under the place.

        Nothing for a text of spaces.
        """
        if not self.text.strip():
            return ""
        first = 0
        if len(self.text) > _POINTER_WIDTH:
            first = max(0, min(self.start - _POINTER_WIDTH // 3, len(self.text) - _POINTER_WIDTH))
        last = min(first + _POINTER_WIDTH, len(self.text))
        shown = "".join(c if c.isprintable() else " " for c in self.text[first:last])
        before, after = "…" if first > 0 else "", "…" if last < len(self.text) else ""
        carets = "^" * max(1, min(self.end, last) - self.start)
        return f"{before}{shown}{after}\n{' ' * (len(before) + self.start - first)}{carets}"


def shortened(text: str, most: int = 40) -> str:
    """A person's own words in a sentence: cut where they are long, and in one line."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


class Cursor:
    """A place `at` in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def next(self) -> str:
        """Skip spaces; the character there, or nothing at the end."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def operator(self) -> str:
        c = self.next()
        c = _MEANT.get(c, c)
        return c if c and c in "+-*/" else ""

    def take(self) -> int:
        self.at += 1
        return self.at - 1

    def quoted(self, closing: str) -> str:
        start = self.take()
        name = ""
        while (end := self.text.find(closing, self.at)) >= 0:
            name += self.text[self.at : end]
            self.at = end + 1
            if self.text[self.at : self.at + 1] != closing:
                return name
            name += closing
            self.at += 1
        self.fail("This quotation mark is never closed.", start, start + 1)

    def up_to_the_bracket(self, opening: int) -> str:
        end = self.text.find(")", self.at)
        if end < 0:
            self.fail("This bracket is never closed.", opening, opening + 1)
        inside, self.at = self.text[self.at : end].strip(), end + 1
        return inside

    def fail(self, sentence: str, start: int, end: int) -> NoReturn:
        raise ExpressionError(sentence, self.text, start, end)
