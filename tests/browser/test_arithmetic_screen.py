"""The Arithmetic screen in a real browser: what people do there, each image compared with the decoder's."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect

from tests.app.tiny_runs import CONV, PLANE
from tests.browser.screen import Explore, assert_fits, pixels
from tests.browser.steps import Arithmetic, assert_decodes

pytestmark = pytest.mark.browser


@pytest.fixture
def screen(new_page) -> Arithmetic:
    return Arithmetic(new_page())


def means(model) -> np.ndarray:
    """The digits' mean codes [10, D], by NumPy."""
    codes, labels = model.latents.mean.numpy().astype(np.float64), model.latents.labels.numpy()
    return np.stack([codes[labels == digit].mean(0) for digit in range(10)])


def test_expressions(screen, models):
    """One page for all that is done there: to open another takes as long as most of these steps."""
    model = models(PLANE)
    screen.open(PLANE)
    an_expression_is_built_by_buttons(screen, model)
    a_mean_that_is_clicked_is_chosen(screen, model)
    a_picture_is_uploaded_and_a_broken_one(screen, model)
    screen.go(PLANE)
    screen.map_ready()
    an_expression_is_typed(screen, model)


def an_expression_is_typed(screen, model):
    mean = means(model)
    code, shown = screen.after_code("expression", lambda: screen.type("0.5*mean(3) + 0.5*mean(8) - item(42)"))
    np.testing.assert_allclose(code, 0.5 * mean[3] + 0.5 * mean[8] - model.latents.mean[42].numpy(), atol=1e-4)
    assert_decodes(model, code, shown)
    screen.wait_for_marks("marks.some((mark) => mark.label === 'mean(3)')")
    marks = {mark["label"]: (mark["x"], mark["y"]) for mark in screen.map("marks")}
    np.testing.assert_allclose(marks["mean(3)"], mean[3], atol=1e-4)
    np.testing.assert_allclose(marks["result"], code, atol=1e-4)
    apart = np.linalg.norm(model.latents.mean.numpy() - code, axis=1)
    nearest = str(int(apart.argmin()))
    expect(screen.tile("expression_neighbours", 0)).to_have_attribute("data-id", nearest)  # once their sheet is there
    near = screen.ids("expression_neighbours", 8)
    np.testing.assert_allclose(apart[near], np.sort(apart)[:8], atol=1e-4)

    screen.type("mean(3) + mean(12)")
    expect(screen.key("expression").get_by_test_id("stAlert")).to_contain_text("12")
    expect(screen.key("expression").get_by_test_id("stCode")).to_contain_text("^")
    expect(screen.image("expression")).to_have_count(0)
    screen.type("mean(5)")
    expect(screen.image("expression")).to_be_visible()
    screen.idle()
    np.testing.assert_allclose(screen.shown("expression")[0], mean[5], atol=1e-4)

    # The result becomes the pick, here and in Explore, and the address says the expression.
    screen.key("expression_use").get_by_role("button").click()
    screen.wait_for_code(screen.shown("expression")[0])
    assert screen.query()["e"] == "mean(5)"
    screen.page.get_by_role("link", name="Explore").click()
    explore = Explore(screen.page).ready()
    np.testing.assert_allclose(explore.decoded().code, mean[5], atol=1e-4)


def an_expression_is_built_by_buttons(screen, model):
    screen.after_code("expression", lambda: screen.go(PLANE, e="mean(7) - mean(1) + mean(4)"))
    mean = means(model)
    screen.after_code("expression", lambda: screen.choose("builder_term_0", "mean(2)"))
    screen.after_code("expression", lambda: screen.choose("builder_term_1", "mean(0)"))
    weight = screen.key("builder_weight_2").get_by_role("spinbutton")
    weight.fill("0.75")
    code, shown = screen.after_code("expression", lambda: weight.press("Enter"))
    expect(screen.key("expression_text").get_by_role("textbox")).to_have_value("mean(2) - mean(0) + 0.75*mean(4)")
    np.testing.assert_allclose(code, mean[2] - mean[0] + 0.75 * mean[4], atol=1e-4)
    assert_decodes(model, code, shown)


def a_mean_that_is_clicked_is_chosen(screen, model):
    screen.after_code("expression", lambda: screen.go(PLANE, e="mean(1)"))
    expect(screen.key("means").locator(".lx-tile")).to_have_count(10)
    screen.tile("means_tiles", 6).click()
    screen.wait_for_code(means(model)[6])
    screen.idle()
    screen.wait_for_marks("marks.some((mark) => mark.kind === 'selected')")
    (chosen,) = [mark for mark in screen.map("marks") if mark["kind"] == "selected"]
    np.testing.assert_allclose([chosen["x"], chosen["y"]], means(model)[6], atol=1e-4)


