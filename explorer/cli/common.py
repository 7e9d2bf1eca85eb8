"""What the verbs share: the options of several of them, and a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from explorer.images.stacks import Planes

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


def add_planes(parser: argparse.ArgumentParser, frames: Sequence[str] = ("first", "mean", "max")) -> None:
    """The options on files of several frames or channels; `planes_of` reads them."""
    parser.add_argument("--frames", choices=frames, default="first", help="what to take of stacks (default: first)")
    parser.add_argument(
        "--channel",
        type=int,
        default=0,
        metavar="K",
        help="the channel to take, from 1 (default: colours, or the first)",
    )


def planes_of(args: argparse.Namespace) -> Planes:
    return Planes(args.frames, args.channel)


def add_files(parser: argparse.ArgumentParser, source: str, out: str) -> None:
    """The files that a verb goes through, by a cluster if need be, and the result, whose name is `out` otherwise."""
    parser.add_argument("source", help=source)
    parser.add_argument("--out", default=out, help=f"the result (default: {out})")
    parser.add_argument(
        "--ray",
        action="store_true",
        help="work by the Ray cluster that EXPLORER_RAY names, else by one on this computer: SOURCE is a folder, a "
        ".tar, or an address such as s3://bucket/cells, and OUT a folder or address for Parquet (docs/scale.md)",
    )


def places_of(args: argparse.Namespace) -> tuple[Path, Path]:
    """Source and result on this computer. Raises ValueError or DatasetError."""
    from explorer.files.tables import check_place

    if "://" in args.source or "://" in args.out:
        raise ValueError("addresses are read and written by --ray: add it, or name a folder or a .zip")
    check_place(Path(args.out))
    return Path(args.source), Path(args.out)


def with_model(work: Callable[..., Any], args: argparse.Namespace, *rest: Any) -> Callable[[str], Any]:
    """Gives what `by_ray` takes, of a function of the model that was named and the rest. Raises CheckpointError."""
    from explorer.checkpoints.folder import find

    info = find(args.name)
    return partial(_with_model, work, Path(info.id) if info.shipped else info.path.absolute(), rest)


def _with_model(work: Callable[..., Any], name: Path, rest: Sequence[Any], device: str) -> Any:
    from explorer.checkpoints.model import load

    return work(load(name, device=device), *rest)


def by_ray(args: argparse.Namespace, make: Callable[[str], Any]) -> int:
    """Does over Ray with the files what `make` says of a device."""
    from explorer.runs.many_files import work_over

    if args.out.endswith((".csv", ".npz")):
        raise ValueError("with --ray the result is a folder of Parquet: name it by --out")
    with progress_bar(args.verb.__name__, unit=" images") as show:
        made = work_over(make, args.source, args.out, device=args.device, progress=show)
    say_left_out(made.notes, [])
    bad = f", {made.unreadable:,} of which could not be read" if made.unreadable else ""
    print(f"{args.out}: {made.count:,} files{bad}")
    return 0


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
