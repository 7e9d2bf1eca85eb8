"""`screen`: pictures of blood cells, into a table."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from explorer.cli.common import (
    add_device,
    add_files,
    add_planes,
    add_verb,
    by_ray,
    places_of,
    planes_of,
    progress_bar,
    say_left_out,
)

_DESCRIPTION = """\
Screen pictures of single blood cells for malaria, by what generative models of healthy and infected cells cannot
draw. Not a medical device.

The table has a row for each picture:
  file        its path below the folder or within the zip
  p_infected  probability that the cell is infected, if half of the cells are, or the --share that you name. Between
              0.1 and 0.9 it is often wrong, and the cell is called uncertain
  log_ratio   the same evidence without that share, in nats: positive speaks for infected. Where a share s of the
              cells is infected, the probability is sigmoid(log_ratio + log(s / (1 - s)))
  typicality  the share of real cells that are less typical; below 0.001 the picture is unlike any cell that the
              models were trained on, and its other figures mean nothing
  verdict     likely infected, uncertain, likely healthy, unlike any cell, or unreadable
  unlike      True if it is unlike any cell
  share_infected  the share of infected cells that p_infected assumes
  model       names the content of the models: other models have another
  unreadable  why the picture could not be read; its figures are empty then

With --groups a second table counts the cells by patient, C<number> at the file name's start, or by --pattern: how many
are called likely infected, which share of the cells that is, and its 95% interval by Wilson, from low to high.
"""


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(verbs, "screen", screen, "Screen pictures of blood cells for malaria.")
    parser.description, parser.formatter_class = _DESCRIPTION, argparse.RawDescriptionHelpFormatter
    add_files(parser, "a folder of pictures at any depth, a .zip of one, or a picture", "scores.csv")
    parser.add_argument(
        "--share", type=float, metavar="S", help="the share of cells that is infected, between 0 and 1 (default: half)"
    )
    parser.add_argument("--groups", type=Path, metavar="FILE", help="write the table of groups, too")
    parser.add_argument(
        "--pattern", default="", help="what names a group in a path, with one * for the name, such as slide-*_"
    )
    add_planes(parser)
    add_device(parser)


def screen(args: argparse.Namespace) -> int:
    from explorer.cells.screening import groups, screen_into, screening
    from explorer.files.tables import check_place

    if args.ray:
        if args.groups is not None:
            raise ValueError("--groups goes without --ray: count groups in the Parquet files")
        return by_ray(args, partial(screening, args.share, planes_of(args)))
    source, out = places_of(args)
    if args.groups is None and args.pattern:
        raise ValueError("--pattern goes with --groups FILE, the table of the groups")
    if args.groups is not None:
        check_place(args.groups)
        groups.group_of("", args.pattern)
    with progress_bar("screening", unit=" images") as show:
        found = screen_into(
            out,
            source,
            groups=args.groups,
            pattern=args.pattern,
            share=args.share,
            planes=planes_of(args),
            device=args.device,
            progress=show,
        )
    say_left_out(found.notes, found.unreadable)
    print(f"{args.out}: {found.summary}. Not a medical device.")
    return 0
