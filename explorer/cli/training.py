"""`train`: a preset on a data set, with a progress bar, in the queue that the app sees."""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.common import add_data_root, add_device, add_seed, add_verb
from explorer.models.options import help_of
from explorer.training.presets import PRESETS, Recipe, TrainConfig

if TYPE_CHECKING:
    from explorer.training.lifecycle import Progress


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        verbs, "train", train, "Train a preset on a data set; Ctrl-C leaves a checkpoint that --resume goes on from."
    )
    presets = "; ".join(f"{p.name}: {p.summary}" for p in PRESETS.values())
    parser.add_argument("--preset", choices=sorted(PRESETS), metavar="PRESET", help=presets)
    parser.add_argument("--dataset", help="mnist-5k is always there; see `data list` (default: the preset's)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the new checkpoint, such as runs/first")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped")
    parser.add_argument("--now", action="store_true", help="do not wait for other runs on the same device")
    add_seed(parser, default=None)
    add_device(parser)
    add_data_root(parser)
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds an option for each field of a run's config and of a recipe; what is not given is None."""
    for f in (*_RUN_OPTIONS, *fields(Recipe)):
        default = "the preset's" if f.name in _RECIPE else "all" if f.default is None else f.default
        option, text = f"--{f.name.replace('_', '-')}", f"{help_of(f)} (default: {default})".replace("%", "%%")
        if f.type == "bool":
            parser.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
            continue
        kind: Any = {"int": int, "float": float}.get(str(f.type), _widths if str(f.type).startswith("tuple") else str)
        choices = f.metadata.get("choices")
        metavar = None if choices else {_widths: "N,N", str: "CLASS"}.get(kind, "N")
        parser.add_argument(option, type=kind, choices=choices and list(choices), metavar=metavar, help=text)


_SHARED = ("seed", "device")  # options that other verbs have, too
_RUN_OPTIONS = [f for f in fields(TrainConfig) if f.metadata and f.name not in _SHARED]
_RECIPE = {f.name for f in fields(Recipe)}


def train(args: argparse.Namespace) -> int:
    from explorer.runs.queue import say_once
    from explorer.runs.queue import train as train_run

    out = _folder(args)
    config = _config(args)
    on_wait = say_once("--now does not wait")
    with contextlib.closing(_Bar()) as bar:
        run = train_run(config, out, resume=bool(args.resume), wait=not args.now, on_wait=on_wait, on_progress=bar.show)
    if run.status == "finished":
        print(f"{run.path}: {_one_line(run.metrics)}")
        return 0
    if run.status == "cancelled":
        print(f"{run.path}: stopped after {len(run.history)} epochs; go on with --resume {run.path}")
        return 130
    print(f"explorer: {run.message}", file=sys.stderr)
    return 1


def _folder(args: argparse.Namespace) -> Path:
    """The run's folder. Raises ValueError where the arguments say nothing or two things of it."""
    if args.resume and args.preset:
        raise ValueError("--resume goes on with a run's own preset: leave --preset out")
    if args.resume and args.out:
        raise ValueError("--resume goes on in the run's own folder: leave --out out")
    out: Path | None = args.resume or args.out
    if out is None or not (args.preset or args.resume):
        raise ValueError("name a --preset and a folder with --out, or a run with --resume")
    return out


def _config(args: argparse.Namespace) -> TrainConfig:
    """What to train. Raises ValueError where a run that goes on is to have other settings than its own."""
    given = {name: value for name, value in vars(args).items() if value is not None}
    settings = {name: value for name, value in given.items() if name in _RECIPE and name != "epochs"}
    own = {name: given[name] for name in (*(f.name for f in _RUN_OPTIONS), "dataset", "seed") if name in given}
    if args.resume and (fixed := [*settings, *own]):
        raise ValueError(f"--resume goes on with a run's own settings: leave --{fixed[0].replace('_', '-')} out")
    return TrainConfig(
        preset=given.get("preset", ""),
        epochs=args.epochs,
        device=args.device,
        data_root=args.data_root,
        settings=settings,
        **own,
    )


class _Bar:
    """A training's progress; made at its first step: an error before it is one line, without an empty bar."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, p: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(unit="epoch", dynamic_ncols=True, bar_format="{desc} {percentage:3.0f}%|{bar}|{postfix}")
        bar = self._bar
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

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _one_line(metrics: dict[str, Any]) -> str:
    names = ("elbo", "reconstruction", "kl", "loss", "mse", "active_units", "n")
    return ", ".join(f"{name} {metrics[name]:.6g}" for name in names if metrics.get(name) is not None)


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"widths are whole numbers like 256,128, not {text!r}") from None
