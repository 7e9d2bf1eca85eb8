"""What all tests share: shapes checked at run time, where the real data are, one small trained model."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import config as shape_checks

from tests import shapes

if "explorer" in sys.modules:
    raise RuntimeError("explorer was imported before its types and shapes could be checked")
shapes.check_first_calls("explorer")

import torch  # noqa: E402

from explorer import runs  # noqa: E402
from explorer.files.locks import is_locked  # noqa: E402
from explorer.runs import queue  # noqa: E402
from explorer.training.lifecycle import Run, train  # noqa: E402
from explorer.training.presets import TrainConfig  # noqa: E402
from explorer.training.run_folder import RunFiles  # noqa: E402
from tests.background import until  # noqa: E402

pytest_plugins = ["tests.small_files"]

ROOT = Path(__file__).parent.parent

# How long an example takes says how busy the machine is.
settings.register_profile("patient", deadline=None, max_examples=50)
settings.load_profile("patient")

# One thread: sums come in one order, and tests are quicker than with threads that wait for a busy core.
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start, too
torch.set_num_threads(1)


TRAINS = {"tiny_run", "small_train", "runs", "folder", "space"}
"""Fixtures that train a model, or in whose folder a test starts processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what trains, or reads the full data sets, as slow, so that `make check` leaves it out."""
    for item in items:
        if TRAINS & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("data"):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the full data sets. Where there is none a test is skipped; continuous integration has one."""
    named = os.environ.get("EXPLORER_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder.resolve()
    reason = "the full data sets are not here: name their folder by EXPLORER_DATA"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _checked_unless_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """The first calls are checked anew; a test marked `unchecked` sees what the code itself says of wrong types."""
    shapes.calls.clear()
    shape_checks.update("jaxtyping_disable", request.node.get_closest_marker("unchecked") is not None)
    yield
    shape_checks.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _data_where_marked(request: pytest.FixtureRequest) -> None:
    """A test marked `data` looks for the data first, whether or not it asks for their folder."""
    if request.node.get_closest_marker("data"):
        request.getfixturevalue("data_root")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model of two latents, trained for two epochs on 4,000 digits: `runs/tiny` in a folder of its own."""
    folder = tmp_path_factory.mktemp("tiny") / "runs" / "tiny"
    config = TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=2, device="cpu")
    return train(config, folder)


@pytest.fixture
def tiny_runs(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `runs` that holds `tiny`, in place of the person's own."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tiny_run.path.parent))
    return tiny_run.path.parent


@pytest.fixture
def small_train(tmp_path: Path) -> Callable[..., Run]:
    """`train` for a narrow network on `mnist-5k`: keywords are the config's, the settings' or `train`'s."""

    def run(name: str = "run", *, out: Path | None = None, **options: object) -> Run:
        passed = {k: options.pop(k) for k in ("resume", "on_progress", "should_stop") if k in options}
        known = {
            k: options.pop(k)
            for k in ("preset", "dataset", "only", "epochs", "seed", "half", "umap", "train_on", "data_root")
            if k in options
        }
        resuming = bool(passed.get("resume"))
        narrow = {} if resuming or known.get("preset") == "conv-100" else {"encoder": (16,), "decoder": (16,)}
        config = TrainConfig(
            **{"preset": "mlp-2d", "dataset": "mnist-5k", "device": "cpu", "umap": False, **known},  # type: ignore[arg-type]
            settings={**narrow, **options},
        )
        return train(config, out or tmp_path / name, **passed)  # type: ignore[arg-type]

    return run


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of runs start without the seconds in which PyTorch is imported; else they are a person's."""
    from tests import warm_worker

    monkeypatch.setattr(queue, "subprocess", warm_worker)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty runs folder; whatever still runs in it at the end is ended."""
    place = tmp_path / "runs"
    monkeypatch.setenv("EXPLORER_RUNS", str(place))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield place
    for info in runs.active():
        pid = RunFiles(info.path).status().pid
        if info.state == "running" and pid and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(is_locked(p) for p in place.glob("*")))
    until(lambda: (runs.advance(), not queue._children)[1])
