"""The command line: `python -m explorer VERB`. Errors are one line on stderr and a non-zero exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from explorer import datasets
from explorer.checkpoints import CheckpointError, checkpoints
from explorer.datasets import DatasetError
from explorer.presets import PRESETS, Recipe, TrainConfig

_BYTES = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
_LISTED = 20  # unreadable files that are named one by one
_SCREEN = """\
Screen pictures of single blood cells for malaria, by what generative models of healthy and infected cells cannot
draw. Not a medical device.

The table has a row for each picture that can be read:
  file        its path below the folder or within the zip
  p_infected  probability that the cell is infected, where every second cell is
  log_ratio   the same evidence without that share, in nats: positive speaks for infected. Where a share s of the
              cells is infected, the probability is sigmoid(log_ratio + log(s / (1 - s)))
  typicality  the share of real cells that are less typical; below 0.001 the picture is unlike any cell that the
              models were trained on, and its other figures mean nothing
"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code: 0, 1 for an error that was said in one line, 130 for a run that was stopped."""
    try:
        args = _parser().parse_args(argv)
        return int(args.verb(args) or 0)
    except (CheckpointError, DatasetError, ValueError, OSError) as error:
        print(f"explorer: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("explorer: stopped", file=sys.stderr)
        return 130


def _train(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from explorer.checkpoints import runs_folder
    from explorer.runs import RunInfo, train_here
    from explorer.training import Progress, train

    if args.resume and args.preset:
        raise ValueError("--resume goes on with a run's own preset: leave --preset out")
    if args.resume and args.out:
        raise ValueError("--resume goes on in the run's own folder: leave --out out")
    out = args.resume or args.out
    if out is None or not (args.preset or args.resume):
        raise ValueError("name a --preset and a folder with --out, or a run with --resume")
    settings = {f.name: v for f in fields(Recipe) if f.name != "epochs" and (v := getattr(args, f.name)) is not None}
    fixed = [
        *settings,
        *(n for n in ("dataset", "only", "seed", "precision", "save_seconds") if getattr(args, n) is not None),
        *(["half"] if args.half else []),
    ]
    if args.resume and fixed:
        raise ValueError(f"--resume goes on with a run's own settings: leave --{fixed[0].replace('_', '-')} out")
    config = TrainConfig(
        preset=args.preset or "",
        dataset=args.dataset,
        only=args.only,
        epochs=args.epochs,
        seed=args.seed or 0,
        device=args.device,
        precision=args.precision or "auto",
        half=args.half,
        umap=not args.no_umap,
        save_seconds=60.0 if args.save_seconds is None else args.save_seconds,
        data_root=args.data_root,
        settings=settings,
    )
    waiting = False
    bar: Any = None  # made at the first step: an error before it is one line, without an empty bar

    def show(p: Progress) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(unit="epoch", dynamic_ncols=True, bar_format="{desc} {percentage:3.0f}%|{bar}|{postfix}")
        if p.phase != "training":
            bar.set_description("fitting the map" if p.phase == "mapping" else "saving")
            return
        bar.total, bar.n = p.epochs * p.steps, (p.epoch - 1) * p.steps + p.step
        bar.set_description(f"epoch {p.epoch}/{p.epochs}", refresh=False)
        minutes, seconds = divmod(round(p.seconds_left), 60)
        nats = f"ELBO {p.elbo:.1f} KL {p.kl:.1f} " if p.elbo is not None else ""
        speed = f"{p.images_per_second:,.0f} images/s, {minutes}:{seconds:02d} left"
        bar.set_postfix_str(f"{nats}reconstruction {p.reconstruction:.1f} nats, {speed}", refresh=False)
        bar.update(0)
        bar.refresh()

    def wait(info: RunInfo) -> None:
        nonlocal waiting
        if not waiting:
            waiting = True
            before = "one run goes" if info.position < 2 else f"{info.position} runs go"
            print(f"waiting for {info.device}: {before} first (--now does not wait)", file=sys.stderr)

    try:
        if not args.now and out.resolve().parent == runs_folder().resolve():
            run = train_here(config, out.name, again=bool(args.resume), on_wait=wait, on_progress=show)
        else:
            run = train(config, out, resume=bool(args.resume), on_progress=show)
    finally:
        if bar is not None:
            bar.close()
    if run.status == "finished":
        print(f"{run.path}: {_one_line(run.metrics)}")
        return 0
    if run.status == "stopped":
        print(f"{run.path}: stopped after {len(run.history)} epochs; go on with --resume {run.path}")
        return 130
    print(f"explorer: {run.message}", file=sys.stderr)
    return 1


def _one_line(metrics: dict[str, Any]) -> str:
    names = ("elbo", "reconstruction", "kl", "loss", "mse", "active_units", "n")
    return ", ".join(f"{name} {metrics[name]:.6g}" for name in names if metrics.get(name) is not None)


def _evaluate(args: argparse.Namespace) -> int:
    from explorer.loaded import load

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


def _sample(args: argparse.Namespace) -> int:
    from explorer.loaded import load
    from explorer.pictures import save_grid

    model = load(args.name, device=args.device)
    if args.n < 1:
        raise ValueError("-n must be at least 1")
    save_grid(model.sample(args.n, temperature=args.temperature, seed=args.seed), args.out)
    print(f"{args.n} samples in {args.out}")
    return 0


def _encode(args: argparse.Namespace) -> int:
    import numpy as np

    from explorer.loaded import load

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


def _screen(args: argparse.Namespace) -> int:
    from explorer.screening import check_place, screen_files

    check_place(args.out)
    with _progress_bar("screening", unit=" images") as show:
        found = screen_files(args.source, device=args.device, progress=show)
    found.write_csv(args.out)
    for note in found.notes:
        print(f"explorer: {note}", file=sys.stderr)
    for file, reason in list(found.unreadable.items())[:_LISTED]:
        print(f"explorer: {file} could not be read: {reason}", file=sys.stderr)
    if (more := len(found.unreadable) - _LISTED) > 0:
        print(f"explorer: and {more:,} more could not be read", file=sys.stderr)
    print(f"{args.out}: {found.summary}. Not a medical device.")
    return 0


def _list(args: argparse.Namespace) -> int:
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


def _export(args: argparse.Namespace) -> int:
    from explorer.exporting import export

    for file in export(args.name, Path(args.out)):
        print(file)
    return 0


def _data_list(args: argparse.Namespace) -> int:
    for info in datasets.available(args.data_root):
        print(
            f"{info.name:15} {'here' if info.present else 'not here':9} {info.title}"
            + ("" if info.present else f" — {info.how}")
        )
    return 0


def _data_fetch(args: argparse.Namespace) -> int:
    with _progress_bar(args.name, **_BYTES) as show:
        datasets.fetch(args.name, root=args.data_root, progress=show)
    print(f"{args.name} is here")
    return 0


def _data_add(args: argparse.Namespace) -> int:
    from explorer.datasets import own

    name = args.name or own.propose_name(str(args.source), args.data_root)
    with _progress_bar(name, **_BYTES) as show:
        info = own.create(name, args.source, size=args.size, channels=args.channels, progress=show, root=args.data_root)
    notes = own.details(name, args.data_root).notes.values()
    for note in dict.fromkeys(note for of_split in notes for note in of_split):
        print(f"explorer: {note}", file=sys.stderr)
    print(f"{info.name} is here: train on it with --dataset {info.name}")
    return 0


def _data_remove(args: argparse.Namespace) -> int:
    from explorer.datasets import own

    own.remove(args.name.removeprefix("own:"), args.data_root)
    print(f"own:{args.name.removeprefix('own:')} is in the trash for a week")
    return 0


@contextlib.contextmanager
def _progress_bar(name: str, **units: Any) -> Iterator[Callable[[int, int | None], None]]:
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


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m explorer", description="Train and use variational autoencoders.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, verb: Any, help: str) -> argparse.ArgumentParser:
        p: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
        p.set_defaults(verb=verb)
        return p

    def common(p: argparse.ArgumentParser, *, data: bool = False, device: bool = True, seed: bool = False) -> None:
        if device:
            p.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
        if data:
            p.add_argument("--data-root", type=Path, help="where data sets lie (default: $EXPLORER_DATA, else ./data)")
        if seed:
            p.add_argument("--seed", type=_seed, default=0, help="seed of everything random (default: 0)")

    train = add(
        "train",
        _train,
        "Train a preset on a data set; Ctrl-C leaves a checkpoint that --resume goes on from.",
    )
    presets = "; ".join(f"{p.name}: {p.summary}" for p in PRESETS.values())
    train.add_argument("--preset", choices=sorted(PRESETS), metavar="PRESET", help=presets)
    train.add_argument("--dataset", help="mnist-5k is always there; see `data list` (default: the preset's)")
    train.add_argument("--only", metavar="CLASS", help="train and measure on the images of one class")
    train.add_argument("--out", type=Path, metavar="DIR", help="folder of the new checkpoint, such as runs/first")
    train.add_argument("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped")
    train.add_argument("--precision", help="auto, float32 or bfloat16 (default: auto)")
    train.add_argument(
        "--save-seconds", type=float, metavar="N", help="save what to resume from every N s (default: 60)"
    )
    train.add_argument("--half", action="store_true", help="store the finished weights as float16: half the size")
    train.add_argument("--now", action="store_true", help="do not wait for other runs on the same device")
    train.add_argument("--no-umap", action="store_true", help="leave out the UMAP of more than two latents")
    train.add_argument("--seed", type=_seed, help="seed of everything random (default: 0)")
    common(train, data=True)
    for f in fields(Recipe):
        if f.type == "bool":
            text = f"{f.metadata['help']} (default: the preset's)"
            train.add_argument(f"--{f.name.replace('_', '-')}", action=argparse.BooleanOptionalAction, help=text)
            continue
        kind: Any = {"int": int, "float": float, "str": str}.get(str(f.type), _widths)
        choices = f.metadata.get("choices")
        train.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=kind,
            choices=choices,
            metavar=None if choices else "N,N" if kind is _widths else "N",
            help=f"{f.metadata['help']} (default: the preset's)",
        )

    evaluate = add("evaluate", _evaluate, "Measure a checkpoint on a data set's test images.")
    evaluate.add_argument("name", type=Path, help="a checkpoint's name, or its folder")
    evaluate.add_argument("--dataset", help="another data set than the one it was trained on")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    common(evaluate, data=True, seed=True)

    sample = add("sample", _sample, "Draw images from the prior into one picture.")
    sample.add_argument("name", type=Path, help="a checkpoint's name, or its folder")
    sample.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    sample.add_argument("--temperature", type=float, default=1.0, help="scale of the prior's draws (default: 1)")
    sample.add_argument("--out", type=Path, default=Path("samples.png"), help="the picture (default: samples.png)")
    common(sample, seed=True)

    encode = add("encode", _encode, "Encode images into an .npz of posterior means and log variances.")
    encode.add_argument("name", type=Path, help="a checkpoint's name, or its folder")
    encode.add_argument("source", help="a folder or zip of images, or an IDX file")
    encode.add_argument("--out", type=Path, default=Path("codes.npz"), help="the file (default: codes.npz)")
    common(encode)

    screening = add("screen", _screen, "Screen pictures of blood cells for malaria.")
    screening.description, screening.formatter_class = _SCREEN, argparse.RawDescriptionHelpFormatter
    screening.add_argument("source", type=Path, help="a folder of pictures at any depth, a .zip of one, or a picture")
    screening.add_argument("--out", type=Path, default=Path("scores.csv"), help="the table (default: scores.csv)")
    common(screening)

    listing = add("list", _list, "List checkpoints, newest first.")
    listing.add_argument("--json", action="store_true", help="print JSON")

    export_ = add(
        "export",
        _export,
        "Save encoder and decoder apart, as torch.export programs that need no Latent Explorer.",
    )
    export_.add_argument("name", type=Path, help="a checkpoint's name, or its folder")
    export_.add_argument("--out", type=Path, required=True, help="the folder")

    data = verbs.add_parser(
        "data", help="List, fetch, add or remove data sets.", description="List, fetch, add or remove data sets."
    )
    actions = data.add_subparsers(required=True, metavar="list|fetch|add|remove")
    data_list = actions.add_parser("list", help="which data sets are on this machine")
    data_list.set_defaults(verb=_data_list)
    common(data_list, data=True, device=False)
    fetch = actions.add_parser("fetch", help="download a data set")
    fetch.set_defaults(verb=_data_fetch)
    fetch.add_argument("name", help="mnist, fashion-mnist, cifar10 or malaria")
    common(fetch, data=True, device=False)
    add_ = actions.add_parser("add", help="make a data set of a folder or a zip of your own images")
    add_.set_defaults(verb=_data_add)
    add_.add_argument("source", type=Path, help="a folder or a .zip, a subfolder a class or no classes")
    add_.add_argument("--name", help="what to call it (default: after the source)")
    add_.add_argument("--size", type=int, choices=(28, 32, 64, 128), help="pixels a side (default: what suits)")
    add_.add_argument("--channels", type=int, choices=(1, 3), help="1: gray, 3: colour (default: what suits)")
    common(add_, data=True, device=False)
    remove = actions.add_parser("remove", help="put a data set of your own into the trash")
    remove.set_defaults(verb=_data_remove)
    remove.add_argument("name", help="such as own:cells")
    common(remove, data=True, device=False)
    return parser


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**32 - 1}, not {text!r}")
    return int(text)


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"widths are whole numbers like 256,128, not {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
