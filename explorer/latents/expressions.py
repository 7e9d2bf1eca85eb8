"""Arithmetic with codes in words, such as `mean(7) - mean(1) + 0.5*here`: what a person types, computed.

Attribute vectors are added and subtracted as in Larsen et al. 2016 (arXiv:1512.09300) and White 2016
(arXiv:1609.04468, section 3). An expression is linear, so it is kept as weights of codes; the grammar is described
in `explorer.latents.expression_parser`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents.expression_parser import Part, parts_of
from explorer.latents.expression_text import ExpressionError, shortened
from explorer.latents.references import Reference

LARGEST = 1e6  # of a code's values: no decoder was trained on more, and some overflow on the way
_SHOWN = 12  # classes or names in a sentence
_WORDS = ("mean(…)", "item(…)", "draw(…)", "here", "upload", "origin")


@dataclass(frozen=True)
class Scope:
    """What the names in an expression mean.

    `means` float32 [C, D] are the classes' mean codes, a row of NaN for a class without members, None for data
    without labels; `items` float32 [N, D] are codes, and row r is item `index[r]` of the data set, or item r where
    there is no index. `draw` gives the code [D] of a seed from the prior. `names` holds concept directions and the
    means of groups.
    """

    means: Float[Tensor, "c d"] | None
    classes: Sequence[str]
    items: Float[Tensor, "n d"]
    index: Int[Tensor, " n"] | None = None
    here: Tensor | None = None
    upload: Tensor | None = None
    draw: Callable[[int], Tensor] | None = None
    names: Mapping[str, Tensor] = field(default_factory=dict)

    def resolve(self, reference: Reference) -> tuple[Reference, Float[Tensor, " d"]]:
        """Finds the code that a reference means, and the reference with its class or name as it is spelt here.

        A spelling counts in any case where only one class or name has it.

        Raises:
            LookupError: it means none; the text is a sentence to show.
        """
        width, code = self.items.shape[1], None
        match reference.kind, reference.argument:
            case "mean", str(name):
                name = self._class(name)
                reference, code = Reference("mean", name), self._mean(name)
            case "item", int(number):
                code = self.items[self._row(number)]
            case "draw", int(seed):
                if self.draw is None:
                    raise LookupError("This model has no prior to draw from; use item(0) instead.")
                code = self.draw(seed)
            case "here", _:
                code, missing = self.here, "No spot is chosen, so “here” has no code."
            case "upload", _:
                code, missing = self.upload, "No image is uploaded, so “upload” has no code."
            case "name", str(name):
                name = self._name(name)
                reference, code = Reference("name", name), self.names[name]
            case _:
                code = torch.zeros(width)
        if code is None:
            raise LookupError(missing)
        if len(code) != width:
            name = shortened(reference.text)
            raise LookupError(f"“{name}” belongs to a model with {len(code)} latents, and this one has {width}.")
        return reference, code.float()

    def _class(self, name: str) -> str:
        if self.means is None:
            raise LookupError("These images have no labels, so there are no class means; use item(0) or draw(0).")
        if (found := _spelt(name, self.classes)) is not None:
            return found
        instead = _instead(name, {c: c for c in self.classes}, "the classes are", self.classes)
        raise LookupError(f"There is no class “{shortened(name)}”; {instead}")

    def _name(self, name: str) -> str:
        if (found := _spelt(name, self.names)) is not None:
            return found
        if self.means is not None and (found := _spelt(name, self.classes)) is not None:
            raise LookupError(f"For the mean code of a class write {Reference('mean', found).text}.")
        meant = {c: Reference("mean", c).text for c in self.classes} | {n: n for n in (*self.names, *_WORDS)}
        instead = _instead(name, meant, "there are", [*self.names, *_WORDS])
        raise LookupError(f"Nothing is called “{shortened(name)}”; {instead}")

    def _mean(self, name: str) -> Tensor:
        assert self.means is not None
        mean = self.means[list(self.classes).index(name)]
        if mean.isnan().any():
            raise LookupError(f"Class “{shortened(name)}” has no images here, so it has no mean.")
        return mean

    def _row(self, number: int) -> int:
        if len(self.items) == 0:
            raise LookupError("This model has no stored codes, so there are no items.")
        first, last = (0, len(self.items) - 1) if self.index is None else (int(self.index.min()), int(self.index.max()))
        if not first <= number <= last:
            raise LookupError(f"There is no item {shortened(str(number))}; items go from {first} to {last}.")
        if self.index is None:
            return number
        rows = torch.nonzero(self.index == number).flatten()
        if len(rows) == 0:
            nearest = int(self.index[(self.index - number).abs().argmin()])
            raise LookupError(f"Item {number} is not among the stored codes; the nearest one stored is item {nearest}.")
        return int(rows[0])


@dataclass(frozen=True)
class Term:
    """A reference with its weight and its code, float32 [D]."""

    weight: float
    reference: Reference
    code: Float[Tensor, " d"]


@dataclass(frozen=True)
class Result:
    """The code float32 [D] of an expression: the sum of weight times code over its terms."""

    code: Float[Tensor, " d"]
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Expression:
    """An expression that has been read: `parts` are its distinct references with their weights, in order."""

    text: str
    parts: tuple[Part, ...]

    def references(self) -> list[Reference]:
        """Lists the codes that it needs, each once, in order of appearance."""
        return [part.reference for part in self.parts]


def parse(text: str) -> Expression:
    """Reads an expression, without knowing yet what its names mean.

    Raises:
        ExpressionError: it is no expression for a code.
    """
    return Expression(text, parts_of(text))


def evaluate(text: str, scope: Scope) -> Result:
    """Reads an expression and computes its code, added up in double precision. References to one code are one term.

    Raises:
        ExpressionError: it is no expression for a code, the scope lacks a code that it names, or the result is too
            large for a code.
    """
    weights: dict[Reference, float] = {}
    codes: dict[Reference, Tensor] = {}
    for part in parts_of(text):
        try:
            reference, code = scope.resolve(part.reference)
        except LookupError as error:
            missing = part.reference.kind
            raise ExpressionError(str(error), text, part.start, part.end, missing=missing) from error
        codes[reference] = code
        weights[reference] = weights.get(reference, 0.0) + part.weight
    terms = tuple(Term(weight, reference, codes[reference]) for reference, weight in weights.items())
    total = torch.zeros(scope.items.shape[1], dtype=torch.float64)
    for term in terms:
        total += term.weight * term.code.double()
    code = total.float()
    if not (code.abs() <= LARGEST).all():  # nor NaN
        raise ExpressionError("This gives a code too large to decode.", text, 0, len(text))
    return Result(code, terms)


def build(terms: Sequence[tuple[float | int, Reference]]) -> str:
    """Writes a weighted sum, such as `mean(7) - mean(1) + 0.5*mean(4)`; parsing it gives the same weights.

    No terms give the empty text.

    Raises:
        ValueError: a weight is not finite.
    """
    text = ""
    for weight, reference in terms:
        if not math.isfinite(weight):
            raise ValueError(f"A weight must be a finite number, not {weight}.")
        if text:
            text += " - " if weight < 0 else " + "
        elif weight < 0:
            text = "-"
        factor = repr(abs(float(weight))).removesuffix(".0")
        text += reference.text if factor == "1" else f"{factor}*{reference.text}"
    return text


def _spelt(name: str, known: Iterable[str]) -> str | None:
    """Finds the known spelling of a name: itself, or the only one that differs from it in nothing but case."""
    known = list(known)
    if name in known:
        return name
    alike = [k for k in known if k.strip().casefold() == name.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def _instead(name: str, meant: Mapping[str, str], opening: str, known: Sequence[str]) -> str:
    """Guesses what a person may have meant, by a spelling that is much like it, or else what is known."""
    if not name.isdecimal():  # a number that is like another number is not a slip of the pen
        folded = {spelling.casefold(): m for spelling, m in meant.items()}
        if close := difflib.get_close_matches(name.casefold(), folded, n=3):
            return "did you mean " + " or ".join(shortened(folded[c]) for c in close) + "?"
    listed = ", ".join(shortened(k, 20) for k in known[:_SHOWN])
    more = len(known) - _SHOWN
    return f"{opening} {listed}" + (f" and {more} more." if more > 0 else ".")
