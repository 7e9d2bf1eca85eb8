"""What one person may use: the limits of a class, and what the computer keeps for itself."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from explorer import runs
from explorer.errors import RunError
from explorer.files.hosting import VARIABLE, hosting, limits
from explorer.files.limits import CLASS, Limits
from explorer.files.owner import NOBODY, Owner
from explorer.models.devices import main_memory
from explorer.runs import allowance
from explorer.training import lifecycle
from explorer.training.presets import TrainConfig
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from tests import background
from tests.background import until

ANNA, BEN = Owner("anna"), Owner("ben")


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs in which nothing starts, and no data but the installation's."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("explorer.runs.queue._start", lambda info: None)
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with a host's settings, still without any."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "hosting.toml"))
    (tmp_path / "hosting.toml").write_text("", "utf-8")
    return tmp_path / "hosting.toml"


def config(epochs: int = 1, **settings: object) -> TrainConfig:
    return TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=epochs, settings=settings, device="cpu")


def queue(space: Path) -> list[str]:
    return [info.name for info in runs.active()]


def test_without_settings_there_is_no_limit_but_the_computers(space, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert limits(NOBODY) == limits(ANNA) == Limits()
    assert [getattr(Limits(), name) for name in ("runs", "images", "weights", "minutes", "disk_gb", "jobs")] == [
        None
    ] * 6
    for i in range(5):
        runs.submit(config(100_000), f"run-{i}")
    assert queue(space) == [f"run-{i}" for i in range(5)]


def test_a_third_run_waits_for_one_to_end(space):
    for name in ("one", "two"):
        runs.submit(config(), name, ANNA)
    with pytest.raises(RunError, match="2 runs of yours wait or run, as many as one person may have here"):
        runs.submit(config(), "three", ANNA)
    runs.submit(config(), "other", BEN)
    runs.cancel("one")
    runs.submit(config(), "three", ANNA)
    with pytest.raises(RunError, match="as many as one person may"):
        runs.resume("one")


def test_people_take_turns(space):
    runs.submit(config(), "anna-1", ANNA)
    runs.submit(config(), "anna-2", ANNA)
    runs.submit(config(), "ben-1", BEN)
    runs.submit(config(), "ben-2", BEN)
    assert queue(space) == ["anna-1", "ben-1", "anna-2", "ben-2"]
    assert [info.position for info in runs.active()] == [1, 2, 3, 4]


def test_a_run_has_so_many_images(space):
    with pytest.raises(RunError, match=r"751 epochs of 4,000 images are more than the 3,000,000 images .* 750 epochs"):
        runs.submit(config(751), "long", ANNA)
    runs.submit(config(750), "long", ANNA)


def test_a_model_has_so_many_weights(space):
    with pytest.raises(RunError, match=r"has 2\d,\d{3},\d{3} weights, and a model may have 20,000,000 here"):
        runs.submit(config(encoder=(4096, 4096)), "wide", ANNA)


def test_a_run_that_has_trained_its_time_is_not_resumed(space):
    lifecycle.create_run(space / "long", config(), turn=1, owner=ANNA)
    RunFiles(space / "long").change_status(RunState.CANCELLED, seconds=60.0 * CLASS.minutes)
    with pytest.raises(RunError, match="has trained for 20 minutes, as long as a run may here"):
        runs.resume("long")


def test_disk_of_a_person(space, settings):
    settings.write_text("[limits]\ndisk_gb = 0.001", "utf-8")
    runs.submit(config(), "one", ANNA)
    assert runs.count_active(ANNA) == 1
    before = runs.disk_used(ANNA)
    (space / "one" / "frames").mkdir()
    (space / "one" / "frames" / "large").write_bytes(bytes(1_000_000))
    assert runs.disk_used(ANNA) == before + 1_000_000
    assert runs.disk_used(BEN) == 0
    with pytest.raises(RunError, match=r"take 0.001 GB, and one person may have 0.001 GB here: delete some"):
        runs.submit(config(), "two", ANNA)


def test_a_disk_that_is_nearly_full_stops_new_runs(space, monkeypatch):
    runs.submit(config(), "before")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=900_000_000))
    with pytest.raises(RunError, match=r"The disk is nearly full: 0\.9 GB are left, and 5 GB must stay"):
        runs.submit(config(), "one")
    assert queue(space) == ["before"]


def test_settings(settings):
    settings.write_text("[limits]\nruns = 5\nminutes = false\nmemory_share = 0.2", "utf-8")
    found = hosting()
    assert found is not None
    assert found.limits == replace(CLASS, runs=5, minutes=None, memory_share=0.2) == limits(ANNA)
    assert limits(NOBODY) == Limits(memory_share=0.2, free_gb=5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rums = 2", "has no limit “rums”"),
        ("runs = 0", "as a number above 0, or as false"),
        ("runs = true", "as a number above 0, or as false"),
        ('runs = "2"', "as a number above 0, or as false"),
        ("free_gb = false", "as a number above 0"),
        ("memory_share = 40", "as a share, such as 0.4"),
    ],
)
def test_settings_that_make_no_sense(text, problem, settings):
    settings.write_text(f"[limits]\n{text}", "utf-8")
    with pytest.raises(ValueError, match=problem):
        hosting()


def test_images_of_a_run(space):
    assert allowance.images(config(7)) == 28_000


def test_the_memory_of_this_computer():
    assert 100_000_000 < main_memory() < 10**14


@pytest.mark.slow
def test_a_run_ends_when_its_time_is_up(folder, settings):
    settings.write_text("[limits]\nminutes = 0.005\nimages = false", "utf-8")
    runs.submit(background.config(50_000), "long", ANNA)
    info = until(lambda: background.ended("long"))
    assert (info.state, info.has_checkpoint) == ("cancelled", True)
    assert info.message == "It has trained for 0.005 minutes, as long as a run may here."


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process asks for")
def test_a_run_that_needs_too_much_memory_dies_alone(folder, settings):
    settings.write_text(f"[limits]\nweights = false\nmemory_share = {2e9 / main_memory()}", "utf-8")
    # Weights of 1.6 GB, and as much for their gradients.
    runs.submit(background.config(1, encoder=(20_000, 20_000)), "large", ANNA)
    info = until(lambda: background.ended("large"))
    assert info.state == "failed"
    assert info.message == "There was not enough memory: choose a smaller batch or a smaller network"
