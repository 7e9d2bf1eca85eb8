"""The page as a whole: many visitors, damaged models, narrow screens, both themes, nobody else told."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from explorer import datasets, load
from explorer.checkpoints.folder import SHIPPED
from tests.app.tiny_runs import AUTOENCODER, CONV, DAMAGED, PLANE
from tests.browser.screen import RESULTS, Explore, assert_fits, follow
from tests.browser.talk import BUSY_MS

pytestmark = pytest.mark.browser


def test_damaged_checkpoints_are_listed_with_their_reasons(explore):
    explore.open(PLANE)
    explore.page.get_by_text("checkpoints cannot be opened").click()
    for ident, reason in DAMAGED.items():
        line = explore.page.get_by_role("paragraph").filter(has_text=ident)
        expect(line).to_be_visible()
        expect(line).to_contain_text(reason)
    explore.box("explore_model").click()
    options = explore.page.locator('[role="option"]:not(.lx-tile)')
    expect(options.filter(has_text=PLANE)).to_be_visible()
    for ident in DAMAGED:
        expect(options.filter(has_text=ident)).to_have_count(0)


def test_visitors_at_once_see_each_their_own(new_page, models):
    visitors = []
    for number, ident in enumerate((PLANE, AUTOENCODER, CONV, PLANE)):
        visitor = Explore(new_page(profile="another" if number % 2 else "", viewport={"width": 1000, "height": 1100}))
        visitor.visit(ident)
        visitors.append((visitor, ident))
    clicks = []
    for number, (visitor, ident) in enumerate(visitors):
        visitor.ready(BUSY_MS)
        latents = models(ident).latents
        points = next(latents.maps[kind].points for kind in ("plane", "umap") if kind in latents.maps).numpy()
        clicks.append(visitor.lonely_points(points, 10)[number])
    for (visitor, _), row in zip(visitors, clicks, strict=True):
        visitor.click_point(row)
    for (visitor, ident), row in zip(visitors, clicks, strict=True):
        picked = visitor.key("decoded").locator("img[data-index]")
        expect(picked).to_have_attribute("data-index", str(row), timeout=BUSY_MS)
        shown = visitor.decoded()
        np.testing.assert_allclose(shown.code, models(ident).latents.mean[row], rtol=1e-5, atol=1e-5)
        shown.assert_decodes(models(ident))


def test_nothing_leaves_this_machine(new_page, server):
    page = new_page(profile="new")
    hosts = set()

    def pass_or_stop(route) -> None:
        host = urlsplit(route.request.url).hostname
        hosts.add(host)
        if host == "localhost":
            route.continue_()
        else:
            route.abort()

    page.context.route("**/*", pass_or_stop)
    explore = Explore(page).open(PLANE)
    explore.after(explore.tile("grid", 3).click)
    explore.choose("color_by", "KL")
    explore.wait_for_query("color", "kl")
    expect(explore.key("map").locator(".lx-scale .lx-name")).to_have_text("KL, nats")
    explore.ready()
    assert hosts == {"localhost"}


def test_themes_and_widths(new_page):
    """Screenshots for whoever looks; checked is that the theme is followed and that nothing sticks out sideways."""
    page = new_page(color_scheme="light", viewport={"width": 1280, "height": 900})
    explore = Explore(page).open(PLANE, index="3")
    RESULTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        follow(page, scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(
                "() => { const plot = document.querySelector('.st-key-map .lx-plot');"
                " return Math.abs(plot.querySelector('.main-svg').clientWidth - plot.clientWidth) <= 1 }"
            )
            explore.idle()
            page.screenshot(path=RESULTS / f"explore-{scheme}-{width}.png", full_page=True)
            assert_fits(page)
            box = page.locator(".st-key-map .lx-frame").bounding_box()
            assert box
            assert 0 <= box["x"] <= box["x"] + box["width"] <= width


SHIPS = sorted(p.name for p in SHIPPED.glob("[!.]*") if p.is_dir())


def test_the_shipped_models_open_and_decode(explore, subtests):
    explore.open(SHIPS[0])
    for name in SHIPS:
        with subtests.test(name):
            model = load(name)
            latents = model.latents
            points = latents.maps["plane" if model.latent == 2 else "umap"].points
            explore.go(name)
            explore.mapped(points.numpy())
            assert explore.query()["model"] == name
            assert explore.map("shown") == len(latents)
            spots = explore.empty_spots(points.numpy(), 1)
            shown = explore.after(lambda at=spots[0]: explore.page.mouse.click(*at))
            assert shown.index is None
            shown.assert_decodes(model)
            row = explore.lonely_points(points.numpy(), 1)[0]
            shown = explore.after(lambda row=row: explore.click_point(row))
            assert shown.index is not None
            code = latents.mean[int((latents.index == shown.index).nonzero())]
            np.testing.assert_allclose(shown.code, code, rtol=1e-4, atol=1e-4)
            shown.assert_decodes(model)


@pytest.mark.data
def test_the_original_of_a_shipped_model_when_its_data_are_here(explore, server, data_root):
    name = next((name for name in SHIPS if load(name).info.config["dataset"]["name"] == "mnist"), None)
    assert name, "no model of MNIST ships"
    explore.open(name, index="11")
    expect(explore.key("decoded")).to_contain_text("The original is not on this machine")
    link = server.log.parent / "data" / "mnist"
    link.symlink_to(data_root / "mnist")
    try:
        explore.open(name, index="12")
        image = datasets.load("mnist", "test", root=data_root).images[12, 0]
        np.testing.assert_array_equal(explore.original(), image)
        expect(explore.key("decoded")).to_contain_text("difference")
    finally:
        link.unlink()
