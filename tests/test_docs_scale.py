"""The commands of docs/scale.md for large data, on few images."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.__main__ import main

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_what_large_data_take_on_one_machine(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for i in range(40):
        place = tmp_path / "pictures" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(place / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    section = (ROOT / "docs" / "scale.md").read_text("utf-8").split("## Large data on one machine")[1].split("\n## ")[0]
    commands = re.findall(r"^python -m explorer (.*)", section, re.M)
    assert len(commands) == 5
    for command in commands:
        assert main(shlex.split(command.replace("PICTURES", "pictures"))) == 0, capsys.readouterr().err
    assert len(np.load("codes.npz", allow_pickle=False)["mean"]) == 40
    assert all(len(Path(name).read_text().splitlines()) == 41 for name in ("ranking.csv", "scores.csv"))
