"""What the verbs share: the options of several of them, and a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

_BETWEEN = 0.2  # seconds, of a bar that moves
_LISTED = 20  # unreadable files that are named one by one

Verb = Callable[[argparse.Namespace], int]
"""Does what its arguments say; the exit code."""


def add_verb(verbs: Any, name: str, verb: Verb, help: str) -> argparse.ArgumentParser:
    """The parser of another verb, which its own options are added to."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(verb=verb)
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def add_data_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-root", type=Path, help="where data sets lie (default: $EXPLORER_DATA, else ./data)")


def add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=Path, help="a checkpoint's name, or its folder")


def add_seed(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    parser.add_argument("--seed", type=_seed, default=default, help="seed of everything random (default: 0)")


@contextlib.contextmanager
def progress_bar(name: str, **units: Any) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar in tqdm's `units`, made when there is something to show."""
    from tqdm import tqdm

    bar: Any = None

    def show(done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(desc=name, **units)
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


@contextlib.contextmanager
def step_bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """A progress bar for each step of what takes several, under the step's name."""
    with contextlib.ExitStack() as stack:
        bars: dict[str, Callable[[int, int | None], None]] = {}
        last = 0.0

        def show(name: str, done: int, total: int | None) -> None:
            nonlocal last
            if name not in bars:
                bars[name] = stack.enter_context(progress_bar(name, leave=False))
            if done == total or time.monotonic() - last > _BETWEEN:
                bars[name](done, total)
                last = time.monotonic()

        yield show


def say_left_out(notes: Sequence[str], unreadable: Sequence[tuple[str, str]]) -> None:
    """On stderr: sentences on files that were left out, and which could not be read and why, a clause each."""
    lines = [*notes, *(f"{file} could not be read: {reason}" for file, reason in unreadable[:_LISTED])]
    if (more := len(unreadable) - _LISTED) > 0:
        lines.append(f"and {more:,} more could not be read")
    for line in lines:
        print(f"explorer: {line}", file=sys.stderr)


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**32 - 1}, not {text!r}")
    return int(text)
