"""`python -m benchmarks gpu`, as far as it can be seen without a GPU."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks.gpu import SECTIONS, data
from explorer import datasets
from explorer.training.presets import PRESETS

ROOT = Path(__file__).parents[2]

LIMIT = 1200  # seconds: it trains every preset, on a machine that may be busy
pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT + 60)]


def run(*args, cwd=ROOT, **env):
    command = [sys.executable, "-m", "benchmarks", "gpu", *map(str, args)]
    kept = {k: v for k, v in os.environ.items() if k not in ("EXPLORER_DATA", "OUT")}
    return subprocess.run(command, cwd=cwd, env={**kept, **env}, capture_output=True, text=True, timeout=LIMIT)


def test_the_dry_run_goes_through_all_of_it(tmp_path):
    done = run("--dry-run", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["failed"] == []
    assert set(SECTIONS) < set(report)
    for section in ("agreement", "precision"):
        assert set(report[section]) == set(PRESETS)
        assert {figures["ok"] for figures in report[section].values()} == {"yes"}
    assert set(report["graphs"]) == {*PRESETS, "a capture that fails"}
    assert all(figures["equal"] for figures in report["resume"].values())
    speeds = report["throughput"]["conv-100"]
    assert min(speeds[loop] for loop in ("graph", "eager", "plain_loop", "dataloader")) > 0
    assert report["quality"]["conv-100"]["last"] > 0


def test_a_check_that_fails_is_told_by_the_exit_code(tmp_path):
    """Without its data there is nothing to compare: each preset says so, and the others are tried all the same."""
    done = run("--device", "cpu", "--only", "agreement", "--out", tmp_path, EXPLORER_DATA=str(tmp_path / "none"))
    assert done.returncode == 1
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert set(report["failed"]) == {name for name, preset in PRESETS.items() if preset.dataset != "shapes"}
    assert "is not on this machine" in report["agreement"]["conv-100"]["broke"]


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """A folder with the data sets that a bundle is made of, small."""
    data.generate(tmp_path / "data")
    for file in (tmp_path / "data" / "mnist").iterdir():
        file.rename(file.with_name(f"{file.name}.gz"))  # packed or not, a file is read by what it holds
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_bundle_runs_by_itself_and_keeps_to_its_limit(tmp_path, generated):
    whole = data.pack(tmp_path / "whole", limit=1 << 30)
    assert whole == data.size_of(tmp_path / "whole")
    done = run("--device", "cpu", "--only", "devices", cwd=tmp_path / "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    limit = whole - 100_000
    assert data.pack(tmp_path / "small", limit=limit) <= limit
    with zipfile.ZipFile(tmp_path / "small" / "packed-data" / "malaria" / "cell_images_64.zip") as cells:
        assert 0 < len(cells.namelist()) < 160
    packed = datasets.load("malaria", "train", root=tmp_path / "whole" / "packed-data")
    assert packed.images.equal(datasets.load("malaria", "train", root=generated).images)


def test_a_bundle_without_streamlit_needs_none(tmp_path, generated):
    data.pack(tmp_path / "bundle", limit=1 << 30)
    assert not (tmp_path / "bundle" / "explorer" / "ui").exists()
    script = "import sys; sys.argv = ['', 'gpu', '--help']; import benchmarks.gpu; print('streamlit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "bundle", capture_output=True, text=True, timeout=240
    )
    assert done.stdout.strip() == "False", done.stderr
