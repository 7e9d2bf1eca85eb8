"""README and docs keep their word: figures are the checkpoints' own, commands and Python run, links lead somewhere."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import grimp
import numpy as np
import pytest
import torch

import explorer
from explorer.__main__ import main
from explorer.checkpoints.folder import SHIPPED
from explorer.models import ModelConfig, build

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
WITH_PYTHON = [README, ROOT / "docs" / "python.md"]
MEASURED = ROOT / "benchmarks" / "results"  # of models whose weights are too large to ship


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, but for those that are files to be."""
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    return [block for block in found if not re.match(r"# \S+\.py\n", block)]


def results() -> tuple[list[str], dict[str, list[str]]]:
    """The head of the table of results, and its rows by the checkpoint's name."""
    table = (ROOT / "docs" / "models.md").read_text("utf-8").split("<!-- results -->")[1].split("<!-- /results -->")[0]
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table.strip().splitlines()]
    return rows[0], {row[0].strip("`"): row for row in rows[2:]}


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
    with torch.device("meta"):
        latents = build(ModelConfig.from_json(config["model"])).latent
    assert row["active"] == f"{metrics['active_units']} of {latents}"
    assert row["epochs"].split(",")[0] == str(config["epochs_done"])
    if metrics["elbo"] is None:
        assert row["ELBO"] == "—"
    else:
        assert float(row["ELBO"].replace("−", "-")) == pytest.approx(metrics["elbo"], abs=0.05)


@cache
def help_text(*arguments: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit, match=r"^0$"):
        main([*arguments])
    return shown.getvalue()


def test_the_commands_are_those_of_the_program():
    commands = [
        re.sub(r"^(python -m explorer|latent-explorer)", "", line)
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith(("python -m explorer ", "latent-explorer "))
    ]
    words = [shlex.split(command, comments=True) for command in commands]
    verbs = {typed[0] for typed in words if typed}
    assert verbs == set(re.findall(r"^    ([a-z]+) ", help_text("--help"), re.M)), "a verb has no example"
    for typed in filter(None, words):
        help_ = help_text(*typed[: 2 if typed[0] == "data" else 1], "--help")
        for option in (word for word in typed if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}\b", help_), typed


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_the_python_runs(page, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks(page, "python"))],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs").glob("*/model.safetensors"))


def test_a_checkpoint_is_read_as_its_format_says(monkeypatch):
    page = ROOT / "docs" / "checkpoint-format.md"
    monkeypatch.chdir(ROOT)
    read: dict[str, np.ndarray] = {}
    exec("\n".join(blocks(page, "python")), read)
    expected = explorer.load("mnist-mlp-2d", device="cpu").decode(read["code"][None])[0].numpy()
    np.testing.assert_allclose(read["image"], expected, atol=1e-5)
    assert_named(*SHIPPED.iterdir())


@pytest.mark.slow
def test_the_format_names_what_is_written_today(tiny_run):
    assert_named(tiny_run.path)


def assert_named(*checkpoints: Path) -> None:
    """The page on the format names their files, and the tensors of their codes."""
    page = (ROOT / "docs" / "checkpoint-format.md").read_text("utf-8")
    named = set(re.findall(r"`([\w.]+)/?`", page))
    assert {file.name for folder in checkpoints for file in folder.iterdir()} <= named
    assert {name for folder in checkpoints for name in _tensors(folder / "latents.safetensors")} <= named


def _tensors(file: Path) -> list[str]:
    with file.open("rb") as f:
        return [name for name in json.loads(f.read(int.from_bytes(f.read(8), "little"))) if name != "__metadata__"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    for link in (link for link in links if not link.startswith(("http:", "https:"))):
        file, _, heading = link.partition("#")
        target = (page.parent / file) if file else page
        assert target.exists(), link
        if heading:
            assert heading in _anchors(target.read_text("utf-8")), link


def _anchors(text: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def test_every_picture_and_every_page_is_linked():
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert not [page.name for page in (ROOT / "docs").glob("*.md") if f"{page.name})" not in text]
    assert not [picture.name for picture in (ROOT / "docs" / "pictures").iterdir() if picture.name not in text]


def test_the_readme_is_short_and_begins_with_the_two_commands():
    lines = README.read_text("utf-8").splitlines()
    assert len(lines) <= 150
    assert [line.split("#")[0].strip() for line in lines[3:5]] == ["make run", "make test"]


def test_the_picture_of_the_architecture_has_the_arrows_of_the_code():
    picture = README.read_text("utf-8").split("<!-- architecture -->")[1].split("<!-- /architecture -->")[0]
    picture = picture.replace("main[", "__main__[").replace("main -->", "__main__ -->")
    names = set(re.findall(r"^  (\w+)\[", picture, re.M)) - {"screens"}
    drawn: dict[str, set[str]] = {name: set() for name in names}
    for caller, called in re.findall(r"^  (\w+)(?:\[.*\])? --> (.*)$", picture, re.M):
        drawn.get(caller, set()).update(called.split(" & "))
    graph = grimp.build_graph("explorer", cache_dir=None)
    rooms = graph.find_children("explorer")
    assert names == {room.removeprefix("explorer.") for room in rooms}
    called = {room: {_room(m) for m in _called(graph, room)} - {room, "explorer"} for room in names}
    assert not {(room, other) for room in names for other in drawn[room] - called[room]}, "arrows that are no imports"
    assert not {(room, other) for room in names for other in called[room] - _reached(drawn, room)}, "without an arrow"
    for rank, layer in enumerate(layers := _layers()):
        above = {name for higher in layers[:rank] for name in higher}
        assert not any(drawn[room] & (above | layer) for room in layer)


def _called(graph: grimp.ImportGraph, room: str) -> set[str]:
    modules = {f"explorer.{room}", *graph.find_descendants(f"explorer.{room}")}
    return {called for module in modules for called in graph.find_modules_directly_imported_by(module)}


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def _reached(drawn: dict[str, set[str]], room: str) -> set[str]:
    return {found for called in drawn[room] for found in {called} | _reached(drawn, called)}


def _layers() -> list[set[str]]:
    """The layers that import-linter holds the rooms to, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return [set(re.split(r" [|:] ", layer)) for layer in settings["contracts"][0]["layers"]]


def test_the_architecture_has_every_room():
    rows = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.M)
    layers = [name for layer in _layers() for name in layer if name != "__main__"]
    assert sorted(rows) == sorted(layers)
