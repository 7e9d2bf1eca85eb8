"""`evaluate`, `sample`, `encode`, `list` and `export`: what a trained model is good for."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from explorer import datasets
from explorer.checkpoints.folder import checkpoints
from explorer.cli.common import add_data_root, add_device, add_name, add_seed, add_verb


def add_to(verbs: Any) -> None:
    """Add the verbs to the command line."""
    parser = add_verb(verbs, "evaluate", evaluate, "Measure a checkpoint on a data set's test images.")
    add_name(parser)
    parser.add_argument("--dataset", help="another data set than the one it was trained on")
    parser.add_argument("--json", action="store_true", help="print JSON")
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
    from explorer.checkpoints.model import load

    model = load(args.name, device=args.device)
    c, h, _ = model.image_shape
    name = args.dataset or model.info.config["dataset"]["name"]
    data = datasets.load(name, "test", root=args.data_root, size=h, channels=c)
    trained_on = model.info.config["dataset"]
    if (only := trained_on.get("only")) and name == trained_on["name"]:
        data = data.subset(data.positions_of(only))
    labels = data.labels if data.classes == model.classes else None
    evaluation = model.evaluate(data.images, labels, seed=args.seed)
    metrics = evaluation.metrics(model.info.config.get("recipe", {}).get("beta", 1.0))
    if args.json:
        print(json.dumps(metrics))
        return 0
    units = {
        "elbo": "nats",
        "reconstruction": "nats",
        "kl": "nats",
        "loss": "nats",
        "mse": "",
        "active_units": "",
        "n": "images",
    }
    for key, unit in units.items():
        value = metrics[key]
        text = "none: the model has no prior" if value is None else f"{value:.6g} {unit}".rstrip()
        print(f"{key:15} {text}")
    return 0


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
    c, h, _ = model.image_shape
    source = Path(args.source)
    if source.is_dir() or source.suffix.lower() == ".zip":
        data = datasets.load_folder(source, size=h, channels=c)
    elif source.is_file():
        data = datasets.load_idx(source, size=h, channels=c)
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