def test_a_walk_a_traversal_and_sliders(screen, models):
    model = models(CONV)
    a_walk_is_played_and_downloaded(screen, model)
    a_traversal_is_clicked(screen, model)
    a_slider_is_moved_and_the_image_follows(screen, model)


def a_walk_is_played_and_downloaded(screen, model):
    screen.open(CONV, tool="walk", steps="12", to="mean(8)", **{"from": "mean(3)"})
    expect(screen.key("walk").locator('.lx-film[data-state="ready"]')).to_be_visible()
    mean = means(model)
    t = np.linspace(0, 1, 12)[:, None]
    path = torch.from_numpy(((1 - t) * mean[3] + t * mean[8]).astype(np.float32))
    images = model.decode(path)[:, 0].numpy() * 255
    for step in (0, 5, 11):
        screen.film(f"seek({step})")
        shown = np.array(screen.film("pixels")).reshape(28, 28, 4)[..., 0]
        assert np.abs(shown - images[step]).max() <= 1
    screen.film("seek(0)")
    screen.key("walk").get_by_role("button", name="Play").click()
    screen.page.wait_for_function("window.__films?.walk_film?.step === 11 && !window.__films.walk_film.playing")
    expect(screen.key("walk").locator(".lx-film")).to_have_attribute("data-step", "11")
    (trail,) = screen.map("trails")
    assert len(trail["points"]) == 12

    with Image.open(screen.download("walk", "gif").path()) as opened:
        assert opened.n_frames == 12
    with Image.open(screen.download("walk", "pixels_png").path()) as opened:
        strip = np.asarray(opened, np.float64)
    assert np.abs(strip - np.concatenate(list(images), 1)).max() <= 1
    with av.open(str(screen.download("walk", "mp4").path())) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 12

    # Another way between the same ends, and a loop through all of them.
    screen.after_film(screen.key("walk_way").get_by_role("radio", name="Dense regions").click)
    screen.after_film(screen.key("walk_loop").locator("label").first.click)
    assert screen.film("count") == 12
    screen.wait_for_marks("new Set(marks.map((mark) => mark.label)).size === 10")
    labels = {mark["label"] for mark in screen.map("marks")}
    assert labels == {str(digit) for digit in range(10)}


def a_traversal_is_clicked(screen, model):
    screen.go(CONV, tool="traversal", around="mean(7)")
    screen.map_ready()
    tiles = screen.key("traversal_tiles").locator(".lx-tile")
    expect(tiles).to_have_count(8 * 11)
    strongest = int(model.latents.kl_by_latent.argmax())
    expected = means(model)[7]
    expected[strongest] = 3.0
    screen.tile("traversal_tiles", 10).click()
    screen.wait_for_code(expected)
    expect(screen.key("traversal")).to_contain_text("collapsed")


def a_slider_is_moved_and_the_image_follows(screen, model):
    screen.go(CONV, tool="sliders", start="mean(2)")
    screen.map_ready()
    knob = screen.key("steer").locator("input[type=range]").first
    code, shown = screen.shown("sliders")
    np.testing.assert_allclose(code, means(model)[2], atol=1e-4)
    assert_decodes(model, code, shown)
    knob.focus()
    strongest = int(model.latents.kl_by_latent.argmax())
    for _ in range(3):
        moved, shown = screen.after_code("sliders", lambda: screen.page.keyboard.press("ArrowRight"))
        assert moved[strongest] > code[strongest]
        assert_decodes(model, moved, shown)
        code = moved
    box = knob.bounding_box()
    middle = box["y"] + box["height"] / 2
    screen.page.mouse.move(box["x"] + box["width"] / 2, middle)
    screen.page.mouse.down()
    for share in (0.6, 0.7, 0.8, 0.9):
        screen.page.mouse.move(box["x"] + box["width"] * share, middle, steps=5)
    screen.page.mouse.up()
    expected = float(knob.input_value())
    screen.page.wait_for_function(
        "([selector, latent, value]) => Math.abs("
        " Number(document.querySelector(selector)?.dataset.code.split(',')[latent]) - value) < 1e-3",
        arg=[".st-key-sliders img[data-code]", strongest, expected],
    )
    screen.idle()
    code, shown = screen.shown("sliders")
    assert_decodes(model, code, shown)
    np.testing.assert_allclose(np.delete(code, strongest), np.delete(means(model)[2], strongest), atol=1e-4)
    place = model.latents.maps["umap"].place(torch.from_numpy(code[None].astype(np.float32)))[0].tolist()
    screen.page.wait_for_function(
        "([x, y]) => window.__latentMaps.arithmetic_map.followers.some("
        "(dot) => Math.hypot(dot.x - x, dot.y - y) < 0.01)",
        arg=place,
    )
    (dot,) = screen.map("followers")  # the map's dot has moved along
    np.testing.assert_allclose([dot["x"], dot["y"]], place, atol=0.01)
    screen.key("steer_use").get_by_role("button").click()
    screen.wait_for_code(code)


