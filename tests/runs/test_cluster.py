"""Runs on a Ray cluster: `make test-ray`. Two nodes on this computer, of which one is lost in the middle of a sweep."""

import os
import re
import shlex
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import explorer
from explorer import runs
from explorer.checkpoints.folder import read_tensors
from explorer.runs import cluster, dispatcher
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from tests.background import config, python, state, trains, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WAIT_LONG = 600  # seconds: Ray starts some forty processes before the first run's


@pytest.fixture
def nodes(folder, monkeypatch):
    """A cluster with a head that computes nothing, and two nodes for two runs each."""
    utils = pytest.importorskip("ray.cluster_utils")
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        monkeypatch.setenv("EXPLORER_RAY", made.address)
        yield made, [made.add_node(num_cpus=2, include_dashboard=False) for _ in range(2)]
    finally:
        for info in runs.active():
            runs.cancel(info.name)
        until(lambda: not runs.active())
        made.shutdown()


def sweep(folder):
    """The sweep of docs/scale.md, with small networks."""
    (line,) = re.findall(r"^python -m explorer (sweep .*)", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.M)
    small = "--encoder 16 --decoder 16 --batch-size 40 --epochs 20 --no-umap --device cpu"
    return python(
        *("-m", "explorer", *shlex.split(line), *small.split()),
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.ray
def test_a_lost_node_interrupts_its_runs_which_go_on_elsewhere_bit_for_bit(nodes, folder, tmp_path):
    made, (lost, _) = nodes
    names = [f"swept-beta{beta}-seed{seed}" for beta in ("0.5", "1") for seed in range(2)]
    with sweep(folder) as first:
        until(lambda: all((folder / name).is_dir() and trains(name) for name in names), seconds=WAIT_LONG)
        made.remove_node(lost, allow_graceful=False)
        gone = until(lambda: len(found := [n for n in names if state(n) == "interrupted"]) == 2 and found)
        first.communicate(timeout=WAIT_LONG)
    assert first.returncode == 1
    with sweep(folder) as again:
        said, _ = again.communicate(timeout=WAIT_LONG)
    assert again.returncode == 0, said
    for name in names:
        info = runs.run(name)
        assert (info.state, info.epochs_done) == ("finished", 20)
        assert name in said
    for name in gone:
        info = runs.run(name)
        expected = read_tensors(explorer.train(info.config, tmp_path / name).path / "model.safetensors")
        found = read_tensors(info.path / "model.safetensors")
        assert all((found[key] == expected[key]).all() for key in expected)


@pytest.mark.ray
def test_what_a_cluster_lacks_is_said_and_costs_no_run(nodes, folder, monkeypatch, tmp_path):
    """Fewer CPUs and GPUs than asked for, and nodes that do not see the runs folder: theirs has another `cwd`."""

    def said(name, text):
        until(lambda: runs.advance() or text in runs.run(name).message, WAIT_LONG)
        assert state(name) in ("queued", "failed")
        runs.cancel(name)

    monkeypatch.setenv("EXPLORER_RAY_CPUS", "64")
    runs.submit(config(), "wide")
    runs.submit(replace(config(), device="cuda"), "fast")
    said("fast", "The Ray cluster has no GPU: choose the device cpu.")
    said("wide", "No node of the Ray cluster has 64 CPUs: start another node, or set EXPLORER_RAY_CPUS to less.")
    monkeypatch.delenv("EXPLORER_RAY_CPUS")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setenv("EXPLORER_RUNS", "/proc/self/cwd/runs")
    runs.submit(config(), "unseen")
    said("unseen", "the runs folder has to lie on a file system that all nodes share.")


def test_a_node_that_does_not_see_the_runs_folder_says_so(tmp_path):
    watcher = dispatcher._watcher()(str(tmp_path / "runs" / "first"), "", "", {})
    assert watcher.problem().startswith(f"{tmp_path}/runs/first is not there on ")


def test_a_run_that_had_begun_is_tried_as_often_as_others(folder, monkeypatch):
    """Ray is one here of which every process ends at once, before the run has begun."""
    monkeypatch.setenv("EXPLORER_RAY", "127.0.0.1:1")
    monkeypatch.setattr(cluster, "dispatch", list)
    runs.submit(config(), "first")
    actor = SimpleNamespace(problem=SimpleNamespace(remote=lambda: None))
    ray = SimpleNamespace(
        cluster_resources=lambda: {"CPU": 1.0},
        nodes=lambda: [{"Alive": True, "Resources": {"CPU": 1.0}}],
        util=SimpleNamespace(list_named_actors=lambda **_: []),
        remote=lambda _: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: actor)),
        wait=lambda *_, **_all: ([], []),
    )
    files, attempts, asked = RunFiles(folder / "first"), Counter(), {}

    def states(count):
        for _ in range(count):
            dispatcher.hand_over(ray, 1, attempts, asked)
        return state("first")

    assert states(3) == "queued"
    files.change_status(RunState.INTERRUPTED)
    assert states(1) == "interrupted"
    files.change_status(RunState.QUEUED)
    assert states(3) == "queued"
    assert states(1) == "failed"


@pytest.mark.parametrize("place", ["127.0.0.1:1", ""], ids=["unreachable", "unset"])
def test_a_cluster_that_is_not_there_is_said_and_costs_no_run(folder, monkeypatch, place):
    monkeypatch.setenv("EXPLORER_RAY", "127.0.0.1:1")
    monkeypatch.setattr(cluster, "dispatch", list)
    runs.submit(config(), "first")
    monkeypatch.setenv("EXPLORER_RAY", place)
    assert dispatcher.main() == 1
    info = runs.run("first")
    assert (info.state, info.position) == ("queued", 1)
    assert "Ray" in info.message
    assert place or "start the app with EXPLORER_RAY" in info.message or "not installed" in info.message
    runs.cancel("first")
    assert state("first") == "cancelled"
