"""Back and Forward: a step is what a person did, and each screen is one."""

from __future__ import annotations

import pytest
import torch
from playwright.sync_api import expect

from explorer.ui import html
from tests.app.tiny_runs import PLANE
from tests.browser.screen import Explore
from tests.browser.steps import Arithmetic

pytestmark = pytest.mark.browser

SCREENS = {
    "Explore": "Explore what a model has learnt",
    "Arithmetic": "Add, blend and walk through codes",
    "Cells": "Healthy cells, and cells with malaria",
    "Reconstruct": "Any picture through any model",
    "Train": "Watch a model learn",
}


def steps(explore: Explore) -> int:
    """The entries of the browser's history."""
    return explore.page.evaluate("history.length")


def shows(explore: Explore, screen: str) -> None:
    """Wait until a screen is there, and at rest."""
    expect(explore.page.get_by_role("heading", name=SCREENS[screen])).to_be_visible()
    explore.idle()


def go(explore: Explore, screen: str) -> None:
    """Open a screen from the navigation."""
    explore.page.get_by_test_id("stTopNavLink").filter(has_text=screen).click()
    shows(explore, screen)


def test_all_screens_and_back_and_forward_again(explore):
    explore.open()
    at_first = steps(explore)
    visited = [("Explore", explore.address())]
    for screen in ("Cells", "Reconstruct", "Train", "Arithmetic", "Explore"):
        go(explore, screen)
        visited.append((screen, explore.address()))
    assert len({address for _, address in visited}) == len(SCREENS)
    assert steps(explore) == at_first + len(visited) - 1

    def assert_at(screen: str, address: str) -> None:
        shows(explore, screen)
        assert explore.address() == address

    for screen, address in visited[-2::-1]:
        explore.page.go_back()
        assert_at(screen, address)
    for screen, address in visited[1:3]:
        explore.page.go_forward()
        assert_at(screen, address)
    assert steps(explore) == at_first + len(visited) - 1


def test_a_moved_slider_is_one_step_and_back_takes_it_back(new_page):
    screen = Arithmetic(new_page()).open(PLANE, tool="sliders")
    before = steps(screen)
    start, _ = screen.shown("sliders")
    thumb = screen.key("steer").locator("input[type=range]").first
    moved, _ = screen.after_code("sliders", lambda: thumb.press("End"))
    screen.page.wait_for_function("new URLSearchParams(location.search).has('moves')")
    screen.idle()
    assert steps(screen) == before + 1
    screen.page.go_back()
    screen.wait_for_query("moves", None)
    expect(screen.image("sliders")).to_have_attribute("data-code", html.code_text(torch.tensor(start)))
    screen.page.go_forward()
    expect(screen.image("sliders")).to_have_attribute("data-code", html.code_text(torch.tensor(moved)))


def test_what_a_person_does_is_a_step_and_what_is_filled_in_is_none(explore, models):
    explore.open(PLANE)
    before = steps(explore)
    row = explore.lonely_points(models(PLANE).latents.mean.numpy(), 1)[0]
    explore.after(lambda: explore.click_point(row))
    explore.wait_for_query("index", str(row))
    assert steps(explore) == before + 1
    go(explore, "Arithmetic")
    assert steps(explore) == before + 2
    explore.page.go_back()
    shows(explore, "Explore")
    expect(explore.key("decoded").locator("img[data-index]")).to_have_attribute("data-index", str(row))
    explore.page.go_back()
    expect(explore.key("decoded")).to_contain_text("The centre of")
