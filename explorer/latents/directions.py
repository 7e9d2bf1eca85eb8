"""A concept as a direction in code space, found from two groups of codes, and how far to trust it.

The difference of two groups' mean codes is an attribute vector as in Larsen et al. 2016 (arXiv:1512.09300) and White
2016 (arXiv:1609.04468, section 3). The normal of a linear classifier between the groups is a concept activation
vector (Kim et al. 2018, arXiv:1711.11279). The first says where the one group's mean lies from the other's, with
everything that happens to go along; the second what tells the groups apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from explorer.latents.discriminants import Method, directions
from explorer.models.devices import threads

METHODS: dict[Method, str] = {"means": "difference of means", "classifier": "linear classifier's normal"}

FEWEST = 5  # items in a group to judge a direction: one for each fold
FOLDS = 5
MOST = 1000  # items of a group that a direction is judged by, of up to 256 latents; of more in inverse proportion
_LATENTS = 256
_MOST_AT_LEAST = 250

_REPEATS = 4  # of the cross-validation, each with other folds
_SHARING = 10  # random groupings with the same folds
_Z = 1.959963984540054  # standard normal, 97.5%


def direction(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], *, method: Method = "means") -> Float[Tensor, " d"]:
    """Finds the direction from group a to group b, float32 [D].

    Its length is such that one unit moves a code's projection on it from a's mean to b's: `code + 1.0 * direction` of
    a code that is typical of a is as typical of b, along the direction. For `means` that is mean(b) - mean(a). For
    `classifier` it is n (n . (mean(b) - mean(a))) with n the unit normal of Fisher's linear discriminant (Fisher 1936)
    with a ridge, in closed form; on the shipped models it tells held-out items apart as a logistic regression does
    (AUC no more than 0.006 lower).

    Raises:
        ValueError: a group is empty, or the groups' means coincide.
    """
    if len(a) == 0 or len(b) == 0:
        raise ValueError(f"The {'first' if len(a) == 0 else 'second'} group is empty, so there is no direction.")
    codes = torch.cat([a, b]).double()
    second = torch.arange(len(codes)) >= len(a)
    _require_difference(codes, second)
    return directions(codes, second[None], method)[0].float()


@dataclass(frozen=True)
class Trust:
    """How far a direction can be trusted.

    `auc` is the chance that of a held-out pair, one item of each group, b's lies further along the direction, from 0
    to 1, with its 95% interval; 0.5 is guessing. `cosine` is the median cosine between the directions of two separate
    samples as large as the groups, `cosine_low` its 5th percentile: 1 is the same direction again, 0 another every
    time. `effect` is Cohen's d of the held-out projections, in standard deviations, and `random_effect` the 95th
    percentile of the same for random groups of the same sizes out of the same items. `counts` are the groups' sizes.
    """

    auc: float
    auc_interval: tuple[float, float]
    cosine: float
    cosine_low: float
    effect: float
    random_effect: float
    counts: tuple[int, int]

    def verdict(self) -> str:
        """Sums it up in a sentence.

        Not to be trusted: the groups are told apart no better than by guessing (the interval of the AUC reaches 0.5)
        or than random groups, or another sample gives another direction (median cosine below 0.5). With care: another
        sample may give a rather different direction (5th percentile of the cosine below 0.8), or the groups overlap
        (AUC below 0.8, for Gaussians a Cohen's d of 1.2), or may for all that so few items tell (interval from below
        0.7). Otherwise to be trusted.
        """
        percent = 100 if self.auc == 1 else min(99, round(100 * self.auc))
        pairs = f"{percent}% of held-out pairs"
        if self.auc_interval[0] <= 0.5 or self.effect <= self.random_effect:
            return "Do not trust it: it separates held-out images of the two groups no better than chance might."
        if self.cosine < 0.5:
            return (
                f"Do not trust it: another sample gives another direction (cosine {self.cosine:.2f}); use more images."
            )
        if self.cosine_low < 0.8:
            return (
                f"Use it with care: it ranks {pairs} correctly, but another sample turns it (cosine down to "
                f"{self.cosine_low:.2f}); use more images."
            )
        if self.auc < 0.8:
            return f"Use it with care: it is stable (cosine {self.cosine:.2f}), but ranks only {pairs} correctly."
        if self.auc_interval[0] < 0.7:
            return (
                f"Use it with care: it ranks {pairs} correctly, but of all pairs it may be as few as "
                f"{100 * self.auc_interval[0]:.0f}%; use more images."
            )
        return f"Trust it: it ranks {pairs} correctly, and another sample gives it again (cosine {self.cosine:.2f})."


def trust(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], *, method: Method = "means", seed: int = 0, resamples: int = 100
) -> Trust:
    """Judges the direction from group a to group b by items that did not help to find it.

    AUC and effect are cross-validated: 5 folds, stratified, 4 times over. The AUC compares pairs within a fold only,
    since comparing items across folds is biased (Parker et al. 2007, "Stratification bias in low signal microarray
    studies"). Its interval is Newcombe's (2006, part 2, method 5), which is no point even where the AUC is 1. The
    cosine is between the directions of random halves of the groups, corrected to full size by 2c / (1 + c) (Spearman
    1910, Brown 1910): two bootstrap samples of the same items share the items' own noise and agree with a cosine of
    0.5 where there is nothing to agree on, halves do not. `resamples` is the number of halvings and of random groups.
    Of a group larger than 1,000 so many are drawn, by the seed; with more than 256 latents fewer, down to 250 from
    1,024 latents on, so that the work does not grow with the latents.

    Raises:
        ValueError: a group has fewer than 5 items, or the groups' means coincide.
    """
    if min(len(a), len(b)) < FEWEST:
        name, n = ("first", len(a)) if len(a) < FEWEST else ("second", len(b))
        raise ValueError(f"Judging a direction needs at least {FEWEST} images in each group; the {name} has {n}.")
    generator = torch.Generator().manual_seed(seed)
    counts = len(a), len(b)
    most = min(MOST, max(_MOST_AT_LEAST, MOST * _LATENTS // a.shape[1]))
    a, b = (x[torch.randperm(len(x), generator=generator)[:most]] for x in (a, b))
    codes = torch.cat([a, b]).double()
    second = torch.arange(len(codes)) >= len(a)
    _require_difference(codes, second)
    if len(codes) < codes.shape[1]:
        # The same codes in the coordinates of the space that they span: no product of two of them changes.
        codes = torch.linalg.qr(codes.T, mode="r").R.T

    # Many short operations: where something else wants a core, threads that wait for each other take dozens of times
    # longer.
    with threads(1):
        auc, effect = _cross_validated(codes, second, generator, method)
        by_chance = _effects_by_chance(codes, second, resamples, generator, method)
        cosines = torch.stack([_cosine_of_halves(codes, second, generator, method) for _ in range(resamples)])
        cosines = torch.where(cosines > 0, 2 * cosines / (1 + cosines), cosines)
        return Trust(
            auc,
            auc_interval(auc, len(a), len(b)),
            float(cosines.median()),
            float(cosines.quantile(0.05)),
            effect,
            float(by_chance.quantile(0.95, interpolation="higher")),
            counts,
        )


def auc_interval(auc: float, n: int, m: int) -> tuple[float, float]:
    """Computes the 95% interval of an AUC of n and m items: Newcombe 2006, Stat. Med. 25:559-573, method 5.

    Its ends are the values t that lie 1.96 of their own standard errors from the AUC, with the variance of t
    t (1 - t) (1 + k (1 - t)/(2 - t) + k t/(1 + t)) / (n m) and k = (n + m)/2 - 1.
    """
    k = (n + m) / 2 - 1

    def end(outer: float) -> float:
        inner = auc
        for _ in range(60):  # bisection: what is called inner is inside the interval
            t = (inner + outer) / 2
            variance = t * (1 - t) * (1 + k * (1 - t) / (2 - t) + k * t / (1 + t)) / (n * m)
            if abs(auc - t) <= _Z * math.sqrt(variance):
                inner = t
            else:
                outer = t
        return inner

    return end(0.0), end(1.0)


def cohens_d(x: Float[Tensor, "r n"], second: Bool[Tensor, "r n"]) -> Float[Tensor, " r"]:
    """Divides the difference of the means by the pooled standard deviation (Cohen 1988, chapter 2), row by row.

    `second` says by a boolean which items of a row are of the second group. NaN where nothing varies.
    """
    q = second.to(x.dtype)
    p = 1 - q
    n, m = p.sum(1), q.sum(1)
    low, high = (p * x).sum(1) / n, (q * x).sum(1) / m
    squares = (p * (x - low[:, None]).square()).sum(1) + (q * (x - high[:, None]).square()).sum(1)
    return (high - low) / (squares / (n + m - 2)).sqrt()


def _require_difference(codes: Float[Tensor, "n d"], second: Bool[Tensor, " n"]) -> None:
    difference = codes[second].mean(0) - codes[~second].mean(0)
    # Float32 codes carry 7 digits; what the means agree to beyond that is rounding.
    if float(difference.norm()) <= 1e-9 * float(codes.abs().max()):
        raise ValueError("Both groups have the same mean code, so there is no direction from one to the other.")


def _stratified(second: Bool[Tensor, " n"], folds: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """Draws a fold for each item, each fold with its share of either group."""
    fold = torch.empty(len(second), dtype=torch.int64)
    for members in (~second, second):
        n = int(members.sum())
        fold[members] = torch.arange(n)[torch.randperm(n, generator=generator)] % folds
    return fold


def _cross_validated(
    codes: Float[Tensor, "n d"], second: Bool[Tensor, " n"], generator: torch.Generator, method: Method
) -> tuple[float, float]:
    """Computes AUC and Cohen's d of held-out projections."""
    aucs, effects = [], []
    for _ in range(_REPEATS):
        fold = _stratified(second, FOLDS, generator)
        projections = _held_out(codes, second[None], fold, method)
        aucs.append(_auc_within(projections[0], second, fold))
        effects.append(float(cohens_d(projections, second[None])[0]))
    return sum(aucs) / len(aucs), sum(effects) / len(effects)


def _effects_by_chance(
    codes: Float[Tensor, "n d"],
    second: Bool[Tensor, " n"],
    resamples: int,
    generator: torch.Generator,
    method: Method,
) -> Float[Tensor, " r"]:
    """Computes Cohen's d of held-out projections for random groups of the same sizes.

    Some groupings share their folds, and so the folds' covariances; each time the folds are others, since within the
    folds of the real groups a few items have few other groupings.
    """
    effects = []
    for start in range(0, resamples, _SHARING):
        order = torch.randperm(len(codes), generator=generator)
        fold, groups = _stratified(second, FOLDS, generator)[order], second[order]
        shuffled = groups.repeat(min(_SHARING, resamples - start), 1)
        for row in shuffled:
            for f in range(FOLDS):
                rows = torch.nonzero(fold == f).flatten()
                row[rows] = groups[rows[torch.randperm(len(rows), generator=generator)]]
        effects.append(cohens_d(_held_out(codes, shuffled, fold, method), shuffled))
    return torch.cat(effects).nan_to_num(nan=0.0, posinf=torch.inf)


def _held_out(
    codes: Float[Tensor, "n d"], second: Bool[Tensor, "r n"], fold: Int[Tensor, " n"], method: Method
) -> Float[Tensor, "r n"]:
    """Projects each item on the unit direction of the other folds, from the middle between their means."""
    projections = torch.empty(second.shape, dtype=codes.dtype)
    for f in range(int(fold.max()) + 1):
        held, seen = fold == f, fold != f
        found = torch.nn.functional.normalize(directions(codes[seen], second[:, seen], method), dim=1)
        q = second[:, seen].to(codes.dtype)
        weights = q / q.sum(1, keepdim=True) + (1 - q) / (1 - q).sum(1, keepdim=True)
        middle = weights @ codes[seen] / 2  # [R, D]
        projections[:, held] = found @ codes[held].T - (found * middle).sum(1, keepdim=True)
    return projections


def _auc_within(x: Float[Tensor, " n"], second: Bool[Tensor, " n"], fold: Int[Tensor, " n"]) -> float:
    """Counts the share of pairs, one of each group and both of one fold, in which the second group's is larger."""
    right = pairs = 0.0
    for f in range(int(fold.max()) + 1):
        low, high = x[(fold == f) & ~second], x[(fold == f) & second]
        difference = high[:, None] - low
        right += float((difference > 0).sum()) + 0.5 * float((difference == 0).sum())
        pairs += difference.numel()
    return right / pairs


def _cosine_of_halves(
    codes: Float[Tensor, "n d"], second: Bool[Tensor, " n"], generator: torch.Generator, method: Method
) -> Float[Tensor, ""]:
    half = _stratified(second, 2, generator)
    one, other = (directions(codes[half == h], second[None, half == h], method)[0] for h in (0, 1))
    return torch.nn.functional.cosine_similarity(one, other, dim=0)
