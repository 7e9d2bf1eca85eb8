"""The process of a part: prepares it, says so by a line, then tries trials and writes a line of JSON for each."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from random import Random

from benchmarks.faults.campaign import PARTS
from benchmarks.faults.trial import Trial


def main(name: str, seed: int, place: Path, numbers: list[int]) -> None:
    """Tries those trials of a part, in the folder `place`."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed on the way
    os.environ["EXPLORER_RUNS"] = str(place / "runs")
    os.environ["EXPLORER_DATA"] = str(place / "data")
    part = importlib.import_module(f"benchmarks.faults.{PARTS[name].module}")
    part.prepare(place)
    before = _most_memory()
    print("prepared", file=lines, flush=True)
    for number in numbers:
        began = time.monotonic()
        try:
            said, survived = part.attempt(place, Random(f"{seed} {name} {number}")), True
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            said, survived = " ".join([*getattr(error, "__notes__", []), said])[:1000], False
        seconds = round(time.monotonic() - began, 3)
        trial = Trial(name, seed, number, survived, said, seconds, round(_most_memory() - before, 1))
        print(json.dumps(asdict(trial)), file=lines, flush=True)


def _most_memory() -> float:
    """Peak resident memory of this process and of the largest that it waited for, in megabytes."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit / 1e6


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), [int(number) for number in sys.argv[4:]])
