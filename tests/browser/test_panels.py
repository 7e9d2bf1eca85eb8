"""The panels beside the map: the grid, samples, holes; other models and other data."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from scipy.stats import norm

from explorer import datasets
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE
from tests.browser.screen import Explore, pixels
from tests.browser.tabs import Profile

pytestmark = pytest.mark.browser

LOSSY = 6  # mean grey levels that WebP may cost a tile


def tiles_of(sheet: np.ndarray, columns: int) -> np.ndarray:
    """The tiles [N, 28, 28] of a gray sheet."""
    gray = sheet if sheet.ndim == 2 else sheet[..., 0]
    rows = gray.shape[0] // 28
    return gray.reshape(rows, 28, columns, 28).swapaxes(1, 2).reshape(rows * columns, 28, 28)


def test_the_panels_of_a_plane(explore, models):
    """One page for all that is done there: to open another takes as long as most of these steps."""
    explore.open(PLANE)
    a_tile_of_the_grid_is_picked_everywhere(explore, models(PLANE))
    samples_are_drawn_picked_and_downloaded(explore, models(PLANE))
    holes_are_shown_and_hidden(explore, "the prior")
    explore.choose("explore_model", AUTOENCODER)
    explore.mapped(models(AUTOENCODER).latents.mean.numpy())
    holes_are_shown_and_hidden(explore, "a Gaussian fitted to the codes")
    explore.go(PLANE)
    explore.mapped(models(PLANE).latents.mean.numpy())
    another_model_shows_the_same_item(explore, models)
    explore.go(PLANE)
    explore.mapped(models(PLANE).latents.mean.numpy())
    other_data_are_encoded_on_the_spot(explore, models(PLANE))


def a_tile_of_the_grid_is_picked_everywhere(explore, model):
    axis = norm.ppf(np.linspace(0.05, 0.95, 15))
    expect(explore.key("grid").locator(".lx-tile")).to_have_count(225)
    for row, column in ((0, 0), (4, 11), (14, 2)):
        code = np.array([axis[column], axis[14 - row]])
        shown = explore.after(explore.tile("grid", row * 15 + column).click)
        np.testing.assert_allclose(shown.code, code, atol=1e-5)
        shown.assert_decodes(model)
        explore.wait_for_marks(f"Math.abs(marks.at(-1)?.x - {code[0]}) < 1e-3")
        (mark,) = explore.map("marks")
        np.testing.assert_allclose([mark["x"], mark["y"]], code, atol=1e-4)
        expect(explore.tile("grid", row * 15 + column)).to_have_attribute("aria-selected", "true")
        query = explore.query()
        assert query.keys() == {"model", "z"}
        np.testing.assert_allclose([float(v) for v in query["z"].split(",")], code, atol=1e-5)

    # By keyboard: the arrows move, Enter picks.
    explore.page.keyboard.press("ArrowUp")
    explore.page.keyboard.press("ArrowRight")
    shown = explore.after(lambda: explore.page.keyboard.press("Enter"))
    np.testing.assert_allclose(shown.code, [axis[3], axis[1]], atol=1e-5)
    explore.tile("grid", 30).hover()
    expect(explore.key("grid").locator(".lx-tip")).to_contain_text(f"z₀ {axis[0]:.2f}, z₁ {axis[12]:.2f}")

    shown_tiles = tiles_of(explore.sheet("grid"), 15)
    codes = np.stack([np.tile(axis, 15), np.repeat(axis[::-1], 15)], 1).astype(np.float32)
    assert np.abs(shown_tiles - model.decode(codes)[:, 0].numpy() * 255).mean() < LOSSY

    explore.key("grid_n").get_by_role("slider").press("Home")
    expect(explore.key("grid").locator(".lx-tile")).to_have_count(25)
    axis = norm.ppf(np.linspace(0.05, 0.95, 5))
    shown = explore.after(explore.tile("grid", 24).click)
    np.testing.assert_allclose(shown.code, [axis[4], axis[0]], atol=1e-5)


def test_the_grid_of_more_latents(explore, models):
    model = models(CONV)
    codes = model.latents.mean.double().numpy()
    explore.open(CONV)
    axis = norm.ppf(np.linspace(0.05, 0.95, 15))
    centred = codes - codes.mean(0)
    _, _, basis = np.linalg.svd(centred, full_matrices=False)
    spread = (centred @ basis[:2].T).std(0)
    shown = explore.after(explore.tile("grid", 14).click)  # the upper right
    along = (shown.code - codes.mean(0)) @ basis[:2].T / spread
    np.testing.assert_allclose(np.abs(along), [axis[14], axis[14]], rtol=1e-3)
    shown.assert_decodes(model)

    explore.after_sheet("grid", explore.key("grid_plane").get_by_text("Two latents").click)
    expect(explore.key("grid")).to_contain_text("Through the picked code")
    strongest = model.latents.kl_by_latent.argsort(descending=True)[:2].tolist()
    first = shown.code
    shown = explore.after(explore.tile("grid", 2).click)
    expected = first.copy()
    expected[strongest] = [axis[2], axis[14]]
    np.testing.assert_allclose(shown.code, expected, atol=1e-4)
    shown.assert_decodes(model)

    explore.key("grid_plane").get_by_text("Through three codes").click()
    expect(explore.key("grid")).to_contain_text("Still open: A, B, C")
    points = model.latents.maps["umap"].points.numpy()
    corners = []
    for name, row in zip("ABC", explore.lonely_points(points, 3), strict=True):
        corners.append(explore.after(lambda row=row: explore.click_point(row)).code)
        explore.key(f"grid_corner_{name}").get_by_role("button").click()
        expect(explore.key(f"grid_corner_{name}")).to_contain_text("✓")
    a, b, c = corners
    explore.page.mouse.move(0, 0)
    expect(explore.key("grid").locator(".lx-tile")).to_have_count(225)
    shown = explore.after(explore.tile("grid", 0).click)  # the upper left
    across, up = (b - a) / 2, (c - a) / 2
    np.testing.assert_allclose(shown.code, a + across * (1 + axis[0]) + up * (1 + axis[14]), atol=1e-3)


def samples_are_drawn_picked_and_downloaded(explore, model):
    panel = explore.key("samples")
    expect(panel).to_contain_text("Seed 0")
    first = tiles_of(explore.sheet("samples"), 8)
    assert np.abs(first - model.sample(64, seed=0)[:, 0].numpy() * 255).mean() < LOSSY
    explore.after_sheet("samples", explore.key("samples_new").get_by_role("button").click)
    expect(panel).to_contain_text("Seed 1")
    second = tiles_of(explore.sheet("samples"), 8)
    assert np.abs(second - model.sample(64, seed=1)[:, 0].numpy() * 255).mean() < LOSSY
    assert np.abs(second - first).mean() > 2 * LOSSY
    shown = explore.after(explore.tile("samples", 10).click)
    np.testing.assert_allclose(shown.code, model.draw(64, seed=1)[10], rtol=1e-5)
    shown.assert_decodes(model)

    temperature = explore.key("samples_temperature").get_by_role("slider")
    explore.after_sheet("samples", lambda: temperature.press("Home"))
    shown = explore.after(explore.tile("samples", 63).click)
    np.testing.assert_array_equal(shown.code, [0, 0])
    download = explore.download("samples", "pixels_png")
    assert download.suggested_filename == "tiny-2d-samples-1-pixels.png"
    saved = tiles_of(pixels(download.path().read_bytes()), 8)
    assert len(saved) == 64
    assert np.ptp(saved, axis=0).max() <= 1
    assert np.abs(saved[0] - model.decode(torch.zeros(1, 2))[0, 0].numpy() * 255).max() <= 1


def holes_are_shown_and_hidden(explore, prior):
    explore.key("holes").locator("label").click()
    sentence = explore.page.get_by_text("falls into holes")
    expect(sentence).to_contain_text(f"of what {prior}")
    overlay = explore.key("map").locator(".imagelayer image, .layer-below image").first
    expect(overlay).to_be_attached()
    named = "e => e?.getAttribute('href') || e?.getAttribute('xlink:href')"  # some time after it is there
    source = explore.page.wait_for_function(
        f"() => ({named})(document.querySelector('.st-key-map .imagelayer image, .st-key-map .layer-below image'))"
    ).json_value()
    answer = explore.page.request.get(source) if not source.startswith("data:") else None
    mask = pixels(answer.body()) if answer else None
    if mask is not None:
        assert mask.shape[2] == 4
        assert 0 < (mask[..., 3] > 0).mean() < 1
    explore.key("holes").locator("label").click()
    expect(sentence).to_be_hidden()
    expect(overlay).not_to_be_attached()


def another_model_shows_the_same_item(explore, models):
    row = explore.lonely_points(models(PLANE).latents.mean.numpy(), 1)[0]
    explore.after(lambda: explore.click_point(row))
    for ident in (AUTOENCODER, CONV, PLANE):
        shown = explore.after(lambda ident=ident: explore.choose("explore_model", ident))
        maps = models(ident).latents.maps
        explore.mapped(next(maps[kind].points for kind in ("plane", "umap") if kind in maps).numpy())
        assert shown.index == row
        np.testing.assert_allclose(shown.code, models(ident).latents.mean[row], rtol=1e-5, atol=1e-5)
        shown.assert_decodes(models(ident))
        assert explore.query()["model"] == ident
        assert explore.query()["index"] == str(row)
        assert len(explore.map("marks")) == 1
    # A bare code belongs to its model.
    explore.after(lambda: explore.page.mouse.click(*explore.empty_spots(models(PLANE).latents.mean.numpy(), 1)[0]))
    explore.after(lambda: explore.choose("explore_model", AUTOENCODER))
    expect(explore.key("decoded")).to_contain_text("centre of the codes")
    explore.wait_for_query("z", None)


def other_data_are_encoded_on_the_spot(explore, model):
    images = torch.cat([datasets.load("mnist-5k", split).images for split in ("train", "test")])
    explore.choose("map_data", "encoded now")
    explore.page.wait_for_function("window.__latentMaps.map.shown === 5000")
    explore.wait_for_query("data", "mnist-5k")
    codes = model.encode(images).mean.numpy()
    explore.mapped(codes)
    row = explore.lonely_points(codes, 1)[0]
    shown = explore.after(lambda: explore.click_point(row))
    assert shown.index == row
    np.testing.assert_allclose(shown.code, codes[row], atol=1e-3)
    shown.assert_decodes(model)
    np.testing.assert_array_equal(explore.original(), images[row, 0])


ADOPT_AND_END = """
import numpy as np
import explorer

