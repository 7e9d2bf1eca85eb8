"""The gems of the Cells page under Streamlit's test runner, with the models that ship."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.__main__ import main
from explorer.latents.origin_distances import distances
from explorer.ui import assets
from explorer.ui.cells import gems
from tests.app.screens import APP, PAGES, TIMEOUT, press, sound, texts


@pytest.fixture(autouse=True)
def _own_space(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))


def page(**query: str) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(str(PAGES / "cells.py"))
    for name, value in {"part": "gems", **query}.items():
        at.query_params[name] = value
    return sound(at.run())


def shown(at: AppTest) -> np.ndarray:
    """The picture that the page has an address of."""
    found = [re.search(r'class="lx-gems" src="[^"]*/([^/"]+)"', e.value) for e in at.html]
    key = next(match[1] for match in found if match)
    waiting = assets._store.get(key)
    assert waiting is not None
    with Image.open(io.BytesIO(waiting.result(30).body)) as picture:
        return np.asarray(picture.convert("RGB"), np.float64)


def gem(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """A gem of the picture in its own size: gaps of 16 pixels, enlarged twice."""
    top, left = (16 + at * (128 + 16) for at in (row, column))
    return picture[top : top + 128, left : left + 128].reshape(64, 2, 64, 2, 3).mean((1, 3))


def test_gems_are_made_as_the_caption_says():
    at = page(gems_temperature="8", gems_across="5", gems_seed="3")
    picture = shown(at)
    assert picture.shape == (16 + 3 * 144, 16 + 5 * 144, 3)
    models = [explorer.load(f"cells-{state}-linear") for state in ("healthy", "infected")]
    codes = models[0].draw(15, temperature=8, seed=3)
    for i in range(15):  # in turn
        exact = 255 * models[i % 2].decode(codes)[i].permute(1, 2, 0).numpy()
        assert np.abs(gem(picture, i // 5, i % 5) - exact).mean() < 6  # WebP's loss
    said = texts(at.caption)
    assert "15 codes from the prior, N(0, I), at temperature 8, seed 3" in said
    assert "`cells-healthy-linear` and `cells-infected-linear` in turn. Trained with beta 1;" in said
    real = [float(d) for model in models for d in distances(model.latents.posterior)]
    assert f"furthest of {len(real):,} real cells" in said
    assert f"lies at {max(real):.1f}" in said
    assert f"nearest of these codes lies {codes.norm(dim=1).min():.1f} from the origin" in said
    assert "**These are no cells.**" in said
    assert "gem: 0% of the real cells" in said


def test_every_kind_of_stone_has_its_own_beta():
    at = page(gems_across="4")
    said = {"linear": ("beta 1;", "in turn"), "conv": ("beta 15;", "in turn"), "both": ("beta 15;", "told the state")}
    for stones, facts in said.items():
        at.segmented_control(key="gems_stones").set_value(stones).run()
        assert not sound(at).error
        for fact in facts:
            assert fact in texts(at.caption)
        assert at.query_params.get("gems") == (None if stones == "linear" else stones)
    at.segmented_control(key="gems_source").set_value("infected").run()
    infected = shown(sound(at))
    model = explorer.load("cells-both")
    exact = 255 * model.decode(model.draw(8, temperature=10, seed=0), 1)[2].permute(1, 2, 0).numpy()
    assert np.abs(gem(infected, 0, 2) - exact).mean() < 6
    press(at, "gems_new")
    assert at.query_params == {
        "part": "gems",
        "gems": "both",
        "gems_source": "infected",
        "gems_across": "4",
        "gems_seed": "1",
    }
    assert not np.array_equal(shown(at), infected)


def test_at_temperature_one_they_are_not_called_gems():
    said = texts(page(gems_temperature="1", gems_across="4").caption)
    assert "Still within reach of real cells" in said
    assert "These are no cells" not in said


def test_the_address_and_what_is_wrong_with_one():
    asked = {"gems": "conv", "gems_source": "healthy", "gems_temperature": "15", "gems_across": "6", "gems_seed": "42"}
    at = page(**asked)
    assert not at.warning
    assert at.query_params == {"part": "gems", **asked}
    at = page(gems="gold", gems_source="both", gems_temperature="1e9", gems_across="-4", gems_seed="one")
    said = texts(at.warning).replace("\\", "")  # Markdown's escapes
    for wrong in ("gold", "gems from “both”", "gems_temperature=1e9", "gems_across=-4", "gems_seed=one"):
        assert wrong in said
    assert dict(at.query_params) == {"part": "gems"}
    assert at.slider(key="gems_temperature").value == 10


def test_the_commands_for_another_beta_are_ones_that_the_program_knows(capsys):
    commands = gems._COMMANDS.splitlines()
    assert len(commands) == 2
    for command in commands:
        verb, *options = command.partition(" -m explorer ")[2].split()
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0
        described = capsys.readouterr().out
        for option in options:
            assert not option.startswith("--") or option in described
