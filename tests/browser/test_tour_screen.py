"""Every tour walked in Chromium to its end, each step done as its words say; and the welcome, which stays closed.

The tours share a page, one after the other, as a person takes them: nothing is loaded anew. One of them is walked by
the keyboard alone, and another on a phone, by touch.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from benchmarks.serving import Server
from explorer.ui.tours import TOURS
from tests.browser.conftest import save_evidence
from tests.browser.screen import Explore, assert_fits
from tests.browser.tabs import Profile
from tests.browser.talk import BUSY_MS, idle

pytestmark = pytest.mark.browser

Deed = Callable[[Explore], object]


def choose(*labels: str) -> Deed:
    """Choose in rows of options, one after the other."""

    def do(screen: Explore) -> None:
        for label in labels:
            screen.page.get_by_role("radio", name=label, exact=True).click()
            screen.idle(BUSY_MS)

    return do


def in_sight(screen: Explore, what: Locator) -> None:
    """Scroll as a person does: what is hidden by the head of the page or by the tour's panel cannot be clicked."""
    what.evaluate("e => e.scrollIntoView({ block: 'center' })")
    screen.idle()


def type_in(text: str) -> Deed:
    def do(screen: Explore) -> None:
        screen.key("expression_text").get_by_role("textbox").fill(text)
        screen.page.keyboard.press("Enter")

    return do


def model(name: str) -> Deed:
    def do(screen: Explore) -> None:
        in_sight(screen, screen.key("explore_model"))
        screen.choose("explore_model", f"{name} —")

    return do


def show_holes(screen: Explore) -> None:
    screen.key("holes").locator("label").click()


def map_in_sight(screen: Explore, key: str) -> None:
    screen.page.wait_for_function("key => window.__latentMaps?.[key]?.figure", arg=key)
    screen.idle()
    in_sight(screen, screen.key(key))


def open_expander(text: str) -> Deed:
    def do(screen: Explore) -> None:
        screen.page.locator("summary").filter(has_text=text).click()

    return do


def turn_on_all_latents(screen: Explore) -> None:
    choose("Traversal")(screen)
    screen.key("traversal_all").locator("label").click()


def click_into_a_hole(screen: Explore) -> None:
    map_in_sight(screen, "map")
    screen.map_ready()
    spot = screen.map("pixelOf(20, -60)")  # below all points
    screen.page.mouse.click(spot["x"], spot["y"])


def tap_a_point(screen: Explore) -> None:
    map_in_sight(screen, "arithmetic_map")
    place = screen.page.evaluate("window.__latentMaps.arithmetic_map.pointOf(3)")
    panel = screen.key("tour_panel").bounding_box()
    assert panel
    assert panel["y"] + panel["height"] < place["clientY"]  # the panel leaves the map in sight
    screen.page.touchscreen.tap(place["clientX"], place["clientY"])


def move_the_strongest_latent(screen: Explore) -> None:
    choose("Sliders")(screen)
    slider = screen.key("sliders").get_by_role("slider").first
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")


