"""kill -9 at random moments, of training and of the app: every run goes on to the result of one that nobody disturbed.

The moments are drawn from a seed, but where in the run they fall is up to the machine.
"""

import os
import random
import signal
import sys
import time
import types

import pytest

import explorer
from benchmarks.faults.sound import assert_same
from benchmarks.serving import serve
from explorer import runs
from explorer.files.locks import is_locked
from explorer.runs import queue
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles
from tests import warm_worker
from tests.background import until

NARROW = {"encoder": (64,), "decoder": (64,)}
RUNS = {
    # Each saves at another pace: after every epoch, several times within one, and now and then.
    "dense": {"preset": "mlp-2d", "epochs": 16, "save_seconds": 0.0, "settings": {"batch_size": 40, **NARROW}},
    "sigma": {
        "preset": "mlp-2d",
        "epochs": 7,
        "save_seconds": 0.3,
        "settings": {
            "latent": 5,
            "likelihood": "sigma",
            "batch_norm": True,
            "batch_size": 25,
            **NARROW,
            "patience": 8,
            "keep_best": True,
        },
    },
    "conv": {
        "preset": "conv-100",
        "epochs": 4,
        "save_seconds": 0.2,
        "settings": {"latent": 3, "encoder": (4, 8), "decoder": (8, 4), "schedule": "one-cycle", "optimizer": "adam"},
    },
    "plain": {
        "preset": "ae-2d",
        "epochs": 16,
        "save_seconds": 0.1,
        "settings": {"batch_size": 40, "patience": 20, "keep_best": True, **NARROW},
    },
}
KILLS = 3  # of each run


def config(name):
    return explorer.TrainConfig(dataset="mnist-5k", device="cpu", precision="float32", umap=False, **RUNS[name])


def over(name):
    runs.advance()
    return not runs.run(name).active


def under_way(name):
    """Whether the run's process does something that could be spoilt, or has ended."""
    return at_work(name) or not runs.run(name).active


def at_work(name):
    progress = runs.run(name).progress
    return progress is not None and progress.phase != "starting"


def has_saved(name):
    """Whether the run has a checkpoint to go on from, or has ended."""
    info = runs.run(name)
    return info.has_checkpoint or not info.active


def kill(name):
    """End the run's process, if it still lives, without a chance to say anything."""
    path = runs.run(name).path
    for child in queue._children:  # one at most: the run's, from its very first instant
        child.kill()
        until(lambda: not is_locked(path))
    runs.advance()
    return runs.run(name)


def test_a_run_of_the_app_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(folder, tmp_path):
    """As a person has it: a worker of its own, resumed from the list of runs."""
    name, draw = "dense", random.Random(0)
    runs.submit(config(name), name)
    killed, checkpoints = 0, 0
    while killed < KILLS:
        if draw.random() < 0.8:
            until(lambda: under_way(name))
            time.sleep(draw.uniform(0, 0.25))
        else:
            time.sleep(draw.uniform(0, 2))  # while Python starts, or the data are read
        if killed == KILLS - 1 and not checkpoints:  # as on a machine that was slow so far
            until(lambda: has_saved(name))
        info = kill(name)
        if info.state == "finished":
            break
        assert info.state == "interrupted", info.message
        killed += 1
        checkpoints += info.has_checkpoint
        assert not [c.problem for c in explorer.checkpoints() if c.problem]
        runs.resume(name)
    until(lambda: over(name))
    assert runs.run(name).state == "finished", runs.log_tail(name)
    assert killed >= KILLS - 1, "the run was over before it could be killed: it needs more epochs"
    assert checkpoints > 0
    assert_same(folder / name, explorer.train(config(name), tmp_path / "undisturbed" / name).path)


@pytest.mark.parametrize("name", ["sigma", "conv", "plain"])
def test_a_process_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(folder, tmp_path, monkeypatch, name):
    # Streamlit's test runner leaves its script behind as the main module, and a new process would run that first.
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    draw, path = random.Random(name), folder / name
    lifecycle.create_run(path, config(name))
    killed, checkpoints = 0, 0
    while killed < 5 * KILLS:
        process = warm_worker.server.Process(target=warm_worker.work, args=(path,))
        process.start()
        if killed < KILLS and draw.random() < 0.8:
            until(lambda process=process: not process.is_alive() or at_work(name))
            time.sleep(draw.uniform(0, 0.4))
        else:
            process.join(None if killed >= KILLS else draw.uniform(0, 0.5))
        if killed == KILLS - 1 and not checkpoints:  # as on a machine that was slow so far
            until(lambda process=process: not process.is_alive() or has_saved(name))
        if process.is_alive():
            process.kill()
            process.join()
        info = runs.run(name)
        if info.state == "finished":
            break
        assert info.state == "interrupted", (info.message, runs.log_tail(name))
        killed += 1
        checkpoints += info.has_checkpoint
        assert not [c.problem for c in explorer.checkpoints() if c.problem]
    assert info.state == "finished", runs.log_tail(name)
    assert killed >= KILLS - 1, "the run was over before it could be killed: it needs more epochs"
    assert checkpoints > 0
    assert_same(path, explorer.train(config(name), tmp_path / "undisturbed" / name).path)


def test_an_app_that_is_killed_costs_no_run_anything(folder, tmp_path):
    """The server dies; what runs goes on, what waits is started by the next server."""
    names = ["first", "second"]
    for name in names:
        lifecycle.create_run(folder / name, config("dense"), turn=1)

    def begun():  # by the worker's own word: until then the server holds the run
        return [info for info in runs.active() if info.state == "running" and RunFiles(info.path).status().pid]

    with serve(tmp_path / "server-0.log", EXPLORER_RUNS=str(folder)) as server:
        until(begun)
        os.kill(server.pid, signal.SIGKILL)
    (info,) = begun()
    assert is_locked(info.path), "the run died with the app"
    assert runs.run("second").state == "queued"
    with serve(tmp_path / "server-1.log", EXPLORER_RUNS=str(folder)):
        until(lambda: not runs.active())
    assert [runs.run(name).state for name in names] == ["finished", "finished"]
    undisturbed = explorer.train(config("dense"), tmp_path / "undisturbed" / "dense")
    for name in names:
        assert_same(folder / name, undisturbed.path)
