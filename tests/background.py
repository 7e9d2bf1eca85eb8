"""Runs in processes of their own, as tests start them and wait for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import explorer
from explorer import runs
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles

WAIT = 120  # seconds: a worker imports PyTorch first, on a machine that may be busy


def until(condition, seconds=WAIT):
    """Wait until something is so; what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    return found


@contextmanager
def python(*arguments, **options):
    """A process of Python that is over with the context, as are those that it has started, whatever the test does."""
    with subprocess.Popen([sys.executable, *map(str, arguments)], **options) as process:
        try:
            yield process
        finally:
            process.terminate()  # so that torchrun ends those that it has started
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


def config(epochs=2, **settings):
    narrow = {"encoder": (16,), "decoder": (16,), "batch_size": 40, **settings}
    return explorer.TrainConfig(
        preset="mlp-2d", dataset="mnist-5k", device="cpu", epochs=epochs, umap=False, settings=narrow
    )


def state(name):
    return runs.run(name).state


def trains(name):
    info = runs.run(name)
    assert info.active, (info.message, runs.log_tail(name))
    return info.progress is not None and info.progress.phase == "training" and info


@contextmanager
def held(name: str) -> Iterator[None]:
    """Let a run stand still while it trains: it costs nothing, and what is said of it is looked for without haste."""
    until(lambda: any(info.name == name for info in runs.runs()), 2 * WAIT)
    until(lambda: trains(name), 2 * WAIT)
    pid = RunFiles(runs.run(name).path).status().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ended(name):
    runs.advance()
    info = runs.run(name)
    return None if info.active else info


def forever(name):
    """A run that will not end by itself."""
    runs.submit(config(50_000), name)
    return until(lambda: trains(name))


def finished(folder, *names):
    """Runs of one epoch, trained here."""
    for name in names:
        explorer.train(config(1), folder / name)


def stopped(folder, name, epochs=3, **settings):
    """A run that was cancelled in its first epoch, as the app has it."""
    lifecycle.create_run(folder / name, config(epochs, **settings), turn=1)
    with lifecycle.lock_run(folder / name):
        lifecycle.train_run(folder / name, config(epochs, **settings), should_stop=lambda: True)
    return RunFiles(folder / name)
