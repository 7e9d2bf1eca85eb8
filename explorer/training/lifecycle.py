"""Training: a preset and a data set in, a run's folder with a checkpoint out.

A run follows from its config and seed alone: the order of epoch e is drawn from (seed, e), the posterior's noise
from one generator whose state is saved, so that a run that was stopped or killed goes on bit for bit as if nothing had
happened (on the CPU; a GPU's kernels may add in another order).
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from explorer.checkpoints.folder import SHIPPED, find, is_slug, read_history, recover
from explorer.files.locks import Lock
from explorer.files.owner import NOBODY, Owner
from explorer.models.devices import choose_device
from explorer.training.experiment import Experiment
from explorer.training.interrupts import graceful_interrupt
from explorer.training.loop import Run, train_loop
from explorer.training.presets import TrainConfig
from explorer.training.processes import LostProcess
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import Progress, RunState, Status
from explorer.training.status import StatusWriter

__all__ = ["Progress", "Run", "create_run", "lock_run", "resumed_config", "train", "train_run"]


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Run:
    """Trains a model into the folder `out` at once; see `explorer.train`, which waits for other runs first.

    Raises:
        ValueError: a bad setting, a folder that is taken or in use, or nothing to resume.
        DatasetError: the data set is missing or damaged.
        OSError: the folder cannot be written.
    """
    path = Path(out)
    files = RunFiles(path)
    if not resume:
        create_run(path, config)
    elif not path.is_dir():
        find(path.resolve())  # says that there is none
    with lock_run(path):
        if resume:
            config = resumed_config(path, config)
        files.forget_stop()
        with freed_if_untrained(path, resume=resume):
            return train_run(path, config, on_progress=on_progress, should_stop=should_stop)


@contextlib.contextmanager
def freed_if_untrained(path: Path, *, resume: bool) -> Iterator[None]:
    """Removes the folder of a new run where an error ends it before anything was trained: its name is free again."""
    try:
        yield
    except LostProcess:
        raise
    except Exception:
        if not resume and not (path / "config.json").exists() and not read_history(path):
            shutil.rmtree(path, ignore_errors=True)
        raise


def resumed_config(path: Path, now: TrainConfig, *, device: str | None = None) -> TrainConfig:
    """The config to resume the run in a folder with: its own, save for what `now` may change.

    Epochs beyond those that were planned are a part of their own (`TrainConfig.plan`): what was planned stays as it
    was, warm-up and stages too. With fewer it ends early.

    That goes into the folder's request, so that it also counts when the run is resumed once more. `device` is as for
    `create_run`. The caller holds the run.

    Raises:
        ValueError: there is nothing to resume, or not with this.
    """
    recover(path)
    files = RunFiles(path)
    if (path / "config.json").exists() and (reason := why_not_on(path)):
        raise ValueError(f"{path} cannot be resumed: {reason}")
    if files.request():
        asked = files.config()
    else:  # a checkpoint that was made elsewhere
        asked = TrainConfig.of_checkpoint(find(path.resolve()).config)
    plan = asked.plan
    if (path / "config.json").exists():
        stored = find(path.resolve()).config
        done, planned = stored["epochs_done"], asked.recipe().epochs
        # Until it has saved again, a finished run that was asked to train on has a longer plan than its checkpoint.
        finished = stored.get("status") == RunState.FINISHED and len(stored.get("plan", ())) == len(asked.plan)
        if finished and now.epochs is None:
            raise ValueError(f"{path} cannot be resumed: it has finished, after {done} epochs; ask for more of them")
        if now.epochs is not None and (now.epochs < done or (now.epochs == done and (finished or done != planned))):
            raise ValueError(f"{path.name} has trained for {done} epochs already: ask for more")
        if now.epochs is not None and (finished or now.epochs != planned):
            plan = asked.plan or (planned,)
            more = now.epochs - (done if finished else sum(plan))
            plan = (*plan, more) if more > 0 else plan
    config = replace(
        asked,
        epochs=now.epochs or asked.epochs,
        plan=plan,
        device=asked.device if now.device == "auto" else now.device,
        data_root=now.data_root or asked.data_root,
    )
    config.recipe()
    created = files.request().get("created") or find(path.resolve()).config["created"]
    files.write_request(config, device or str(choose_device(config.device)), created)
    return config


def why_not_on(path: Path) -> str:
    """Says why a checkpoint cannot be trained on, "" where it can. Raises CheckpointError for one that is damaged."""
    if (path / "optimizer.safetensors").is_file():
        return ""
    config = find(path.resolve()).config
    if "recipe" not in config:
        return "it was trained elsewhere"
    if config.get("status", RunState.FINISHED) != RunState.FINISHED:
        return "optimizer.safetensors is missing"
    ended = f"it has finished, after {config['epochs_done']} epochs, and the optimiser's state was not kept"
    if path.resolve().parent == SHIPPED.resolve():
        return f"{ended}, as of all models that ship; train a model of your own with its settings"
    if config.get("weights") == "float16":
        return f"{ended}, as of all runs in half precision; train it anew without"
    return f"{ended}; train it anew with its settings"


def create_run(
    path: Path, config: TrainConfig, *, turn: int | None = None, owner: Owner = NOBODY, device: str | None = None
) -> None:
    """Makes the folder of a new run; one with a `turn` waits in the queue. Raises ValueError or OSError.

    `device` is what it waits for, where that is no device of this computer.
    """
    if not is_slug(path.name):
        raise ValueError(f"{path.name!r} cannot be a run's name: use letters, digits, dot, dash and underscore")
    config.recipe()
    device = device or str(choose_device(config.device))
    if config.data_root is not None:  # the worker may have another working directory
        config = replace(config, data_root=config.data_root.absolute())
    state = RunState.RUNNING if turn is None else RunState.QUEUED
    status = Status(state=state, since=time.time(), turn=turn or 0)
    try:
        RunFiles(path).create(config, device, status, owner)
    except FileExistsError:
        raise ValueError(f"{path} is there already: choose another name, or resume it") from None


def lock_run(path: Path) -> Lock:
    """Lock a run's folder for this process. Raises ValueError when another process trains it."""
    held = RunFiles(path).hold()
    if held is None:
        raise ValueError(f"{path} is being trained by another process")
    return held


def train_run(
    path: Path,
    config: TrainConfig,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    why: str = "",
) -> Run:
    """Train the run in a folder that `create_run` has made and this process holds, from its last save if it has one.

    However it ends, the folder's state says so; `why` is the sentence on a run that `should_stop` has stopped. Raises
    as `train` does.
    """
    files = RunFiles(path)
    status = StatusWriter(files)
    try:
        status.begin()
        recover(path)
        if (path / "optimizer.safetensors").is_file():
            experiment = Experiment.resume(path, config)
        elif (path / "config.json").is_file():
            raise ValueError(f"{path} cannot be resumed: {why_not_on(path)}")
        else:
            experiment = Experiment.start(path, config)
        with graceful_interrupt() as interrupted:
            run = train_loop(
                experiment,
                status,
                on_progress or (lambda _: None),
                lambda: interrupted() or files.asked_to_stop() or bool(should_stop and should_stop()),
            )
    except LostProcess:
        raise  # it still says that it is running, so that it was interrupted once this process has ended
    except BaseException as error:
        status.failed(error)
        raise
    stopped = bool(why) and run.status is RunState.CANCELLED and bool(should_stop and should_stop())
    status.ended(run.status, why if stopped else run.message)
    return run
