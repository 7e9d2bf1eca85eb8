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

Every value is a linear combination of codes, so parsing is already computing: each operation works on the weights,
and what it cannot work on is an error at its place. Where the grammar ends, tables say what is wrong: the first
pattern that matches there gives the sentence, and its last group the place.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, cast

from explorer.latents.expression_text import ExpressionError, shortened
from explorer.latents.references import ALONE, LARGEST_SEED, NAME, NOT_FINITE, WITH_BRACKETS, Kind, Reference

MOST_CHARACTERS = 1000
DEEPEST = 50  # brackets within brackets: far from Python's limit of recursion

_MEANT = str.maketrans("−–×·⋅÷", "--***/")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SUM_OF_CLASSES = re.compile(r"[0-9]+(?:\s*[+−–-]\s*[0-9]+)*")  # what a person types who takes 7 for mean(7)
_QUOTED = "(?:" + "|".join(f"{a}(?:[^{b}]|{b}{b})*+{b}" for a, b in ('""', "''", "“”", "‘’")) + ")"
_MEAN = re.compile(rf"(?ai:mean)\s*\(\s*(?:({_QUOTED})\s*|([^\"'“‘()\s][^()]*))\)")
_NUMBERED = re.compile(r"(?ai:item|draw)\s*\(\s*([0-9]+)\s*\)")

_Value = dict[Reference | None, float]  # the weights of codes in order of appearance; a number is the weight of None
_Flaws = list[tuple[re.Pattern[str], str]]


def _flaws(rows: dict[str, str]) -> _Flaws:
    return [(re.compile(pattern, re.DOTALL), sentence) for pattern, sentence in rows.items()]


_UNCLOSED, _ROUND = "This bracket is never closed.", "Brackets are round here: ( and )."
_WORD = "[A-Za-z0-9_]"
_FLAWED_REFERENCE = _flaws(
    {
        rf"((?ai:{'|'.join(NOT_FINITE)}))(?!{_WORD})": "Numbers must be finite, and “{}” is not.",
        rf"(?!(?ai:mean|item|draw)(?!{_WORD}))({_WORD}+)\s*(\()": "Only mean, item and draw take brackets, and “{}” "
        "does not.",
        rf"{_WORD}+\s*([\[{{])": _ROUND,
        rf"(?ai:mean)\s*(\()\s*{_QUOTED}\s*\Z": _UNCLOSED,
        rf"(?ai:mean)\s*\(\s*{_QUOTED}\s*(.)": "After the quoted class only a closing bracket can stand.",
        r"(?ai:mean)\s*\(\s*([\"'“‘])": "This quotation mark is never closed.",
        rf"{_WORD}+\s*(\()[^)]*\Z": _UNCLOSED,
        r"(?ai:mean)\s*\([^()]*(\()": "Close the first bracket before this one; a class with brackets in its name goes "
        "in quotes.",
        r"(?ai:mean)\s*(\(\s*\))": "Name a class in the brackets, as in mean(7).",
        r"(?ai:item)\s*(\(.*?\))": "“item” takes a whole number from 0 up, as in item(42).",
        r"(?ai:draw)\s*(\(.*?\))": f"“draw” takes a whole number from 0 to {LARGEST_SEED}, as in draw(3).",
        r"((?ai:mean))": "“mean” needs a class in brackets, as in mean(7).",
        r"((?ai:item))": "“item” needs an item's number in brackets, as in item(42).",
        r"((?ai:draw))": "“draw” needs a seed in brackets, as in draw(3).",
    }
)
_NO_OPERAND_AFTER = _flaws(
    {
        r"(\()\s*\Z": _UNCLOSED,
        r"(\(\s*\))": "There is nothing in these brackets.",
        r"(\*\s*\*)": "There are no powers; one * multiplies a code by a number.",
        r"([-+*/])\s*(?:[*/)]|\Z)": "A number or a code is missing after this {}.",
    }
)
_NO_OPERAND = _flaws(
    {
        r"([*/])": "A number or a code is missing before this {}.",
        r"(\))": "This closing bracket has no opening one.",
    }
)
_AFTER_VALUE = _flaws(
    {
        r"(\))": "This closing bracket has no opening one.",
        r"(?<=[0-9])(,)[0-9]": "Decimals are written with a point, as in 0.5.",
    }
)
_UNKNOWN = _flaws(
    {
        r"([\[\]{}])": _ROUND,
        r"([\^²³])": "There are no powers; only +, -, * and / are known.",
        r"([\"'“‘”’])": 'Quotes stand only around a class, as in mean("Ankle boot").',
        r"([^\W\d_])": "“{}” cannot be in a name; names have only the letters a to z, digits and _.",
    }
)


