"""`data list`, `fetch`, `add` and `remove`: the data sets on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from explorer import datasets
from explorer.cli.common import add_data_root, add_planes, add_verb, planes_of, progress_bar
from explorer.datasets.base import bytes_text
from explorer.files.shipped import command
from explorer.images.arrays import Size
from explorer.images.stacks import FRAMES

_ROLES = {
    "image": "the images",
    "label": "the class; '' for none",
    "group": "what must stay on one side of the split, such as the patient; '' for none",
    "split": "the words train and test; '' for none",
}
_BYTES = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}


def add_to(verbs: Any) -> None:
    """Add the verbs to the command line."""
    about = "List, fetch, add or remove data sets."
    parser = verbs.add_parser("data", help=about, description=about)
    actions = parser.add_subparsers(required=True, metavar="list|fetch|add|remove")

    parser = add_verb(actions, "list", show_list, "which data sets are on this machine")
    add_data_root(parser)

    parser = add_verb(actions, "fetch", fetch, "download a data set")
    parser.add_argument("name", help="a name that `data list` shows, such as mnist or torchvision:KMNIST")
    add_data_root(parser)

    parser = add_verb(actions, "add", add, "make a data set of your own images, arrays or table")
    parser.add_argument(
        "source", type=Path, help="a folder, .zip or .tar, a subfolder a class; or .npz, .npy, IDX, .csv, .parquet"
    )
    parser.add_argument("--name", help="what to call it (default: after the source)")
    parser.add_argument(
        "--size", type=_size, help="pixels a side, such as 64, or width x height, such as 64x48 (default: what suits)"
    )
    parser.add_argument("--channels", type=int, choices=(1, 3), help="1: gray, 3: colour (default: what suits)")
    add_planes(parser, FRAMES)
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="a .csv, .tsv or .parquet of labels or measurements, a row a picture (default: one beside the pictures)",
    )
    for role, what in _ROLES.items():
        parser.add_argument(f"--{role}", metavar="NAME", help=f"the array or column with {what} (default: guessed)")
    parser.add_argument(
        "--turned",
        action=argparse.BooleanOptionalAction,
        help="swap rows and columns, as EMNIST needs (default: guessed)",
    )
    add_data_root(parser)

    parser = add_verb(actions, "remove", remove, "put a data set of your own into the trash")
    parser.add_argument("name", help="such as own:cells")
    add_data_root(parser)


def _size(text: str) -> Size:
    """Reads pixels a side, or width x height, which comes out as (height, width)."""
    numbers = [int(number) for number in text.lower().replace("×", "x").split("x")]
    if len(numbers) > 2:
        raise ValueError
    return numbers[0] if len(numbers) == 1 else (numbers[1], numbers[0])


_size.__name__ = "size"  # which argparse names where it cannot be read


def show_list(args: argparse.Namespace) -> int:
    for info in datasets.available(args.data_root):
        size = f"{bytes_text(info.fetch_bytes)}: " if info.fetch_bytes else ""
        how = "" if info.present or size else f" — {info.how}"
        state = "here      " if info.present else f"not here  {size}"
        print(f"{info.name:27} {state}{info.title} ({info.origin}){how}")
    print(f"To get one that is not here: {command('data fetch NAME')}")
    return 0


def fetch(args: argparse.Namespace) -> int:
    with progress_bar(args.name, **_BYTES) as show:
        datasets.fetch(args.name, root=args.data_root, progress=show)
    print(f"{args.name} is here")
    return 0


def add(args: argparse.Namespace) -> int:
    from explorer.datasets import own

    name = args.name or own.propose_name(str(args.source), args.data_root)
    roles = own.Roles(args.image, args.label, args.group, args.split, args.turned)
    wanted = own.Wanted(args.size, args.channels, planes_of(args), roles, args.table)
    with progress_bar(name, **_BYTES) as show:
        info = own.create(name, args.source, wanted, progress=show, root=args.data_root)
    found = own.details(name, args.data_root)
    notes = [*own.few_note(sum(found.counts.values())), *(note for split in found.notes.values() for note in split)]
    for note in dict.fromkeys(notes):
        print(f"explorer: {note}", file=sys.stderr)
    print(f"{info.name} is here: train on it with --dataset {info.name}")
    return 0


def remove(args: argparse.Namespace) -> int:
    from explorer.datasets import own

    own.remove(args.name.removeprefix("own:"), args.data_root)
    print(f"own:{args.name.removeprefix('own:')} is in the trash for a week")
    return 0
