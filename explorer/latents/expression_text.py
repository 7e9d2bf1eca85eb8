"""What is wrong with the text of an expression, and where."""

from __future__ import annotations

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
        """Draws the text, or the part of a long one around the place, over a line of carets under the place.

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
    """Shortens a person's own words for a sentence: cut where they are long, and in one line."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"
