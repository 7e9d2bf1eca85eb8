"""`rank`: pictures by how unusual they are to a model, into a table."""

from __future__ import annotations

import argparse
from typing import Any

from explorer.cli.common import (
    add_device,
    add_files,
    add_name,
    add_planes,
    add_seed,
    add_verb,
    by_ray,
    places_of,
    planes_of,
    progress_bar,
    say_left_out,
    with_model,
)

_DESCRIPTION = """\
Rank pictures by how well a model explains them, the most unusual first.

Each picture is prepared for the model as an upload of the app is: cropped, padded, inverted, whatever makes it look
like what the model was trained on. The table has a row for each that can be read:
  file            its path below the folder or within the zip
  elbo            the evidence lower bound in nats, at one draw of the code: higher is better
  reconstruction  its first term, log p(x|z): how close the reconstruction comes
  kl              its second term: how much the code tells beyond the prior; elbo = reconstruction - kl
  better_than     the share of the model's own test images with a smaller elbo. Of pictures like these, one in a
                  hundred is below 0.01: many more of yours there are of another kind, or damaged
A plain autoencoder has no ELBO: its elbo is the reconstruction term, its kl 0. So it is for a model whose likelihood is
not known, with the sum of squared errors, negative, for reconstruction.
"""


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(verbs, "rank", rank, "Rank pictures by how unusual they are to a model.")
    parser.description, parser.formatter_class = _DESCRIPTION, argparse.RawDescriptionHelpFormatter
    add_name(parser)
    add_files(parser, "a folder of pictures at any depth, or a .zip of one", "scores.csv")
    add_planes(parser)
    add_device(parser)
    add_seed(parser)


def rank(args: argparse.Namespace) -> int:
    from explorer.checkpoints.model import load
    from explorer.evaluation import ranking

    if args.ray:
        return by_ray(args, with_model(ranking.ranking, args, planes_of(args), args.seed))
    source, out = places_of(args)
    model = load(args.name, device=args.device)
    with progress_bar("ranking", unit=" images") as show:
        found = ranking.rank_into(out, source, model, planes=planes_of(args), seed=args.seed, progress=show)
    say_left_out(found.notes, found.unreadable)
    print(f"{args.out}: {found.summary}")
    return 0
