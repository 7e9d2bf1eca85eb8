"""What a click makes the server send: counted, not timed."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.app.tiny_runs import CONV, PLANE
from tests.browser.screen import Explore

pytestmark = pytest.mark.browser

MOST_MESSAGES, MOST_BYTES = 12, 12_000  # a click on the map


class Listener:
    """The messages that a page receives."""

    def __init__(self, explore: Explore) -> None:
        self.received: list[bytes] = []
        explore.page.on("websocket", lambda socket: socket.on("framereceived", self._heard))

    def _heard(self, payload: bytes) -> None:
        self.received.append(payload)

    def take(self) -> list[bytes]:
        """What has come since it was asked last, without what the sidebar brings every few seconds."""
        found, self.received = self.received, []
        runs: list[list[bytes]] = [[]]
        for message in found:
            if ForwardMsg.FromString(message).HasField("new_session"):
                runs.append([])
            runs[-1].append(message)
        return [message for run in runs if "train_pulse" not in drawn(run) for message in run]


def drawn(messages: list[bytes]) -> set[str]:
    """The kinds of elements in some messages: a component by its name and key, a container by its key."""
    found = set()
    for delta in (ForwardMsg.FromString(message).delta for message in messages):
        element, block = delta.new_element, delta.add_block
        if component := element.bidi_component.id:
            found.add(component.rsplit("-", 1)[-1])
        elif kind := element.WhichOneof("type"):
            found.add(kind)
        elif block.id:
            found.add(block.id.rsplit("-", 1)[-1])
    return found


def test_what_is_clicked_redraws_only_what_it_changes(new_page, models):
    explore = Explore(new_page(viewport={"width": 1280, "height": 1800}))  # of which nothing has to be scrolled
    listener = Listener(explore)
    explore.open(PLANE)
    plane = models(PLANE).latents.mean.numpy()
    a_click_on_the_map_redraws_the_pick_alone(explore, listener, plane)
    a_tile_redraws_its_ring_alone(explore, listener, plane)
    explore.go(CONV)
    umap = models(CONV).latents.maps["umap"].points.numpy()
    explore.mapped(umap)
    a_click_on_the_map_redraws_the_pick_alone(explore, listener, umap)


def a_click_on_the_map_redraws_the_pick_alone(explore: Explore, listener: Listener, points: np.ndarray) -> None:
    explore.after(lambda: explore.click_point(explore.lonely_points(points, 1)[0]))
    for spot in explore.empty_spots(points, 3):
        listener.take()
        explore.after(lambda spot=spot: explore.page.mouse.click(*spot))
        messages = listener.take()
        assert drawn(messages) == {"map", "html", "neighbours", "button"}
        assert len(messages) <= MOST_MESSAGES
        assert sum(map(len, messages)) <= MOST_BYTES


def a_tile_redraws_its_ring_alone(explore: Explore, listener: Listener, points: np.ndarray) -> None:
    """A tile leaves its own grid as it is; a click on the map after it takes the ring away from there, once."""
    spots = explore.empty_spots(points, 2)

    def sent(action) -> set[str]:
        listener.take()
        explore.after(action)
        return drawn(listener.take()) & {"map", "neighbours", "grid_tiles", "samples_tiles", "navigation"}

    assert sent(explore.tile("grid", 3).click) == {"map", "neighbours"}
    assert explore.tile("grid", 3).get_attribute("aria-selected") == "true"
    assert sent(lambda: explore.page.mouse.click(*spots[0])) == {"map", "neighbours", "grid_tiles"}
    assert explore.tile("grid", 3).get_attribute("aria-selected") == "false"
    assert sent(lambda: explore.page.mouse.click(*spots[1])) == {"map", "neighbours"}
    assert sent(explore.tile("samples", 5).click) == {"map", "neighbours"}
