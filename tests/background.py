"""Runs in processes of their own, as tests start them and wait for them."""

import time

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
