"""Faults made on purpose: what a sceptic would do to the program and to the files that it reads.

    python -m benchmarks faults                     # every part, until its count or its minutes are over
    python -m benchmarks faults kills --minutes 20  # one of them
    python -m benchmarks faults --out faults        # results go there; what is there already is not tried again

Each trial is drawn from the seed, the part and its number alone, and is printed with them: `--only 17` does that one
again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.faults.campaign import PARTS, run_part, table
from benchmarks.faults.trial import read_trials


def main(argv: list[str]) -> int:
    """Runs the campaign; returns 1 if a trial failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="trials of each part (default: each part's own)")
    parser.add_argument("--minutes", type=float, default=10.0, help="at most, for each part (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of every trial (default: 0)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="the one trial of that number")
    parser.add_argument("--out", type=Path, help="folder of trials.jsonl, which a second call goes on with")
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        for name in args.parts or PARTS:
            run_part(name, out, seed=args.seed, count=args.count, minutes=args.minutes, only=args.only)
        trials = read_trials(out)
    print(table(trials))
    return 1 if any(not trial.survived for trial in trials) else 0
