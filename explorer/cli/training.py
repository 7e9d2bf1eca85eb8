"""`train`: a preset on a data set, with a progress bar, in the queue that the app sees."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.checkpoints.folder import runs_folder
from explorer.cli.common import Verb, add_data_root, add_device, add_seed, add_verb
from explorer.models.options import help_of
from explorer.training.presets import PRESETS, Recipe, TrainConfig
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState

if TYPE_CHECKING:
    from explorer.training.lifecycle import Progress, Run


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(
        verbs,
        "train",
        _together(train),
        "Train a preset on a data set; Ctrl-C leaves a checkpoint that --resume goes on from.",
    )
    presets = "; ".join(f"{p.name}: {p.summary}" for p in PRESETS.values())
    parser.add_argument("--preset", choices=sorted(PRESETS), metavar="PRESET", help=presets)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the new checkpoint, such as runs/first")
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="DIR",
        help="go on with a run that was stopped, or train on one that has finished, with --epochs for how many in all",
    )
    add_seed(parser, default=None)
    _add_settings(parser)

    about = "Train a preset for several values of a setting or two, and several seeds."
    parser = add_verb(verbs, "sweep", _together(sweep), about)
    parser.add_argument("--preset", choices=sorted(PRESETS), metavar="PRESET", required=True, help=presets)
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="SETTING=N,N",
        help="values of a setting, such as beta=0.1,1,10; twice for two settings",
    )
    parser.add_argument("--seeds", default="0", metavar="N,N", help="seeds of each value (default: 0)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="runs/mine trains runs/mine-beta0.1 and so on"
    )
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds what both verbs take: where to train on what, and each field of a run's config and of a recipe.

    Settings that are not given are None.
    """
    parser.add_argument("--dataset", help="mnist-5k is always there; see `data list` (default: the preset's)")
    parser.add_argument("--now", action="store_true", help="do not wait for other runs on the same device")
    add_device(parser)
    add_data_root(parser)
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


def _together(verb: Verb) -> Verb:
    """The verb by all processes that torchrun has started: the first does it, and the others what that one says."""

    def by_all(args: argparse.Namespace) -> int:
        import torch

        from explorer.training import processes
        from explorer.training.loop import make_step

        if not processes.started():
            return verb(args)
        own = ("verb", "data_root")  # of a machine
        asked = repr([__version__, torch.__version__, *((k, v) for k, v in vars(args).items() if k not in own)])
        with processes.join(hashlib.sha256(asked.encode()).hexdigest()) as leads:
            if leads:
                return verb(args)
            processes.follow(make_step, args.data_root)
            return 0

    return by_all


def train(args: argparse.Namespace) -> int:
    out = _folder(args)
    run = _run(_config(args), out, resume=bool(args.resume), now=args.now)
    if run.status == "finished":
        print(f"{run.path}: {_one_line(run.metrics)}" + (f"\n{run.message}" if run.message else ""))
        return 0
    if run.status == "cancelled":
        print(f"{run.path}: stopped after {len(run.history)} epochs; go on with --resume {run.path}")
        return 130
    print(f"explorer: {run.message}", file=sys.stderr)
    return 1


def sweep(args: argparse.Namespace) -> int:
    """Trains the runs that are not there yet, so that a sweep that was stopped goes on."""
    from explorer.runs import cluster
    from explorer.training.sweep import plan, read_values

    over = {}
    for text in args.over:
        name, _, values = text.partition("=")
        setting = name.strip().replace("-", "_")
        over[setting] = read_values(setting, values)
    try:
        seeds = sorted({int(seed) for seed in args.seeds.split(",")})
    except ValueError:
        raise ValueError(f"--seeds are whole numbers such as 0,1,2, not {args.seeds}") from None
    runs = plan(_config(args), args.out.name, over, seeds)
    if cluster.address() and not args.now and args.out.parent.resolve() == runs_folder().resolve():
        return _on_cluster(runs)
    for number, (name, config) in enumerate(runs.items(), 1):
        path = args.out.parent / name
        done = RunFiles(path).status().state is RunState.FINISHED
        print(f"{number} of {len(runs)}: {path}{' is there already' if done else ''}", flush=True)
        if done:
            continue
        run = _run(config, path, resume=path.is_dir(), now=args.now)
        if run.status == "cancelled":
            print(f"stopped: the same command goes on with {path}")
            return 130
        print(_one_line(run.metrics) if run.status == "finished" else f"explorer: {run.message}", flush=True)
    return 0


def _on_cluster(configs: dict[str, TrainConfig]) -> int:
    """Hands all runs to the cluster, and says how each ends; they go on when this is stopped."""
    from explorer import runs

    for name, config in configs.items():
        if not (runs_folder() / name).is_dir():
            runs.submit(config, name)
        elif (info := runs.run(name)).resumable and not info.active:
            runs.resume(name)
    waiting, finished = list(configs), 0
    said = ""
    while waiting:
        runs.advance()
        for info in map(runs.run, tuple(waiting)):
            if info.state is RunState.QUEUED and info.message and info.message != said:
                said = info.message
                print(f"explorer: {said}", file=sys.stderr, flush=True)
            if not info.active:
                waiting.remove(info.name)
                finished += info.state is RunState.FINISHED
                print(f"{info.path}: {_one_line(info.test) or info.state}", flush=True)
                if info.message:
                    print(f"explorer: {info.name}: {info.message}", file=sys.stderr, flush=True)
        time.sleep(1)
    return 0 if finished == len(configs) else 1


def _run(config: TrainConfig, path: Path, *, resume: bool, now: bool) -> Run:
    from explorer.runs.queue import say_once, train

    on_wait = say_once("--now does not wait")
    with contextlib.closing(_Bar()) as bar:
        return train(config, path, resume=resume, wait=not now, on_wait=on_wait, on_progress=bar.show)


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
    if given.get("resume") and (fixed := [*settings, *own]):
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
