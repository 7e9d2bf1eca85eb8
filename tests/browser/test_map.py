"""The map in a real browser: what is clicked is what is decoded, pixel by pixel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect

from explorer import datasets
from tests.app.tiny_runs import AUTOENCODER, CONV, PLANE
from tests.browser.screen import pixels_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def digits():
    """The images that the tiny models were tested on."""
    return datasets.load("mnist-5k", "test")


def test_the_map_of_a_plane(explore, models, digits):
    """One page for all that is done there: to open another takes as long as most of these steps."""
    model = models(PLANE)
    explore.open(PLANE)
    assert explore.map("missingParts()") == [], "see latent_map/plotly_private.js"
    a_point_shows_its_own_image(explore, model, digits)
    the_keyboard_moves_over_the_map(explore, model)
    an_empty_spot_is_the_code_of_that_spot(explore, model)
    the_pointer_draws_the_plane_and_names_the_points(explore, model)
    the_legend_hides_classes(explore, model)
    explore.after(lambda: explore.go(PLANE))
    explore.ready()
    zoom_and_selection_survive_clicks_and_the_four_colourings(explore, model)
    explore.go(AUTOENCODER)
    explore.mapped(models(AUTOENCODER).latents.mean.numpy())
    an_empty_spot_is_the_code_of_that_spot(explore, models(AUTOENCODER))


def test_the_maps_of_more_latents(explore, models, digits):
    explore.open(CONV)
    a_umap_map_says_that_its_codes_are_estimates(explore, models(CONV), digits)
    a_pca_map_decodes_its_plane(explore, models(CONV))


def a_point_shows_its_own_image(explore, model, digits):
    expect(explore.key("decoded")).to_contain_text("centre of the prior")
    explore.decoded().assert_decodes(model)
    for row in explore.lonely_points(model.latents.mean.numpy(), 3):
        shown = explore.after(lambda row=row: explore.click_point(row))
        assert shown.index == row
        np.testing.assert_allclose(shown.code, model.latents.mean[row], rtol=1e-5, atol=1e-5)
        shown.assert_decodes(model)
        np.testing.assert_array_equal(explore.original(), digits.images[row, 0])
        label = int(model.latents.labels[row])
        expect(explore.key("decoded")).to_contain_text(f"{label} · #{row}")
        assert explore.query() == {"model": PLANE, "index": str(row)}
        (mark,) = explore.map("marks")
        np.testing.assert_allclose([mark["x"], mark["y"]], shown.code, atol=1e-4)

    codes = model.latents.mean.double().numpy()
    nearest = np.argsort(np.linalg.norm(codes - codes[row], axis=1))[1:9].tolist()
    expect(explore.tile("neighbours", 0)).to_have_attribute("data-id", str(nearest[0]))  # once their sheet is there
    assert explore.ids("neighbours", 8) == nearest
    assert explore.after(explore.tile("neighbours", 2).click).index == nearest[2]

    explore.key("clear_pick").get_by_role("button").click()
    expect(explore.key("decoded")).to_contain_text("centre of the prior")
    explore.wait_for_query("index", None)
    explore.ready()


def an_empty_spot_is_the_code_of_that_spot(explore, model):
    for spot in explore.empty_spots(model.latents.mean.numpy(), 2):
        shown = explore.after(lambda spot=spot: explore.page.mouse.click(*spot))
        assert shown.index is None
        a, _ = explore.scale()
        tenth_of_a_pixel = 0.1 * np.abs(1 / a).max()
        np.testing.assert_allclose(shown.code, explore.place_of(spot), atol=tenth_of_a_pixel)
        shown.assert_decodes(model)
        (mark,) = explore.map("marks")
        np.testing.assert_allclose([mark["x"], mark["y"]], shown.code, rtol=1e-5)
    expect(explore.key("decoded")).not_to_contain_text("estimated")


def a_umap_map_says_that_its_codes_are_estimates(explore, model, digits):
    layout = model.latents.maps["umap"].points.double().numpy()
    codes = model.latents.mean.double().numpy()
    expect(explore.box("projection")).to_have_value("UMAP")
    expect(explore.page.get_by_text("trustworthiness")).to_contain_text("continuity")
    row = explore.lonely_points(layout, 1)[0]
    shown = explore.after(lambda: explore.click_point(row))
    assert shown.index == row
    shown.assert_decodes(model)
    np.testing.assert_array_equal(explore.original(), digits.images[row, 0])
    (mark,) = explore.map("marks")
    np.testing.assert_allclose([mark["x"], mark["y"]], layout[row], atol=1e-2)

    spot = explore.empty_spots(layout, 1)[0]
    shown = explore.after(lambda: explore.page.mouse.click(*spot))
    apart = np.linalg.norm(layout - explore.place_of(spot), axis=1)
    near = np.argsort(apart)[:8]
    weights = 1 / apart[near] ** 2
    np.testing.assert_allclose(shown.code, weights @ codes[near] / weights.sum(), atol=1e-2)
    assert shown.index is None
    shown.assert_decodes(model)
    expect(explore.key("decoded")).to_contain_text("estimated")
    expect(explore.key("decoded")).to_contain_text("codes of its neighbours on the map")
    (mark,) = explore.map("marks")  # where it was clicked, not where the estimate would be placed
    np.testing.assert_allclose([mark["x"], mark["y"]], explore.place_of(spot), atol=1e-2)


def a_pca_map_decodes_its_plane(explore, model):
    codes = model.latents.mean.double().numpy()
    explore.choose("projection", "principal components")
    explore.wait_for_query("projection", "pca")
    points = model.latents.maps["pca"].points.numpy()
    explore.mapped(points)
    spot = explore.empty_spots(points, 1)[0]
    shown = explore.after(lambda: explore.page.mouse.click(*spot))
    _, _, basis = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
    on_plane = (shown.code - codes.mean(0)) @ basis[:2].T
    np.testing.assert_allclose(np.abs(on_plane), np.abs(explore.place_of(spot)), atol=1e-2)
    off_plane = shown.code - codes.mean(0) - on_plane @ basis[:2]
    np.testing.assert_allclose(off_plane, 0, atol=1e-3)
    shown.assert_decodes(model)
    expect(explore.key("decoded")).to_contain_text("principal plane")
    row = explore.lonely_points(points, 1)[0]
    assert explore.after(lambda: explore.click_point(row)).index == row


def the_keyboard_moves_over_the_map(explore, model):
    explore.after(lambda: explore.go(PLANE, z="0.5,-0.25"))
    explore.ready()
    view = explore.map("view")
    step = 0.02 * np.array([view["x"][1] - view["x"][0], view["y"][1] - view["y"][0]])
    plot = explore.key("map").locator(".lx-plot")
    plot.focus()
    code = np.array([0.5, -0.25])
    for key, move in (("ArrowRight", (1, 0)), ("ArrowUp", (0, 1)), ("Shift+ArrowLeft", (-5, 0))):
        shown = explore.after(lambda key=key: plot.press(key))
        code = code + np.array(move) * step
        np.testing.assert_allclose(shown.code, code, atol=1e-4)
        shown.assert_decodes(model)
    expect(plot).to_be_focused()
    plot.press("+")
    explore.page.wait_for_function("w => window.__latentMaps.map.view.x[1] - window.__latentMaps.map.view.x[0] < w",
                                   arg=0.9 * (view["x"][1] - view["x"][0]))  # fmt: skip
    plot.press("0")
    explore.page.wait_for_function("x => Math.abs(window.__latentMaps.map.view.x[0] - x) < 1e-6", arg=view["x"][0])


def the_pointer_draws_the_plane_and_names_the_points(explore, model):
    points = model.latents.mean.numpy()
    card = explore.key("map").locator(".lx-card")
    canvas = card.locator("canvas")

    def drawn() -> np.ndarray:
        return pixels_of(canvas.evaluate("e => e.toDataURL()"))[:, :, 0]

    def draw_at(spot) -> np.ndarray:
        frames = explore.page.evaluate("window.__latentMaps.map.cards")
        explore.page.mouse.move(*spot)
        explore.page.wait_for_function("n => window.__latentMaps.map.cards > n", arg=frames)
        explore.page.wait_for_function("!document.querySelector('.st-key-map .lx-waiting')")
        return drawn()

    seen = []
    for spot in explore.empty_spots(points, 4):
        seen.append(draw_at(spot))
        expect(card).to_contain_text("click to decode this spot")
        exact = model.decode(explore.place_of(spot)[None].astype(np.float32))[0, 0].numpy() * 255
        assert np.abs(seen[-1] - exact).mean() < 4  # blended from a lossy atlas
    assert all(np.abs(a - b).mean() > 1 for a, b in pairwise(seen))

    row = explore.lonely_points(points, 1)[0]
    at = explore.map(f"pointOf({row})")
    sprite = draw_at((at["clientX"], at["clientY"]))
    assert explore.map("hovered") == row
    expect(card.locator(".lx-name")).to_have_text(model.classes[int(model.latents.labels[row])])
    expect(card).to_contain_text(f"#{row}")
    assert np.abs(sprite - model.decode(model.latents.mean[row : row + 1])[0, 0].numpy() * 255).mean() < 4
    explore.page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def the_legend_hides_classes(explore, model):
    labels = model.latents.labels.numpy()
    everything = len(labels)
    chip = explore.key("map").locator('.lx-chip[data-class="3"]')
    expect(chip).to_contain_text(str((labels == 3).sum()))
    assert explore.map("shown") == everything
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    explore.page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=int((labels != 3).sum()))
    hidden = int(np.flatnonzero(labels == 3)[0])
    assert explore.map(f"pointOf({hidden})") is None
    # The row that a click means does not shift when a class before it is hidden.
    shown_rows = np.flatnonzero(labels != 3)
    points = model.latents.mean.numpy()
    row = int(shown_rows[explore.lonely_points(points[shown_rows], 1)[0]])
    assert explore.after(lambda: explore.click_point(row)).index == row
    assert explore.map("shown") == (labels != 3).sum()
    chip.click()
    explore.page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=everything)
    chip.click(modifiers=["Shift"])
    explore.page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=int((labels == 3).sum()))
    explore.key("map").locator(".lx-all").click()
    explore.page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=everything)


def zoom_and_selection_survive_clicks_and_the_four_colourings(explore, model):
    points = model.latents.mean.numpy()
    explore.tool("select")
    left, top, right, bottom = explore.frame()
    middle = ((left + right) / 2, (top + bottom) / 2)
    explore.drag([middle, (middle[0] + 80, middle[1] - 80)])
    expect(explore.key("group")).to_contain_text("images selected")
    explore.ready()
    selected = explore.map("selected")
    assert selected

    explore.page.evaluate(
        "window.__zoomed = new Promise(done => document.querySelector('.st-key-map .lx-plot')"
        ".on('plotly_relayout', change => Object.keys(change).some(name => name.includes('axis.range')) && done())),"
        " null"
    )
    explore.page.mouse.move(*middle)
    explore.page.mouse.wheel(0, -240)
    explore.page.evaluate("window.__zoomed.then(() => null)")
    view = explore.map("view")
    assert view["x"][1] - view["x"][0] < 0.95 * (right - left) / explore.scale()[0][0] * 2

    explore.after(lambda: explore.click_point(explore.lonely_points(points, 1)[0]))
    assert (explore.map("view"), explore.map("selected")) == (view, selected)
    scale, legend = (explore.key("map").locator(f".lx-{part}") for part in ("scale", "legend"))
    for color, param, title in (
        ("KL", "kl", "KL, nats"),
        ("reconstruction error", "error", "reconstruction error, nats"),
        ("density", "density", "density, times the average"),
        ("class", None, None),
    ):
        explore.choose("color_by", color)
        explore.wait_for_query("color", param)
        if title:
            expect(scale.locator(".lx-name")).to_have_text(title)
            expect(legend).to_be_hidden()
        else:
            expect(legend).to_be_visible()
            expect(scale).to_be_hidden()
        explore.ready()
        assert (explore.map("view"), explore.map("selected")) == (view, selected)
        expect(explore.key("group")).to_contain_text(f"{len(selected)} images selected")
    explore.key("map").locator('.modebar-btn[data-title="Reset view"]').click()
    explore.page.wait_for_function("w => window.__latentMaps.map.view.x[1] - window.__latentMaps.map.view.x[0] > w",
                                   arg=1.05 * (view["x"][1] - view["x"][0]))  # fmt: skip
