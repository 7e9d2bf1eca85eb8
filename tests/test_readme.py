"""The README keeps its word: its figures are the checkpoints' own, its commands and its Python run."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from explorer.__main__ import main
from explorer.checkpoints.folder import SHIPPED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def results():
    """Rows of the table of results: checkpoint's name to its cells."""
    table = README.split("<!-- results -->")[1].split("<!-- /results -->")[0]
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table.strip().splitlines()]
    return rows[0], {row[0].strip("`"): row for row in rows[2:]}


MEASURED = ROOT / "benchmarks" / "results"  # of models whose weights are too large to ship


def test_the_table_has_every_shipped_checkpoint_and_every_measured_one():
    _, rows = results()
    assert set(rows) == {p.name for p in SHIPPED.iterdir()} | {p.stem for p in MEASURED.glob("*.json")}


@pytest.mark.parametrize("name", sorted(results()[1]))
def test_the_figures_are_the_checkpoints_own(name):
    header, rows = results()
    row = dict(zip(header, rows[name], strict=True))
    if (SHIPPED / name).is_dir():
        metrics = json.loads((SHIPPED / name / "metrics.json").read_text())
        config = json.loads((SHIPPED / name / "config.json").read_text())
    else:
        found = json.loads((MEASURED / f"{name}.json").read_text())
        metrics, config = found["metrics"], found["config"]
    assert float(row["loss"].replace("−", "-")) == pytest.approx(metrics["loss"], abs=0.005)
    assert float(row["MSE"]) == pytest.approx(metrics["mse"], abs=5e-6)
    assert row["active"] == f"{metrics['active_units']} of {config['model']['latent']}"
    assert row["epochs"].split(",")[0] == str(config["epochs_done"])
    if metrics["elbo"] is None:
        assert row["ELBO"] == "—"
    else:
        assert float(row["ELBO"].replace("−", "-")) == pytest.approx(metrics["elbo"], abs=0.05)


@cache
def help_text(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit, match=r"^0$"):
        main([*arguments])
    return shown.getvalue()


def test_the_commands_are_those_of_the_program():
    commands = [line for text in block("sh") for line in text.splitlines() if line.startswith("python -m explorer")]
    assert len(commands) >= 8
    for line in commands:
        verb = shlex.split(line, comments=True)[3:]
        options = [word for word in verb if word.startswith("-")]
        help_ = [*verb[: 2 if verb[0] == "data" else 1], "--help"]
        assert all(re.search(rf"(?<![\w-]){re.escape(o)}\b", help_text(*help_)) for o in options), line


@pytest.mark.slow
def test_the_python_runs(tmp_path):
    code = "\n".join(block("python"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "first" / "model.safetensors").is_file()
    assert (tmp_path / "walk.gif").read_bytes()[:6] == b"GIF89a"