explorer.adopt(
    lambda x: x.reshape(len(x), -1)[:, 300:302], lambda z: np.zeros((len(z), 1, 28, 28)), "mnist-5k", name="ended"
)
"""


@pytest.fixture
def ended(runs, monkeypatch):
    """A model whose process has ended."""
    monkeypatch.setenv("EXPLORER_RUNS", str(runs))
    subprocess.run([sys.executable, "-c", ADOPT_AND_END], check=True)
    yield "runs/ended"
    shutil.rmtree(runs / "ended")


@pytest.fixture
def unwatched(browser, server):
    """A page whose console may complain of pictures that nobody can draw."""
    profile = Profile(browser, server.url)
    yield profile.page()
    profile.context.close()


def test_a_pick_is_cleared_below_the_warning_that_its_model_has_ended(unwatched, ended):
    explore = Explore(unwatched)
    explore.visit(ended, index="17")
    warning, clear = explore.key("decoded").get_by_test_id("stAlert"), explore.key("clear_pick").get_by_role("button")
    for width in (1280, 390):
        explore.page.set_viewport_size({"width": width, "height": 844})
        expect(warning).to_contain_text("has ended")
        expect(clear).to_be_visible()
        explore.idle()
        text, button = warning.bounding_box(), clear.bounding_box()
        assert text
        assert button
        assert button["y"] >= text["y"] + text["height"]
    clear.click()
    expect(clear).to_have_count(0)
