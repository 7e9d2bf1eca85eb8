"""The queue: one run at a time on a device; people take turns, and each one's runs are in the order of asking."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from explorer import datasets
from explorer.checkpoints.folder import runs_folder, shipped_names
from explorer.errors import RunError
from explorer.files.locks import lock
from explorer.files.owner import NOBODY, Owner, read_owner
from explorer.files.regular import append_regular
from explorer.models.registry import NETWORKS
from explorer.runs import allowance, cluster
from explorer.runs.listing import RunInfo, active, attempt_line, folders, path_of, run, start_problems
from explorer.runs.turns import next_round
from explorer.training import lifecycle
from explorer.training.lifecycle import Run
from explorer.training.presets import TrainConfig, preset
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import Progress, RunState

LOCK_FD = "EXPLORER_RUN_LOCK"  # tells a worker which of its open files is its run's lock


@contextlib.contextmanager
def write_errors() -> Iterator[None]:
    """Turns errors of the file system into a RunError."""
    try:
        yield
    except OSError as error:
        raise RunError(f"The runs folder cannot be written: {error.strerror or error}.") from error


_threads = threading.RLock()  # a file lock keeps processes apart, and would keep this process from itself


@contextlib.contextmanager
def _queue_if_free() -> Iterator[bool]:
    """Keeps others from changing the queue; False when somebody has done so for a second."""
    with _threads:
        folder = runs_folder()
        with write_errors():
            folder.mkdir(parents=True, exist_ok=True)
            held = lock(folder, wait=1.0)
        try:
            yield held is not None
        finally:
            if held is not None:
                held.release()


@contextlib.contextmanager
def locked_queue() -> Iterator[None]:
    """Keeps others from changing the queue. Raises RunError when somebody has done so for long."""
    for _ in range(10):
        with _queue_if_free() as mine:
            if mine:
                yield
                return
    raise RunError("Another process is changing the runs: try again.")


def suggested_epochs(preset_name: str, dataset: str) -> int:
    """Suggests how many epochs take well under a minute on two cores; at most the published number."""
    recipe = preset(preset_name).recipe
    images, shape = allowance.training_images(dataset)
    if shape is not None:  # time goes by values, and the rates below are for 784 of them
        images = max(1, images * math.prod(shape) // 784)
    affordable = (120_000 if NETWORKS[recipe.network].convolves else 240_000) // images
    return max(1, min(recipe.epochs, max(2, affordable)))


def propose_name(dataset: str, what: str) -> str:
    """Proposes a name that is free, of the data and `what` is trained: `mnist-5k-mlp-2d`, then `mnist-5k-mlp-2d-2`."""
    stem = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in dataset.split(":")[-1])
    base = f"{stem.strip('-._')[:32] or 'data'}-{what}"[:56]
    taken = _taken()
    return next(n for i in range(1, 100_000) if (n := base if i == 1 else f"{base}-{i}") not in taken)


def submit(config: TrainConfig, name: str, owner: Owner = NOBODY) -> RunInfo:
    """Queues a run that belongs to somebody or to nobody, and starts it if its device is free.

    Raises:
        RunError: the name is bad or taken, the owner may not start it now, or the folder cannot be written.
        ValueError: a bad setting.
        DatasetError: the data set is not on this machine.
    """
    path_of(name)
    datasets.check(config.dataset or preset(config.preset).dataset, config.data_root)
    with locked_queue(), write_errors():
        path = free_path(name)
        allowance.check_run(config, owner)
        device = cluster.device_of(config.device)
        lifecycle.create_run(path, config, turn=_next_turn(), owner=owner, device=device)
        _give_round(RunFiles(path))
    advance()
    return run(name)


def next_name(name: str) -> str:
    """Finds the next name that is free: a number is counted up, or put behind."""
    stem = name.rstrip("0123456789").rstrip("-") if name[-1:].isdigit() and "-" in name else name
    taken = _taken()
    return next(n for i in range(2, 100_000) if (n := f"{stem[:58]}-{i}") not in taken)


def free_path(name: str) -> Path:
    """The folder of a new run. Raises RunError: its name is bad, or is that of a run or of a model that ships."""
    path = path_of(name)
    if path.exists():
        raise RunError(f"There is a run {name!r} already: choose another name, such as {next_name(name)!r}.")
    if name in _taken():
        raise RunError(f"A model that ships is called {name!r}: choose another name, such as {next_name(name)!r}.")
    return path


def _taken() -> set[str]:
    """The names of all runs and of the models that ship, from which a list could not tell a run."""
    return {path.name for path in folders()} | shipped_names()


def resume(name: str, epochs: int | None = None) -> RunInfo:
    """Queues a run again that has ended; `epochs` is how many it shall have in all, more than it has if it finished.

    Raises:
        RunError: it runs, cannot go on, has trained for so many epochs already, or its owner may not let
            it go on now.
    """
    with locked_queue():
        info = run(name)
        if info.active:
            raise RunError(f"{name} is already {info.state}.")
        if not info.resumable and info.state is not RunState.FINISHED:
            raise RunError(f"{name} cannot be resumed: copy its settings into a new run instead.")
        try:
            if epochs is None or epochs > info.epochs_done:  # else it says below what is wrong
                allowance.check_resumed(info, epochs)
            with write_errors(), lifecycle.lock_run(info.path):
                device = cluster.device_of(info.config.device)
                lifecycle.resumed_config(info.path, TrainConfig(preset="", epochs=epochs), device=device)
                _enqueue(RunFiles(info.path))
        except ValueError as error:
            raise RunError(str(error)) from error
    advance()
    return run(name)


def _enqueue(files: RunFiles) -> None:
    files.forget_stop()
    files.change_status(RunState.QUEUED, turn=_next_turn(), message="")
    _give_round(files)


def _next_turn() -> int:
    """The turn after all that wait or run; the caller holds the queue. A clock may be set back, a count may not."""
    return 1 + max((info.turn for info in active()), default=0)


def _give_round(files: RunFiles) -> None:
    """Puts a queued run into its person's next round; the caller holds the queue. Raises OSError."""
    person = read_owner(files.path).ident
    others = [path for path in folders() if path != files.path]
    live = [info for info in active() if info.path != files.path]
    past = [(read_owner(path).ident, status.round) for path in others if (status := RunFiles(path).status()).seconds]
    files.change_status(
        RunState.QUEUED,
        round=next_round(
            own=[info.round for info in live if info.owner.ident == person]
            + [number for ident, number in past if ident == person],
            active=[info.round for info in live],
            past=[number for _, number in past],
        ),
    )