def tab_to(screen: Explore, selector: str) -> None:
    """Go on with Tab until what has the keyboard is, or is in, one of these."""
    for _ in range(150):
        screen.page.keyboard.press("Tab")
        if screen.page.evaluate("selector => Boolean(document.activeElement?.closest(selector))", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def select_around(key: str) -> Deed:
    """Go to a place of a map with the arrow keys, and select what lies around it."""

    def do(screen: Explore) -> None:
        map_in_sight(screen, key)
        tab_to(screen, f".st-key-{key} .lx-plot")
        screen.page.keyboard.press("Shift+ArrowDown")
        screen.page.keyboard.press("Enter")

    return do


def type_components(screen: Explore) -> None:
    tab_to(screen, ".st-key-projection [role=combobox]")
    screen.page.keyboard.type("principal")
    screen.page.keyboard.press("Enter")


def open_maps(screen: Explore) -> None:
    tab_to(screen, ".st-key-compare_part button")
    screen.page.keyboard.press("ArrowRight")
    screen.idle()
    screen.page.keyboard.press("Space")
    screen.idle(BUSY_MS)


def compare_also(*names: str) -> Deed:
    """Choose models beside those that are compared."""

    def do(screen: Explore) -> None:
        box = screen.key("compare_models")
        for name in names:
            if not box.get_by_text(name, exact=True).count():
                box.get_by_role("combobox").fill(name)  # a list of many models has those in sight alone
                screen.page.get_by_role("option", name=name, exact=True).click()
                screen.idle()
        screen.page.keyboard.press("Escape")

    return do


def open_options(screen: Explore) -> None:
    panel = screen.key("train_options")
    if not panel.locator("details[open]").count():
        panel.locator("summary").click()


def sweep_beta(screen: Explore) -> None:
    open_options(screen)
    screen.key("option_epochs").locator("input").fill("5")
    screen.page.keyboard.press("Enter")
    screen.idle()
    button = screen.page.get_by_role("button", name="Sweep")
    in_sight(screen, button)
    button.click()
    # By the keyboard: what is read above may still grow, and take the button out of sight.
    screen.key("sweep_start").get_by_role("button").press("Enter")


def compare_the_sweep(screen: Explore) -> None:
    button = screen.key("compare_sweep_models").get_by_role("button")
    in_sight(screen, button)
    button.click()


def set_sigma(screen: Explore) -> None:
    open_options(screen)
    screen.key("option_sigma").get_by_role("button").click()


def set_free_bits(screen: Explore) -> None:
    open_options(screen)
    screen.key("option_free_bits").locator("input").fill("0.1")
    screen.page.keyboard.press("Enter")


DEEDS: dict[str, Sequence[Deed]] = {
    "digits": (
        type_in("mean(7)"),
        type_in("mean(7) - mean(1) + mean(4)"),
        model("mnist-mlp-2d"),
        choose("Walk"),
        tap_a_point,
    ),
    "holes": (show_holes, click_into_a_hole, choose("Walk"), model("mnist-mlp-2d"), choose("Samples")),
    "latents": (
        open_expander("14 of 100 latents in use"),
        turn_on_all_latents,
        move_the_strongest_latent,
        lambda screen: (compare_also("mnist-mlp-2d", "mnist-conv-100")(screen), choose("Measures")(screen)),
        set_free_bits,
    ),
    "samples": (choose("Images"), choose("Samples"), show_holes, model("mnist-vamp-2d")),
    "maps": (
        select_around("map"),
        type_components,
        lambda screen: (open_maps(screen), select_around("compare_map_0")(screen)),
    ),
    "cells": (
        choose("Convolutions"),
        choose("VQ-VAE"),
        choose("One model of both"),
        lambda screen: (choose("Upload cells")(screen), open_expander("Calibration and ROC")(screen)),
        choose("Xavier against Kaiming"),
    ),
    "beta": (sweep_beta, choose("Sweeps"), compare_the_sweep, set_sigma),
}


KEYS, TOUCH = "maps", "digits"  # the tours of the keyboard and of the phone


def press(screen: Explore, key: str, name: str) -> None:
    """Press a button as that tour is walked."""
    button = screen.key(key).get_by_role("button").first
    if name == KEYS:
        tab_to(screen, f".st-key-{key} button")
        screen.page.keyboard.press("Enter")
    elif name == TOUCH:
        button.tap()
    else:
        button.click()


def begin(screen: Explore, name: str) -> None:
    """Press a tour's button, in the welcome on a first visit and then in the list of tours; on the phone by a link."""
    if name == TOUCH:
        screen.page.goto(f"/?tour={name}.1")
    else:
        screen.idle()
        if screen.page.evaluate("location.pathname") != "/":
            screen.page.get_by_role("link", name="Explore", exact=True).click()
            screen.idle()
        first = bool(screen.key("welcome").count())
        press(screen, "welcome_tours" if first else "tours_False", name)
        press(screen, f"{'welcome' if first else 'tours'}_{name}", name)
    expect(screen.key("tour_panel")).to_be_visible()
    screen.idle()


IN_SIGHT = """key => {
  const [part, panel] = [key, "tour_panel"].map((k) => document.querySelector(`.st-key-${k}`)?.getBoundingClientRect());
  return part && part.top >= panel.bottom && (part.bottom <= innerHeight || part.top < panel.bottom + 20);
}"""


def walk(screen: Explore, name: str) -> None:
    """Do what each step says: it is not done before, and is after. What it then speaks of is in sight."""
    begin(screen, name)
    steps = TOURS[name].steps
    panel = screen.key("tour_panel")
    for number, (step, deed) in enumerate(zip(steps, DEEDS[name], strict=True), 1):
        expect(panel).to_contain_text(f"{number} of {len(steps)}")
        expect(panel).to_contain_text("Do it, and this panel goes on.")
        if screen.key("tour_there").count():
            press(screen, "tour_there", name)
            screen.idle()
        deed(screen)
        expect(panel.get_by_test_id("stAlert")).to_be_visible(timeout=BUSY_MS)
        screen.idle(BUSY_MS)
        if step.shows:
            screen.page.wait_for_function(IN_SIGHT, arg=step.shows)
        expect(screen.key("tour_next")).to_contain_text("Next" if number < len(steps) else "Finish")
        press(screen, "tour_next", name)
        screen.idle(BUSY_MS)
    expect(panel).to_have_count(0)


@pytest.fixture(scope="module")
def screen(browser: Browser, server: Server, runs: Path) -> Iterator[Explore]:
    """One page for all tours but the phone's. What a sweep trains is removed at the end: other tests list the runs."""
    profile = Profile(browser, server.url)
    page = profile.page(viewport={"width": 1280, "height": 1000})
    page.goto("/")
    yield Explore(page)
    profile.context.close()
    for run in runs.glob("mnist-5k-mlp-2d-beta*"):
        shutil.rmtree(run)
    assert not profile.complaints


@pytest.mark.parametrize("name", [name for name in DEEDS if name != TOUCH])
def test_a_tour_to_its_end(screen, server, name):
    try:
        walk(screen, name)
    except BaseException:
        save_evidence(f"tour-{name}", server, [screen.page])
        screen.page.goto("/")  # the next tour begins where none is on
        raise


def test_a_tour_on_a_phone_from_its_link(new_page):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    screen = Explore(new_page(**phone))
    walk(screen, TOUCH)
    assert_fits(screen.page)


def test_the_welcome_once_closed_stays_away(server, new_page):
    page = new_page()
    page.goto(f"{server.url}/")
    page.locator(".st-key-welcome_close button").click()
    expect(page.locator(".st-key-welcome")).to_have_count(0)
    page.wait_for_function("document.cookie.includes('latent_explorer_welcome=closed')")
    page.goto(f"{server.url}/")
    expect(page.locator(".st-key-map")).to_be_visible()
    idle(page)
    expect(page.locator(".st-key-welcome")).to_have_count(0)
