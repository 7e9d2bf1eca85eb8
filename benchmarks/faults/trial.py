"""One trial and what came of it, as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Trial", "add_trial", "read_trials"]


@dataclass(frozen=True)
class Trial:
    """What was tried and what came of it.

    Attributes:
        part: of the campaign, as `PARTS` has it.
        seed: of the campaign; with part and number it gives the trial.
        number: from 0.
        survived: whether the program did what it should.
        said: what was tried, in a line; where it failed, how.
        seconds: that it took.
        megabytes: the most memory that its process held beyond what it held before the part's first trial.
    """

    part: str
    seed: int
    number: int
    survived: bool
    said: str
    seconds: float
    megabytes: float


def read_trials(out: Path) -> list[Trial]:
    """Reads the trials of a folder of results; none where there is no such folder yet."""
    file = out / "trials.jsonl"
    if not file.is_file():
        return []
    return [Trial(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def add_trial(out: Path, trial: Trial) -> None:
    """Adds a trial to the results of a folder."""
    with (out / "trials.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(trial)) + "\n")