def advance() -> None:
    """Starts what is next in the queue of each free device. The app calls this every second."""
    _reap()
    waiting = [info for info in active() if info.state is RunState.QUEUED]
    if any(cluster.on_cluster(info.device) for info in waiting):
        with _threads, contextlib.suppress(OSError):
            _children.extend(cluster.dispatch())
    if all(cluster.on_cluster(info.device) for info in waiting):
        return
    with _queue_if_free() as mine:
        if not mine:
            return
        for info in _next_up():
            if RunFiles(info.path).alive:  # a process waits in it for its turn, and takes it itself
                continue
            try:
                _start(info)
                start_problems.pop(info.name, None)
            except OSError as error:  # the next in line has its turn, and this one another when something ends
                start_problems[info.name] = f"It cannot be started: {error.strerror or error}."


def take_turn(name: str) -> bool:
    """Says, to a process that holds its queued run, whether its turn has come; from then on the run is running."""
    advance()
    with _queue_if_free() as mine:
        if not mine or name not in [info.name for info in _next_up()]:
            return False
        RunFiles(path_of(name)).change_status(RunState.RUNNING)
        return True


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    wait: bool = True,
    on_wait: Callable[[RunInfo], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Run:
    """Trains a model into the folder `out`, in this process, where the app can watch it.

    A run in the runs folder waits for those before it on its device; another folder's is nobody else's business.
    Ctrl-C (in the main thread), `should_stop` and the app's cancel end it within 32 steps, on a GPU within a second
    or so, with a checkpoint that loads and resumes, and with status `cancelled`; a second Ctrl-C ends it at once. A
    loss that is not finite ends it with status `failed` and the last good epoch's weights.

    Args:
        config: when resuming, only its epochs, device and data_root count, where they are not the defaults.
        out: the checkpoint folder; its name must be a slug.
        resume: go on with the run in `out`, or train it on where it has finished and `config` asks for more epochs.
        wait: for other runs; without it the run begins at once.
        on_wait: called with the run as long as it waits, twice a second; without it, a warning in the log says it once.
        on_progress: called with every look at the loss.
        should_stop: asked at every look at the loss, and while the run waits.

    Raises:
        ValueError: a bad setting, a folder that is taken or in use, or nothing to resume.
        DatasetError: the data set is missing or damaged.
        OSError: the folder cannot be written.
        KeyboardInterrupt: Ctrl-C, `should_stop` or the app's cancel, before its turn came.
    """
    path = Path(out)
    if not wait or path.resolve().parent != runs_folder().resolve():
        return lifecycle.train(config, path, resume=resume, on_progress=on_progress, should_stop=should_stop)
    name, path = path.name, path_of(path.name)
    files = RunFiles(path)
    if not resume:
        datasets.check(config.dataset or preset(config.preset).dataset, config.data_root)
    elif not path.is_dir():
        raise RunError(f"There is no run {name!r}.")
    with locked_queue():  # so that nobody sees it queued before it is held, and starts it
        if not resume:
            lifecycle.create_run(free_path(name), config, turn=_next_turn())
            _give_round(files)
        held = lifecycle.lock_run(path)
        try:
            if resume:
                config = lifecycle.resumed_config(path, config)
                _enqueue(files)
        except BaseException:
            held.release()
            raise
    with held:
        try:
            on_wait = on_wait or say_once("wait=False does not wait")
            while not take_turn(name):
                info = run(name)
                stopped = files.asked_to_stop() or bool(should_stop and should_stop())
                if stopped or info.state is not RunState.QUEUED:
                    raise KeyboardInterrupt
                on_wait(info)
                time.sleep(0.5)
        except BaseException:  # whatever it is: left in the queue, it would be started by the app
            with contextlib.suppress(OSError):
                files.change_status(RunState.CANCELLED)
                files.forget_stop()
            raise
        with lifecycle.freed_if_untrained(path, resume=resume):
            return lifecycle.train_run(path, config, on_progress=on_progress, should_stop=should_stop)


def say_once(how_not_to: str) -> Callable[[RunInfo], None]:
    """Makes an `on_wait` that warns once that a run waits: in the log, which goes to stderr where nobody set it up."""
    said = False

    def say(info: RunInfo) -> None:
        nonlocal said
        if not said:
            said = True
            before = "one run goes" if info.position < 2 else f"{info.position} runs go"
            logging.getLogger(__name__).warning("waiting for %s: %s first (%s)", info.device, before, how_not_to)

    return say


def _next_up() -> list[RunInfo]:
    """The first in the queue of every device on which nothing runs."""
    found = [info for info in active() if not cluster.on_cluster(info.device)]
    busy = {info.device for info in found if info.state is RunState.RUNNING}
    first: dict[str, RunInfo] = {}
    for info in found:
        if info.state is RunState.QUEUED and info.device not in busy and info.name not in start_problems:
            first.setdefault(info.device, info)
    if not first and not busy:
        start_problems.clear()  # nothing else to do: what stood in the way may have passed
    return list(first.values())


_children: list[subprocess.Popen[bytes]] = []


def _reap() -> None:
    """Collects the exit codes of workers that ended, or they would stay as zombies."""
    with _threads:
        _children[:] = [child for child in _children if child.poll() is None]


def _start(info: RunInfo) -> None:
    """Starts the worker of a queued run, which holds the run's lock from its first instant, as it inherits it."""
    files = RunFiles(info.path)
    held = files.hold()
    if held is None:
        return
    with held:
        files.change_status(RunState.RUNNING, pid=None, progress=Progress(phase="starting"))
        environment = {
            **cluster.environment(),
            LOCK_FD: str(held.fd),
            # Threads that wait for one another shall sleep, not spin: somebody wants to look at the app meanwhile.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        }
        try:
            with append_regular(files.log) as log:
                log.write(attempt_line())
                log.flush()
                child = subprocess.Popen(  # noqa: S603 - our own module, and a folder whose name is a slug
                    [sys.executable, "-P", "-m", "explorer.runs.worker", str(info.path.absolute())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=[held.fd],
                    start_new_session=True,  # Ctrl-C in the app's terminal is not meant for its runs
                )
        except OSError as error:
            message = f"The process could not be started: {error.strerror or error}."
            files.change_status(RunState.FAILED, message=message, progress=None)
            raise
    with _threads:
        _children.append(child)
