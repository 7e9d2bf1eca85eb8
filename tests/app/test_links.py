"""A link shows the view: what a screen says in its address is what another session shows under it."""

from __future__ import annotations

import json
import re

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.checkpoints.model import load
from explorer.latents import compact
from tests.app.screens import APP, PAGES, TIMEOUT, go_back, press, sound, texts
from tests.app.tiny_runs import CONV, PLANE

pytestmark = pytest.mark.usefixtures("own_runs")


def page(screen: str = "explore", **query: str) -> AppTest:
    """A screen after its first run under an address, in a new session."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    if screen != "explore":
        at.switch_page(str(PAGES / f"{screen}.py"))
    for name, value in query.items():
        at.query_params[name] = value
    return sound(at.run())


def told(at: AppTest, key: str) -> dict:
    """What a component of that key is told."""
    (found,) = [found for one in at.get("bidi_component") if (found := json.loads(one.proto.json))["key"] == key]
    return found


def assert_shares(at: AppTest, *keys: str, screen: str = "explore") -> AppTest:
    """Another session that follows the address has the same address, widgets, and sheets of pictures."""
    query = dict(sound(at.run()).query_params)  # all of it: a panel's run shows that panel alone
    other = page(screen, **query)
    assert dict(other.query_params) == query
    assert not other.warning
    for key in keys:
        if key.endswith("_tiles"):
            assert told(other, key)["revision"] == told(at, key)["revision"]  # which names the pictures' contents
        else:
            assert other.get_by_key(key).value == at.get_by_key(key).value
    return other


def test_a_page_to_take_away_shows_what_is_shown_when_it_is_taken():
    at = page(model=PLANE, color="density", zoom="-1,1,-2,2")
    shown = at.session_state["address_now"]  # as the download holds it
    assert shown == dict(at.query_params) == {"model": PLANE, "color": "density", "zoom": "-1.0,1.0,-2.0,2.0"}
    at.selectbox(key="color_by").set_value("error").run()
    assert at.session_state["address_now"] == {**shown, "color": "error"}
    assert shown["color"] == "error"


def test_grid_samples_and_holes():
    at = page(model=PLANE)
    assert dict(at.query_params) == {"model": PLANE}
    at.slider(key="grid_n").set_value(7).run()
    at.slider(key="grid_outer").set_value(0.1).run()
    at.slider(key="samples_temperature").set_value(0.65).run()
    press(press(at, "samples_new"), "samples_new")
    at.toggle(key="holes").set_value(True).run()
    more = {"grid": "7", "outer": "0.1", "temperature": "0.65", "seed": "2", "holes": "1"}
    assert dict(at.query_params) == {"model": PLANE, **more}
    other = assert_shares(at, "grid_n", "grid_outer", "samples_temperature", "holes", "grid_tiles", "samples_tiles")
    back = go_back(other, model=PLANE)
    assert (back.slider(key="grid_n").value, back.toggle(key="holes").value) == (15, False)
    assert told(back, "samples_tiles")["revision"] == told(page(model=PLANE), "samples_tiles")["revision"]


def test_the_planes_of_the_grid():
    at = page(model=CONV, index="3")
    at.get_by_key("grid_plane").set_value("latents").run()
    up = at.selectbox(key="grid_b")
    up.select(up.options[2]).run()
    assert at.query_params["plane"] == "latents"
    assert_shares(at, "grid_plane", "grid_a", "grid_b", "grid_tiles")
    at.get_by_key("grid_plane").set_value("points").run()
    for name, z in zip("ABC", (torch.zeros(8), torch.ones(8), torch.arange(8.0)), strict=True):
        at.session_state["explore_pick"] = page(model=CONV, z=compact.code_text(z)).session_state["explore_pick"]
        press(at.run(), f"grid_corner_{name}")
    assert_shares(sound(at.run()), "grid_plane")
    assert len(at.query_params["corners"].split("~")) == 3


def test_a_code_is_exact_and_a_spot_is_itself(runs):
    code = torch.randn(8, generator=torch.Generator().manual_seed(0))
    at = page(model=CONV, z=compact.code_text(code))
    assert at.session_state["explore_pick"].code == tuple(code.tolist())
    old = page(model=CONV, z=",".join(f"{v:.6g}" for v in code.tolist()))  # as addresses were
    torch.testing.assert_close(old.session_state["explore_pick"].tensor(), code, rtol=1e-5, atol=1e-6)
    at = page(model=CONV, spot="0.5,-1.25")
    assert "code estimated" in texts(at.html)
    pick = at.session_state["explore_pick"]
    assert pick.xy == (0.5, -1.25)
    expected = load(runs / "tiny-conv").latents.maps["umap"].code_at(torch.tensor([[0.5, -1.25]]))[0]
    assert pick.code == tuple(expected.tolist())
    assert_shares(at)


def test_selection_and_zoom():
    ids = [3, 5, 8, 13, 21, 999]
    outline = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
    view = {
        "zoom": "-1.5,2.0,-0.5,3.25",
        "select": f"box~{compact.ids_text(ids, 1000)}~{compact.outline_text(outline)}",
    }
    at = page(model=PLANE, **view)
    assert "6 images selected" in texts(at.markdown)
    shown = told(at, "map")
    assert (shown["restore"]["ids"], shown["restore"]["kind"], shown["restore"]["outline"]) == (ids, "box", outline)
    assert shown["view"] == {"x": [-1.5, 2.0], "y": [-0.5, 3.25]}
    other = assert_shares(at)
    before = shown["anew"]
    back = go_back(other, model=PLANE)
    again = told(back, "map")
    assert (again["view"], again["restore"]) == (None, None)
    assert again["anew"] > before
    assert dict(sound(back.run()).query_params) == {"model": PLANE}
    assert told(page("arithmetic", model=PLANE, zoom=view["zoom"]), "arithmetic_map")["view"] == shown["view"]


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "zoom": ("1,2,3", "four numbers"),
            "select": ("lasso~AAAA~BBBB", "of another map"),
            "spot": ("here", "two numbers"),
            "grid": ("400", "from 5 to 30"),
            "outer": ("nan", "from 0.005 to 0.25"),
            "seed": ("-1", "from 0 to 1000000"),
            "temperature": ("hot", "from 0 to 2"),
            "plane": ("astral", "astral"),
        },
        {
            "zoom": ("1,1,2,2", "four numbers"),
            "select": (f"box~{compact.ids_text([1], 77)}~{compact.outline_text([[0, 0], [1, 1]])}", "of another map"),
        },
    ],
    ids=["all", "well-formed"],
)
def test_what_is_wrong_with_a_view_is_said(wrong):
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["model"] = CONV
    for name, (value, _) in wrong.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    assert not at.error
    said = [warning.value.replace("\\", "") for warning in at.warning]
    assert len(said) == len(wrong)
    assert all(sum(sentence in text for text in said) == 1 for _, sentence in wrong.values())
    assert dict(at.query_params) == {"model": CONV}


@pytest.mark.parametrize(
    ("screen", "query", "key", "named"),
    [
        ("explore", {"model": CONV, "plane": "latents", "up": "99"}, "grid_b", "{}"),
        ("arithmetic", {"model": PLANE, "tool": "directions", "b": "class:none"}, "direction_to", "class {}"),
    ],
)
def test_what_is_shown_instead_is_named(screen, query, key, named):
    at = page(screen, **query)
    shown = str(at.selectbox(key=key).value).removeprefix("class:")
    assert f"showing {named.format(shown)}." in texts(at.warning)


@pytest.mark.parametrize(("tool", "picture"), [("sliders", "steer"), ("directions", "direction_knob")])
def test_what_sliders_of_arithmetic_say(tool, picture):
    at = page("arithmetic", model=PLANE, tool=tool, moves="0:1.75,1:-0.5,7:3,x:1")
    knobs = {knob["id"]: knob["value"] for knob in told(at, picture)["knobs"]}
    assert knobs == ({0: 1.75, 1: -0.5} if tool == "sliders" else {0: 1.75})
    assert at.query_params["moves"].startswith("0:1.75")
    other = assert_shares(at, screen="arithmetic")
    assert told(other, picture)["picture"] == told(at, picture)["picture"]
    query = {name: value for name, value in dict(at.query_params).items() if name != "moves"}
    back = go_back(other, **query)
    assert all(knob["value"] == knob["home"] for knob in told(back, picture)["knobs"])


def test_what_class_means_are_over():
    at = page("arithmetic", model=PLANE)
    at.get_by_key("means_over").set_value("training").run()
    assert sound(at).query_params["over"] == "training"
    code = re.search(r'data-code="([^"]+)"', texts(at.html)).group(1)
    assert code in texts(assert_shares(at, "means_over", "means_tiles", screen="arithmetic").html)
    assert code not in texts(page("arithmetic", model=PLANE).html)