def test_two_lassos_make_a_direction(screen, models):
    model = models(PLANE)
    explore = Explore(screen.page).open(PLANE)
    left, top, right, bottom = explore.frame()
    explore.tool("select")
    chosen = {}
    for name, (x0, x1) in {"one_side": (0.2, 0.45), "other_side": (0.55, 0.8)}.items():
        width, height = right - left, bottom - top
        before = explore.map("selected")
        explore.drag([(left + x0 * width, top + 0.2 * height), (left + x1 * width, top + 0.8 * height)])
        screen.page.wait_for_function(
            "old => JSON.stringify(window.__latentMaps.map.selected) !== old", arg=_json(before)
        )
        expect(explore.key("group")).to_contain_text(f"{len(explore.map('selected')):,} images selected")
        explore.ready()
        chosen[name] = explore.map("selected")
        explore.key("group_keep_box").get_by_role("button").first.click()
        box = screen.page.locator(".st-key-group_name input")
        box.fill(name)
        box.press("Enter")
        screen.idle()
        screen.page.locator(".st-key-group_keep button").click()
        expect(screen.page.get_by_test_id("stAlert")).to_contain_text(f"Kept: expressions know it as {name}")
        explore.idle()
        screen.page.keyboard.press("Escape")
        expect(box).to_have_count(0)
        explore.ready()
    screen.page.get_by_role("link", name="Arithmetic").click()
    screen.map_ready()
    screen.tool("Directions")
    codes = model.latents.mean.numpy().astype(np.float64)
    one, other = (codes[chosen[name]].mean(0) for name in ("one_side", "other_side"))
    expect(screen.key("directions")).to_contain_text("AUC")
    start, shown = screen.shown("directions")
    assert_decodes(model, start, shown)
    strength = screen.key("direction_knob").locator("input[type=range]")
    strength.focus()
    moved, shown = screen.after_code("directions", lambda: screen.page.keyboard.press("End"))
    np.testing.assert_allclose(moved - start, 3 * (other - one), atol=1e-3)
    assert_decodes(model, moved, shown)
    name = screen.key("direction_name").get_by_role("textbox")
    name.fill("across")
    name.press("Enter")
    screen.idle()
    screen.key("direction_keep").get_by_role("button").click()
    expect(screen.key("kept")).to_contain_text("across")
    screen.tool("Expression")
    code, shown = screen.after_code("expression", lambda: screen.type("one_side + across"))
    np.testing.assert_allclose(code, other, atol=1e-3)
    assert_decodes(model, code, shown)

    # Back in Explore the last selection is still there.
    screen.page.get_by_role("link", name="Explore").click()
    Explore(screen.page).ready()
    expect(screen.key("group")).to_contain_text(f"{len(chosen['other_side']):,} images selected")


def _json(value) -> str:
    import json

    return json.dumps(value, separators=(",", ":"))


def a_picture_is_uploaded_and_a_broken_one(screen, model):
    screen.go(PLANE, e="upload")
    screen.map_ready()
    expect(screen.key("expression").get_by_test_id("stAlert")).to_be_visible()
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:16] = 255
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    screen.key("upload_box").get_by_role("button").first.click()
    chooser = screen.page.locator(".st-key-arithmetic_upload input[type=file]")
    chooser.set_input_files({"name": "bar.png", "mimeType": "image/png", "buffer": data.getvalue()})
    expect(screen.image("expression")).to_be_visible()
    screen.idle()
    code, shown = screen.shown("expression")
    np.testing.assert_allclose(code, model.encode(picture[None, None]).mean[0].numpy(), atol=1e-3)
    assert_decodes(model, code, shown)
    assert np.abs(pixels(data.getvalue()) - picture).max() == 0
    chooser.set_input_files({"name": "torn.png", "mimeType": "image/png", "buffer": data.getvalue()[:50]})
    expect(screen.page.get_by_test_id("stAlert").filter(has_text="torn.png")).to_be_visible()
    screen.page.keyboard.press("Escape")
    screen.idle()


def test_every_tool_fits_a_phone(new_page):
    screen = Arithmetic(new_page(viewport={"width": 390, "height": 844}))
    screen.open(CONV)
    for tool in ("Expression", "Walk", "Traversal", "Sliders", "Directions"):
        screen.tool(tool)
        assert_fits(screen.page, 390)
