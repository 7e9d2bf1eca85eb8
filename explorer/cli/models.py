"""`evaluate`, `sample`, `encode`, `list` and `export`: what a trained model is good for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer import datasets
from explorer.checkpoints.folder import checkpoints
from explorer.cli.common import add_data_root, add_device, add_name, add_seed, add_verb, step_bars

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.models.base import LatentGroup

_NAMED = 5  # groups of latents


def add_to(verbs: Any) -> None:
    """Add the verbs to the command line."""
    parser = add_verb(verbs, "evaluate", evaluate, "Measure a checkpoint on a data set's test images.")
    add_name(parser)
    parser.add_argument("--dataset", help="another data set than the one it was trained on")
    parser.add_argument("--k", type=int, help="draws of z an image for the importance-weighted log-likelihood")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--save", action="store_true", help="keep the measures in the checkpoint's metrics.json")
    add_device(parser)
    add_data_root(parser)
    add_seed(parser)

    parser = add_verb(verbs, "sample", sample, "Draw images from the prior into one picture.")
    add_name(parser)
    parser.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--temperature", type=float, default=1.0, help="scale of the prior's draws (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help="the picture (default: samples.png)")
    add_device(parser)
    add_seed(parser)

    parser = add_verb(verbs, "encode", encode, "Encode images into an .npz of posterior means and log variances.")
    add_name(parser)
    parser.add_argument("source", help="a folder or zip of images, or an IDX file")
    parser.add_argument("--out", type=Path, default=Path("codes.npz"), help="the file (default: codes.npz)")
    add_device(parser)

    parser = add_verb(verbs, "list", show_list, "List checkpoints, newest first.")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = add_verb(
        verbs,
        "export",
        export,
        "Save encoder and decoder apart, as torch.export programs that need no Latent Explorer.",
    )
    add_name(parser)
    parser.add_argument("--out", type=Path, required=True, help="the folder")


def evaluate(args: argparse.Namespace) -> int:
    from explorer.checkpoints.folder import save_measures
    from explorer.checkpoints.model import load
    from explorer.evaluation.measures import MEASURES, measure
    from explorer.evaluation.subject import Subject

    model = load(args.name, device=args.device)
    if args.save and args.dataset not in (None, model.info.config["dataset"]["name"]):
        raise ValueError("--save keeps measures of the data that a model was trained on: leave --dataset or --save out")
    with step_bars() as progress:
        subject = Subject.of(model, args.dataset, root=args.data_root, draws=args.k, seed=args.seed, progress=progress)
        measured = measure(subject)
    metrics = subject.evaluation.metrics(
        float(model.network.weight(model.info.config.get("recipe", {}).get("beta", 1.0)))
    )
    if args.save:
        save_measures(model.info.path, measured.to_json())
    if args.json:
        kl = subject.evaluation.kl_by_group.tolist() if model.has_prior else None
        print(json.dumps({**metrics, "kl_by_latent": kl, **measured.to_json()}))
        return 0
    units = {"elbo": "nats", "reconstruction": "nats", "kl": "nats", "loss": "nats", "n": "images"}
    units |= {name: about.unit for name, about in MEASURES.items()}
    absent = dict.fromkeys((name for name, value in metrics.items() if value is None), "The model has no prior.")
    values, absent = {**metrics, **measured.values}, {**absent, **measured.absent}
    for name in (*metrics, *MEASURES):
        unit = units.get(name, "")
        text = f"none: {absent[name]}" if name in absent else f"{values[name]:.6g} {unit}".rstrip()
        print(f"{name:18} {text}")
    if model.has_prior:
        print(f"{'kl by group':18} {_largest(subject.evaluation.kl_by_group, model.network.groups)}")
    return 0


def _largest(kl: Tensor, groups: Sequence[LatentGroup]) -> str:
    """The groups with the largest KL, in words."""
    order = kl.argsort(descending=True)[:_NAMED].tolist()
    rest = f", {kl.sum() - kl[order].sum():.3g} in {len(kl) - len(order):,} others" if len(kl) > len(order) else ""
    return ", ".join(f"{groups[i].name} {kl[i]:.3g}" for i in order) + rest + " nats"


def sample(args: argparse.Namespace) -> int:
    from explorer.checkpoints.model import load
    from explorer.images.pictures import save_grid

    model = load(args.name, device=args.device)
    if args.n < 1:
        raise ValueError("-n must be at least 1")
    save_grid(model.sample(args.n, temperature=args.temperature, seed=args.seed), args.out)
    print(f"{args.n} samples in {args.out}")
    return 0


def encode(args: argparse.Namespace) -> int:
    import numpy as np

    from explorer.checkpoints.model import load

    model = load(args.name, device=args.device)
    c, size = model.image_shape[0], model.image_shape[1:]
    source = Path(args.source)
    if source.is_dir() or source.suffix.lower() == ".zip":
        data = datasets.load_folder(source, size=size, channels=c)
    elif source.is_file():
        data = datasets.load_idx(source, size=size, channels=c)
    else:
        raise ValueError(f"there is no {source}")
    mean, logvar = model.encode(data.images)
    arrays = {"mean": mean.numpy(), "logvar": logvar.numpy()}
    if data.labels is not None:
        arrays |= {"labels": data.labels.numpy(), "classes": np.array(data.classes)}
    with open(args.out, "wb") as f:
        np.savez(f, **arrays)  # type: ignore[arg-type]
    for note in data.notes:
        print(f"explorer: {note}", file=sys.stderr)
    print(f"{len(mean)} codes of {model.latent} latents in {args.out}")
    return 0


def show_list(args: argparse.Namespace) -> int:
    found = checkpoints()
    if args.json:
        rows = [
            {
                "id": c.id,
                "path": str(c.path),
                "shipped": c.shipped,
                "problem": c.problem,
                "created": c.created.isoformat() if not c.problem else None,
                "config": c.config,
                "metrics": c.metrics,
            }
            for c in found
        ]
        print(json.dumps(rows))
        return 0
    if not found:
        print("no checkpoints yet: python -m explorer train --preset mlp-2d --dataset mnist-5k --out runs/first")
    width = max((len(c.id) for c in found), default=0)
    for c in found:
        print(f"{c.id:{width}}  {'damaged: ' if c.problem else ''}{c.summary}")
    return 0


def export(args: argparse.Namespace) -> int:
    from explorer.checkpoints.exporting import export as save_programs

    for file in save_programs(args.name, Path(args.out)):
        print(file)
    return 0
