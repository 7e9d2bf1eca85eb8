"""The panel that compares first weights, under Streamlit's test runner."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer
from explorer.cells import figures
from explorer.cells.initialisation import comparison, decode, draw
from explorer.ui import assets, cache
from explorer.ui.cells import initialisation
from tests.app.screens import TIMEOUT, sound, texts

LOSSY = 4  # mean gray levels that WebP may cost a sheet


def _page() -> None:
    import streamlit as st

    from explorer.ui import address
    from explorer.ui.cells.initialisation import init_panel

    query = init_panel()
    for text in address.notices():
        st.warning(text)
    st.query_params.from_dict(query)


@pytest.fixture
def sheets(monkeypatch, tmp_path):
    """What the panel has published since, by the initialisation: the makers of its pictures."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    made = []
    publish = assets.publish

    def note(key, make, media_type):
        made.append((key, make))
        return publish(key, make, media_type)

    monkeypatch.setattr(assets, "publish", note)
    cache.all_checkpoints.clear()
    yield made
    cache.all_checkpoints.clear()


def page(**query: str) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=TIMEOUT)
    for name, value in query.items():
        at.query_params[name] = value
    return sound(at.run())


def shown(sheets) -> list[np.ndarray]:
    """The two newest sheets, Xavier's first, RGB."""
    (_, one), (_, other) = sheets[-2:]
    return [np.asarray(Image.open(io.BytesIO(make())).convert("RGB"), np.float64) for make in (one, other)]


def tiled(images) -> np.ndarray:
    n = initialisation._SIDE
    tiles = images.permute(0, 2, 3, 1).numpy() * 255
    return tiles.reshape(n, n, 64, 64, 3).swapaxes(1, 2).reshape(64 * n, 64 * n, 3)


def test_samples_are_decoded_by_the_weights_before_and_after(sheets):
    found, at = comparison(), page()
    assert not at.info
    assert not at.warning
    codes = draw(25, found.model.latent, seed=0)
    xavier, kaiming = shown(sheets)
    exact = tiled(explorer.load(found.checkpoint).decode(codes))
    assert np.abs(xavier - exact).mean() < LOSSY
    assert np.abs(xavier - kaiming).mean() > LOSSY
    at.segmented_control(key="cells_init_at").set_value("start").run()
    at.button(key="cells_init_new").click().run()
    assert dict(sound(at).query_params) == {"init_at": "start", "init_seed": "1"}
    codes = draw(25, found.model.latent, seed=1)
    for init, sheet in zip(found.courses, shown(sheets), strict=True):
        # Noise of single pixels is what WebP keeps least of: means over blocks of eight pixels.
        exact = tiled(decode(found.first(init), codes))
        apart = (sheet - exact).reshape(40, 8, 40, 8, 3).mean((1, 3))
        assert np.abs(apart).mean() < LOSSY
    assert len({key for key, _ in sheets}) == 6  # every setting its own address, no two networks the same


def test_the_numbers_the_figures_and_the_address(sheets):
    found = comparison()
    at = page(init_at="start", init_seed="7")
    assert at.segmented_control(key="cells_init_at").value == "start"
    table = next(e.value for e in at.html if "squared error" in e.value)
    for init in found.courses:
        result = found.result(init)
        for value in (f"{result.mse:.4f}", f"{result.generated.edge:.3f}", f"{result.reconstructed.spots:.2f}"):
            assert f"<td>{value}</td>" in table
    assert f"<td>{found.real.edge:.3f}</td>" in table
    assert len(at.get("plotly_chart")) == 3
    assert "--init kaiming" in at.code[-1].value
    at = page(init_at="middle", init_seed="-1")
    assert "middle" in texts(at.warning)
    assert "init_seed" in texts(at.warning)
    assert dict(at.query_params) == {}


def test_without_the_checkpoint_it_says_so_and_shows_the_rest(sheets, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["explorer.checkpoints.folder"], "SHIPPED", tmp_path / "none")
    cache.all_checkpoints.clear()
    at = page()
    assert "checkpoints/cells" in texts(at.info)
    assert len({key for key, _ in sheets}) == 1  # Kaiming's
    assert len(at.get("plotly_chart")) == 3


def test_the_figures_hold_the_values():
    values = {"one": [(0.1, 1.0), (2.0, 20.0)], "two": [(0.3, 3.0), (4.0, 40.0)]}
    figure = figures.layer_scales(["first", "last"], values, moments=("before", "after"), what="size")
    marks = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert list(marks["two, before"].x) == [0.3, 4.0]
    assert list(marks["two, after"].x) == [3.0, 40.0]
    assert marks["one, before"].marker.symbol == "circle-open"
    rows_of = [[round(y) for y in trace.y] for trace in marks.values()]
    assert rows_of == [[0, 1]] * 4  # beside the row's own name
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first layer on top
