"""Tours under Streamlit's test runner: their list, their addresses, what is gone, and the welcome."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from explorer.checkpoints.model import load
from explorer.latents.holes import find_holes
from explorer.ui.address import TOUR
from explorer.ui.selection import Pick
from explorer.ui.tours import TOURS
from explorer.ui.tours.conditions import without
from tests.app.screens import APP, TIMEOUT, explore, own_space, press, sound, texts
from tests.app.test_compare import query


@pytest.fixture(autouse=True)
def space(tmp_path, monkeypatch):
    with own_space(tmp_path, monkeypatch) as place:
        yield place


def test_every_tour_is_listed_and_says_what_it_teaches():
    at = explore()
    for tour in TOURS.values():
        assert at.button(key=f"tours_{tour.name}").label == tour.title
        assert at.button(key=f"tours_{tour.name}").help == tour.summary
        assert len(tour.steps) >= 3
        assert all(len(step.seen.split()) <= 60 and step.seen.count(". ") < 3 for step in tour.steps)


def test_a_spot_counts_as_a_hole_only_where_one_is():
    at = press(press(explore(), "tours_holes"), "tour_next")
    inside = (20.0, -60.0)
    assert find_holes(load("mnist-ae-2d").latents.posterior, None).has(*inside)
    for code, hole in (((0.0, 0.0), False), (inside, True)):
        at.session_state["explore_pick"] = Pick("mnist-ae-2d", code, xy=code, map_kind="plane", origin="the map")
        assert bool(texts(sound(at.run()).success)) == hole


def test_a_step_whose_object_is_gone_says_so_and_can_be_skipped():
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["tour"] = "beta.2"
    assert "There is no sweep of beta here" in texts(sound(at.run()).warning)
    assert "tour_there" not in {button.key for button in at.button}
    at = press(at, "tour_next")
    assert at.session_state[TOUR] == ("beta", 2)
    assert without("mnist-mlp-2d")() == ""
    assert without("mnist-mlp-2d", "runs/gone")() == "runs/gone is not here, or it is damaged."


def test_a_tour_is_in_the_address_left_and_taken_up():
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["tour"] = "digits.2"
    sound(at.run())
    assert at.session_state[TOUR] == ("digits", 1)
    press(at, "tour_there")
    assert query(at)["tour"] == "digits.2"
    press(at, "tour_leave")
    assert "tour" not in query(at)


def test_a_link_to_a_step_shows_what_it_begins_with():
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["tour"] = "maps.1"
    assert sound(at.run()).selectbox(key="explore_model").value == "mnist-conv-100"
    assert query(at)["model"] == "mnist-conv-100"


def test_an_address_of_no_tour_is_said():
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["tour"] = "nonsense.9"
    assert "There is no tour called “nonsense”" in texts(sound(at.run()).warning)
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["tour"] = f"digits.{'9' * 5000}"  # more digits than Python reads
    assert sound(at.run()).session_state[TOUR] == ("digits", 0)


def test_the_welcome_opens_doors_and_goes_for_good():
    at = explore()
    assert {"welcome_look", "welcome_own", "welcome_train", "welcome_holes"} <= {b.key for b in at.button}
    press(at, "welcome_look")
    assert "welcome_look" not in {b.key for b in at.button}
    press(at, "welcome_again")
    press(at, "welcome_own")
    assert "Watch a model learn" in texts(at.markdown)
    assert at.session_state["train_own"] is True  # the panel for them is open