@dataclass(frozen=True)
class Part:
    """A reference with its weight, and where in the text it stands first."""

    weight: float
    reference: Reference
    start: int
    end: int


def parts_of(text: str) -> tuple[Part, ...]:
    """Reads an expression as a weighted sum of codes: a part for each distinct reference in order of appearance.

    Raises:
        ExpressionError: the text is no expression for a code.
    """
    parser = _Parser(text)
    return tuple(Part(weight, code, *parser.places[code]) for code, weight in parser.all().items() if code)


class _Parser:
    """The place `at` in a text, and the `places` of the references that were read so far."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.signs = text.translate(_MEANT)  # of the same length
        self.places: dict[Reference, tuple[int, int]] = {}

    def all(self) -> _Value:
        if len(self.text) > MOST_CHARACTERS:
            sentence = f"An expression has at most {MOST_CHARACTERS:,} characters, and this one has {len(self.text):,}."
            self._fail(sentence, MOST_CHARACTERS, len(self.text))
        if not self._next():
            self._fail("Type an expression, such as mean(7) - mean(1) + mean(4).", 0, len(self.text))
        value = self._sum(0)
        if self._next():
            self._fail_after(value)
        if None in value:
            words = self.text.strip()
            start = self.text.index(words)
            hint = "use it to scale one, as in 0.5*mean(3)"
            if len(words) <= 40 and _SUM_OF_CLASSES.fullmatch(words):
                hint = "for classes write " + _NUMBER.sub(r"mean(\g<0>)", words)
            self._fail(f"This is a number and not a code; {hint}.", start, start + len(words))
        return value

    def _next(self) -> str:
        """Skips spaces and returns the character there, or nothing at the end."""
        self.at = cast(re.Match[str], _SPACE.match(self.text, self.at)).end()
        return self.signs[self.at : self.at + 1]

    def _sum(self, depth: int, operators: str = "+-") -> _Value:
        operand = partial(self._sum, operators="*/") if operators == "+-" else self._signed
        left = operand(depth)
        while (symbol := self._next()) and symbol in operators:
            place = self.at
            self.at += 1
            left = self._combined(left, symbol, operand(depth), place)
        return left

    def _signed(self, depth: int) -> _Value:
        negative = False
        while (symbol := self._next()) and symbol in "+-":
            negative ^= symbol == "-"
            self.at += 1
        value = self._operand(depth)
        return {code: -weight for code, weight in value.items()} if negative else value

    def _operand(self, depth: int) -> _Value:
        if self._next() == "(":
            return self._bracketed(depth + 1)
        start = self.at
        if number := _NUMBER.match(self.text, start):
            self.at = number.end()
            if not math.isfinite(value := float(number[0])):
                self._fail("This number is too large to compute with.", start, self.at)
            return {None: value}
        if word := NAME.match(self.text, start):
            reference = self._reference(word)
            self.places.setdefault(reference, (start, self.at))
            return {reference: 1.0}
        if before := self.text[:start].rstrip():
            self._fail_by(_NO_OPERAND_AFTER, len(before) - 1)
        self._fail_by(_NO_OPERAND, start)
        self._fail_by_unknown()

    def _bracketed(self, depth: int) -> _Value:
        place = self.at
        self.at += 1
        if depth > DEEPEST:
            self._fail(f"Brackets can be nested {DEEPEST} deep, and this is one too many.", place, place + 1)
        value = self._sum(depth)
        c = self._next()
        if not c:
            self._fail(_UNCLOSED, place, place + 1)
        if c != ")":
            self._fail_after(value)
        self.at += 1
        return value

    def _reference(self, word: re.Match[str]) -> Reference:
        start, kind = word.start(), word[0].lower()
        if mean := _MEAN.match(self.text, start):
            self.at = mean.end()
            quoted, bare = mean.groups()
            return Reference("mean", quoted[1:-1].replace(2 * quoted[-1], quoted[-1]) if quoted else bare.strip())
        numbered = _NUMBERED.match(self.text, start)
        if numbered and (kind == "item" or int(numbered[1]) <= LARGEST_SEED):
            self.at = numbered.end()
            return Reference(cast(Kind, kind), int(numbered[1]))
        self.at = word.end()
        if kind in WITH_BRACKETS or kind in NOT_FINITE or self._next() == "(":
            self._fail_by(_FLAWED_REFERENCE, start)
        self.at = word.end()
        return Reference(cast(Kind, kind)) if kind in ALONE else Reference("name", word[0])

    def _combined(self, left: _Value, symbol: str, right: _Value, place: int) -> _Value:
        a, b = left.get(None), right.get(None)  # the numbers, None for codes
        if symbol in "+-":
            if (a is None) != (b is None):
                number = abs(cast(float, b if a is None else a))
                a_class = number.is_integer() and number < 1000
                hint = (
                    f"if {number:.0f} is a class, write mean({number:.0f})" if a_class else "only * and / take a number"
                )
                self._fail(f"A code and a number cannot be added or subtracted; {hint}.", place, place + 1)
            sign = 1.0 if symbol == "+" else -1.0
            value = {code: left.get(code, 0.0) + sign * right.get(code, 0.0) for code in left | right}
        elif symbol == "*":
            if a is None and b is None:
                self._fail(
                    "Two codes cannot be multiplied; scale one by a number, as in 0.5*mean(3).", place, place + 1
                )
            codes, factor = (right, cast(float, a)) if b is None else (left, b)
            value = {code: weight * factor for code, weight in codes.items()}
        elif b is None:
            self._fail("Only numbers can divide, not codes; divide as in mean(3)/2.", place, place + 1)
        elif b == 0:
            self._fail("This divides by zero.", place, self.at)
        else:
            value = {code: weight / b for code, weight in left.items()}
        if not all(map(math.isfinite, value.values())):
            self._fail("This gives a number too large to compute with.", place, place + 1)
        return value

    def _fail_after(self, value: _Value) -> NoReturn:
        """Says what is wrong with what stands after a value, neither an operator nor the bracket that is due."""
        self._fail_by(_AFTER_VALUE, self.at)
        token = _NUMBER.match(self.text, self.at) or NAME.match(self.text, self.at)
        if token or self._next() == "(":
            hint = "A + or - is missing before this."
            if None in value:
                hint = "A * is missing before this; a number times a code is written as in 2*mean(3)."
            self._fail(hint, self.at, token.end() if token else self.at + 1)
        self._fail_by_unknown()

    def _fail_by_unknown(self) -> NoReturn:
        self._fail_by(_UNKNOWN, self.at)
        c = self.text[self.at]
        what = f"“{c}” means nothing here" if c.isprintable() else "This character means nothing here"
        self._fail(f"{what}; only numbers, codes, brackets and + - * / are known.", self.at, self.at + 1)

    def _fail_by(self, flaws: _Flaws, at: int) -> None:
        for pattern, sentence in flaws:
            if found := pattern.match(self.signs, at):
                self._fail(sentence.format(shortened(found[1])), *found.span(cast(int, found.lastindex)))

    def _fail(self, sentence: str, start: int, end: int) -> NoReturn:
        raise ExpressionError(sentence, self.text, start, end)
