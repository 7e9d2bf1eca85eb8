"""The parts of a training: the stages that were planned, and after them what the run was asked to train on.

The schedule of the learning rate starts anew in each. A part ends after its epochs or, with patience, once the score
has not risen for so many of them; it leaves the last weights or the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that has ended.

    Attributes:
        stage: which of the family's stages it trained, from 0.
        until: how many epochs the run had when it ended.
        kept: the epoch whose weights it left.
        waited: whether it ended early, since the score no longer rose.
    """

    stage: int
    until: int
    kept: int
    waited: bool


def describe(ended: Sequence[Part], *, patience: int, keep_best: bool, score: str) -> str:
    """Says in sentences why parts have ended early and which epochs were kept; "" where nothing was asked for.

    Of each stage it is the last part that counts. `score` says what is best, such as `test ELBO is highest`.
    """
    last = {part.stage: part for part in ended}
    sentences = []
    for part in last.values():
        name = f"Stage {part.stage + 1}" if len(last) > 1 else "It"
        if part.waited:
            waited = "the last epoch was" if patience == 1 else f"the last {patience:,} epochs were"
            sentences.append(f"{name} stopped early, after epoch {part.until:,}: {waited} no better.")
        if keep_best:
            of = f" of stage {part.stage + 1}" if len(last) > 1 else ""
            sentences.append(f"Kept{of}: epoch {part.kept:,}, whose {score}.")
    return " ".join(sentences)
