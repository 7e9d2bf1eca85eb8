"""From the text of an expression to weights of codes, by recursive descent; nothing is ever evaluated as Python.

The grammar, with spaces allowed between any two tokens:

    sum      = product {("+" | "-") product}
    product  = signed {("*" | "/") signed}
    signed   = {"+" | "-"} operand
    operand  = number | "(" sum ")" | "mean" "(" class ")" | "item" "(" digits ")" | "draw" "(" digits ")"
             | "here" | "upload" | "origin" | name
    class    = any text without brackets | quoted text, in which a doubled quotation mark stands for one

The signs that a phone or a word processor writes (−, –, ×, ·, ÷ and curly quotes) count as what they look like, and
words with a meaning are taken in any case. A number times a code needs its `*`: whether `1/2 mean(3)` would be a half
of the mean or one over twice of it is not to be guessed.

Every value is a number or a linear combination of codes, so parsing is already computing: each operation works on
numbers or on the weights, and what it cannot work on is an error at its place.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn, cast

from explorer.latents.expression_text import QUOTES, Cursor, shortened
from explorer.latents.references import ALONE, LARGEST_SEED, NAME, NOT_FINITE, WITH_BRACKETS, Kind, Reference

MOST_CHARACTERS = 1000
DEEPEST = 50  # brackets within brackets: far from Python's limit of recursion

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SUM_OF_CLASSES = re.compile(r"[0-9]+(?:\s*[+−–-]\s*[0-9]+)*")  # what a person types who takes 7 for mean(7)

_Value = float | dict[Reference, float]  # a number, or the weights of codes in order of appearance


@dataclass(frozen=True)
class Part:
    """A reference with its weight, and where in the text it stands first."""

    weight: float
    reference: Reference
    start: int
    end: int


def parts_of(text: str) -> tuple[Part, ...]:
    """Read an expression as a weighted sum of codes: a part for each distinct reference in order of appearance.

    Raises:
        ExpressionError: the text is no expression for a code.
    """
    parser = _Parser(text)
    weights = parser.all()
    return tuple(Part(weight, reference, *parser.places[reference]) for reference, weight in weights.items())


@dataclass(frozen=True)
class _Before:
    """What an operand follows: an operator, a sign or an opening bracket; nothing at the beginning of the text."""

    symbol: str
    start: int


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.places: dict[Reference, tuple[int, int]] = {}

    def all(self) -> dict[Reference, float]:
        if len(self.text) > MOST_CHARACTERS:
            sentence = f"An expression has at most {MOST_CHARACTERS:,} characters, and this one has {len(self.text):,}."
            self.fail(sentence, MOST_CHARACTERS, len(self.text))
        if not self.next():
            self.fail("Type an expression, such as mean(7) - mean(1) + mean(4).", 0, len(self.text))
        value = self._sum(_Before("", 0), 0)
        if self.next():
            self._unexpected(value)
        if isinstance(value, float):
            words = self.text.strip()
            start = self.text.index(words)
            end = start + len(words)
            hint = "use it to scale one, as in 0.5*mean(3)"
            if len(words) <= 40 and _SUM_OF_CLASSES.fullmatch(words):
                hint = "for classes write " + _NUMBER.sub(r"mean(\g<0>)", words)
            self.fail(f"This is a number and not a code; {hint}.", start, end)
        return value

    def _sum(self, before: _Before, depth: int) -> _Value:
        left = self._product(before, depth)
        while (symbol := self.operator()) in ("+", "-"):
            place = self.take()
            right = self._product(_Before(symbol, place), depth)
            left = self._checked(self._added(left, right if symbol == "+" else _scaled(right, -1.0), place), place)
        return left

    def _product(self, before: _Before, depth: int) -> _Value:
        left = self._signed(before, depth)
        while (symbol := self.operator()) in ("*", "/"):
            place = self.take()
            right = self._signed(_Before(symbol, place), depth)
            combined = self._multiplied if symbol == "*" else self._divided
            left = self._checked(combined(left, right, place), place)
        return left

    def _signed(self, before: _Before, depth: int) -> _Value:
        negative = False
        while (symbol := self.operator()) in ("+", "-"):
            negative ^= symbol == "-"
            before = _Before(symbol, self.take())
        value = self._operand(before, depth)
        return _scaled(value, -1.0) if negative else value

    def _operand(self, before: _Before, depth: int) -> _Value:
        c = self.next()
        if c == "(":
            return self._bracketed(depth + 1)
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            value = float(number[0])
            if not math.isfinite(value):
                self.fail("This number is too large to compute with.", *number.span())
            return value
        if word := NAME.match(self.text, self.at):
            return {self._reference(word): 1.0}
        if c in ("", ")") or self.operator():
            self._missing(before, c)
        self._unknown(c)

    def _bracketed(self, depth: int) -> _Value:
        place = self.take()
        if depth > DEEPEST:
            self.fail(f"Brackets can be nested {DEEPEST} deep, and this is one too many.", place, place + 1)
        value = self._sum(_Before("(", place), depth)
        c = self.next()
        if not c:
            self.fail("This bracket is never closed.", place, place + 1)
        if c != ")":
            self._unexpected(value)
        self.at += 1
        return value

    def _reference(self, word: re.Match[str]) -> Reference:
        start, self.at = word.span()
        kind = word[0].lower()
        c = self.next()
        if kind in NOT_FINITE:
            self.fail(f"Numbers must be finite, and “{word[0]}” is not.", *word.span())
        if c == "(":
            if kind not in WITH_BRACKETS:
                name = shortened(word[0])
                self.fail(f"Only mean, item and draw take brackets, and “{name}” does not.", self.at, self.at + 1)
            argument = self._class() if kind == "mean" else self._whole_number(kind)
            reference = Reference(cast(Kind, kind), argument)
        elif kind in WITH_BRACKETS:
            if c and c in "[{":
                self._unknown(c)
            what = {"mean": "a class", "item": "an item's number", "draw": "a seed"}[kind]
            self.fail(f"“{kind}” needs {what} in brackets, as in {WITH_BRACKETS[kind]}.", *word.span())
        else:
            self.at = word.end()
            reference = Reference(cast(Kind, kind)) if kind in ALONE else Reference("name", word[0])
        self.places.setdefault(reference, (start, self.at))
        return reference

    def _class(self) -> str:
        opening = self.take()
        c = self.next()
        if c in QUOTES and c:
            name = self.quoted(QUOTES[c])
            if not (c := self.next()):
                self.fail("This bracket is never closed.", opening, opening + 1)
            if c != ")":
                self.fail("After the quoted class only a closing bracket can stand.", self.at, self.at + 1)
            self.at += 1
            return name
        name = self.up_to_the_bracket(opening)
        if "(" in name:
            place = self.text.index("(", opening + 1)
            self.fail(
                "Close the first bracket before this one; a class with brackets in its name goes in quotes.",
                place,
                place + 1,
            )
        if not name:
            self.fail("Name a class in the brackets, as in mean(7).", opening, self.at)
        return name

    def _whole_number(self, kind: str) -> int:
        opening = self.take()
        digits = self.up_to_the_bracket(opening)
        largest = LARGEST_SEED if kind == "draw" else math.inf
        if not (digits.isascii() and digits.isdigit() and int(digits) <= largest):
            up = f"from 0 to {LARGEST_SEED}" if kind == "draw" else "from 0 up"
            sentence = f"“{kind}” takes a whole number {up}, as in {WITH_BRACKETS[kind]}."
            self.fail(sentence, opening, self.at)
        return int(digits)

    def _added(self, left: _Value, right: _Value, place: int) -> _Value:
        if isinstance(left, float) and isinstance(right, float):
            return left + right
        if isinstance(left, dict) and isinstance(right, dict):
            return {k: left.get(k, 0.0) + right.get(k, 0.0) for k in left | right}
        number = abs(left if isinstance(left, float) else cast(float, right))
        a_class = number.is_integer() and number < 1000
        hint = f"if {number:.0f} is a class, write mean({number:.0f})" if a_class else "only * and / take a number"
        self.fail(f"A code and a number cannot be added or subtracted; {hint}.", place, place + 1)

    def _multiplied(self, left: _Value, right: _Value, place: int) -> _Value:
        if isinstance(right, float):
            return _scaled(left, right)
        if isinstance(left, float):
            return _scaled(right, left)
        self.fail("Two codes cannot be multiplied; scale one by a number, as in 0.5*mean(3).", place, place + 1)

    def _divided(self, left: _Value, right: _Value, place: int) -> _Value:
        if isinstance(right, dict):
            self.fail("Only numbers can divide, not codes; divide as in mean(3)/2.", place, place + 1)
        if right == 0:
            self.fail("This divides by zero.", place, self.at)
        return left / right if isinstance(left, float) else {k: weight / right for k, weight in left.items()}

    def _checked(self, value: _Value, place: int) -> _Value:
        if not all(map(math.isfinite, [value] if isinstance(value, float) else value.values())):
            self.fail("This gives a number too large to compute with.", place, place + 1)
        return value

    def _missing(self, before: _Before, c: str) -> NoReturn:
        """There is no operand where one is needed, but c or the end of the text."""
        place = before.start, before.start + 1
        if before.symbol == "(":
            if not c:
                self.fail("This bracket is never closed.", *place)
            if c == ")":
                self.fail("There is nothing in these brackets.", before.start, self.at + 1)
        elif before.symbol == "*" and c == "*":
            self.fail("There are no powers; one * multiplies a code by a number.", before.start, self.at + 1)
        elif before.symbol:
            self.fail(f"A number or a code is missing after this {before.symbol}.", *place)
        elif c == ")":
            self._unexpected(0.0)
        self.fail(f"A number or a code is missing before this {self.operator()}.", self.at, self.at + 1)

    def _unexpected(self, value: _Value) -> NoReturn:
        """Something stands after a value that is neither an operator nor the bracket that is due."""
        c = self.next()
        end = self.at + 1
        if c == ")":
            self.fail("This closing bracket has no opening one.", self.at, end)
        if c == "," and self.text[self.at - 1].isdigit() and self.text[end : end + 1].isdigit():
            self.fail("Decimals are written with a point, as in 0.5.", self.at, end)
        token = _NUMBER.match(self.text, self.at) or NAME.match(self.text, self.at)
        if token or c == "(":
            if isinstance(value, float):
                hint = "A * is missing before this; a number times a code is written as in 2*mean(3)."
            else:
                hint = "A + or - is missing before this."
            self.fail(hint, self.at, token.end() if token else end)
        self._unknown(c)

    def _unknown(self, c: str) -> NoReturn:
        place = self.at, self.at + 1
        if c in "[]{}":
            self.fail("Brackets are round here: ( and ).", *place)
        if c in "^²³":
            self.fail("There are no powers; only +, -, * and / are known.", *place)
        if c in QUOTES or c in QUOTES.values():
            self.fail('Quotes stand only around a class, as in mean("Ankle boot").', *place)
        if c.isalpha():
            self.fail(f"“{c}” cannot be in a name; names have only the letters a to z, digits and _.", *place)
        what = f"“{c}” means nothing here" if c.isprintable() else "This character means nothing here"
        self.fail(f"{what}; only numbers, codes, brackets and + - * / are known.", *place)


def _scaled(value: _Value, by: float) -> _Value:
    return value * by if isinstance(value, float) else {k: weight * by for k, weight in value.items()}
