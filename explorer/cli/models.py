"""`evaluate`, `sample`, `encode`, `list`, `open` and `export`: what a trained model is good for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.checkpoints.folder import checkpoints
from explorer.cli.common import (
    add_data_root,
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
    step_bars,
    with_model,
)

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.checkpoints.model import Model
    from explorer.figures import Groups
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
    add_files(parser, "a folder or zip of images, or an IDX file", "codes.npz")
    add_planes(parser)
    add_device(parser)

    parser = add_verb(verbs, "list", show_list, "List checkpoints, newest first.")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = add_verb(verbs, "open", open_run, "Open a run's zip, as Download in the list of runs makes it.")
    parser.add_argument("zip", type=Path, help="the file")
    parser.add_argument("--name", help="what to call the run (default: as it was called)")

    parser = add_verb(
        verbs,
        "adopt",
        adopt,
        "Take in a model that was trained elsewhere: a folder with encoder.onnx, decoder.onnx and adopt.json "
        "(docs/adopt-a-model.md).",
    )
    parser.add_argument("folder", type=Path, help="the folder, or a zip of it")
    parser.add_argument("--dataset", help="whose images it draws; see `data list` (default: as adopt.json says)")
    parser.add_argument("--name", help="what to call it (default: the folder's name)")
    add_data_root(parser)

    parser = add_verb(
        verbs,
        "export",
        export,
        "Save a model for use elsewhere: encoder and decoder apart, which need no Latent Explorer, or the weights.",
    )
    add_name(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="a folder for torch.export programs")
    parser.add_argument("--onnx", metavar="DIR", type=Path, help="a folder for ONNX files, which `adopt` takes, too")
    parser.add_argument("--safetensors", metavar="DIR", type=Path, help="a folder for the weights and how to load them")
    parser.add_argument("--html", metavar="FILE", type=Path, help="one page that shows the model without a server")
    parser.add_argument("--view", metavar="ADDRESS", default="", help="of Explore: what the page shows first")


def evaluate(args: argparse.Namespace) -> int:
    from explorer.checkpoints.folder import save_measures
    from explorer.checkpoints.model import load
    from explorer.evaluation.measures import MEASURES, measure
    from explorer.evaluation.subject import NO_ELBO, Subject

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
    if not model.has_likelihood:
        units["reconstruction"] = units["loss"] = "of squared errors"
    units |= {name: about.unit for name, about in MEASURES.items()}
    why = NO_ELBO[model.has_prior]
    absent = dict.fromkeys((name for name, value in metrics.items() if value is None), why)
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
    from explorer.checkpoints.model import load
    from explorer.evaluation.encoded_files import encode_into, encoding

    if args.ray:
        return by_ray(args, with_model(encoding, args, planes_of(args)))
    source, out = places_of(args)
    model = load(args.name, device=args.device)
    with progress_bar("encoding", unit=" images") as show:
        found = encode_into(out, source, model, planes=planes_of(args), progress=show)
    say_left_out(found.notes, [])
    print(f"{found.count} codes of {model.latent} latents in {args.out}")
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


def adopt(args: argparse.Namespace) -> int:
    from explorer.checkpoints.pairs import pair_folder
    from explorer.evaluation.adoption import adopt_folder, proposed_name

    label = args.folder.resolve().name
    with pair_folder(args.folder, label) as folder, step_bars() as progress:
        name = args.name or proposed_name(label)
        found = adopt_folder(folder, args.dataset, name=name, root=args.data_root, progress=progress)
    say_left_out(found.notes, [])
    print(f"{found.info.id}: {found.info.summary}")
    return 0


def open_run(args: argparse.Namespace) -> int:
    from explorer.runs import open_archive

    info = open_archive(args.zip, args.zip.name, name=args.name)
    how = f"; train on with --resume {info.path}" if info.resumable else ""
    print(f"runs/{info.name} is here{how}")
    return 0


def export(args: argparse.Namespace) -> int:
    from explorer.checkpoints import exporting

    ways = ((args.out, exporting.export), (args.onnx, exporting.export_onnx))
    asked = [(out, way) for out, way in (*ways, (args.safetensors, exporting.export_safetensors)) if out is not None]
    if args.view and args.html is None:
        raise ValueError("--view is what a page shows first: say which file by --html")
    if not asked and args.html is None:
        raise ValueError("say what to save, and where: --out DIR, --onnx DIR, --safetensors DIR or --html FILE")
    for out, way in asked:
        for file in way(args.name, out):
            print(file)
    if args.html is not None:
        from explorer.checkpoints.model import load
        from explorer.checkpoints.page import write_page

        model = load(args.name, device="cpu")
        print(write_page(model, args.html, args.view, _tags(model)))
    return 0


def _tags(model: Model) -> Groups | None:
    """What a person who has the app alone has tagged of the images on the model's map; None for nothing."""
    from explorer.datasets import own
    from explorer.latents.colours import tag_groups

    data, index = model.info.config["dataset"], model.mapped.index
    items = own.items_name(
        data["name"], data.get("test_sha256", ""), with_training=bool(index[-1] > model.latents.index[-1])
    )
    found = own.read_tags("", items)
    return tag_groups(found, index.tolist()) if found else None
