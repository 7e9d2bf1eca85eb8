"""How long Compare takes to show four shipped models, and a lasso to show on four maps of 10,000 points.

In headless Chromium against a server of our own. On a machine that does other work seconds say little: beside them
stand the CPU seconds of server and browser, and the messages and bytes that were sent, which hardly depend on it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from benchmarks.browser import SEEN, Traffic
from benchmarks.serving import Server, browsing, cpu_of

MODELS = ("mnist-mlp-2d", "mnist-ae-2d", "mnist-conv-100", "mnist-vamp-2d")
_ROWS = "n => document.querySelectorAll('[class*=st-key-compare_] .lx-tiles[data-state=ready]').length >= n"
_MAPS = """n => document.querySelectorAll('[class*=st-key-compare_map_] .lx-map[data-state=ready]').length === n
  && Object.values(window.__latentMaps).every(m => m.figure)"""
_REST_MS = 3000  # after the last map, for what Python still answers


@dataclass(frozen=True)
class Taken:
    """What something took: wall seconds, CPU seconds of server and browser, messages and bytes that the server sent."""

    seconds: float
    server: float
    browser: float
    messages: int
    bytes: int


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each measure (default: 3)")
    asked = parser.parse_args(arguments or [])
    with browsing() as (browser, server):
        opened = [open_pictures(browser, server) for _ in range(asked.rounds + 1)]
        report("four models, the server's first visitor", opened[:1])
        report("four models, the next visitors (goal 2 s)", opened[1:])
        maps = [open_maps(browser, server, asked.rounds) for _ in range(2)]
        report("four maps of 10,000 points, the first visitor", [maps[0][0]])
        report("four maps of 10,000 points, the next visitor", [maps[1][0]])
        report("a box on one map, shown on all (goal 0.3 s)", maps[0][1] + maps[1][1])


def report(what: str, taken: list[Taken]) -> None:
    median = {name: statistics.median(getattr(one, name) for one in taken) for name in Taken.__annotations__}
    print(
        f"{what:<48}{median['seconds']:7.2f} s{median['server']:6.2f} CPU-s of the server,"
        f"{median['browser']:5.2f} of the browser{median['messages']:6.0f} messages{median['bytes'] / 1000:8.0f} kB"
    )


def open_pictures(browser: Browser, server: Server) -> Taken:
    """Opens the screen in a new profile; until the row of every model stands."""
    page, traffic = new_page(browser)
    found = _open(page, traffic, server, "", _ROWS)
    page.context.close()
    return found


def _open(page: Page, traffic: Traffic, server: Server, more: str, ready: str) -> Taken:
    """Opens the screen on all models; until what is ready is that for all of them."""
    start, before = time.perf_counter(), spent()
    page.goto(f"{server.url}/compare?models={','.join(MODELS)}{more}", wait_until="commit")
    page.wait_for_function(ready, arg=len(MODELS), timeout=300_000, polling="raf")
    took = time.perf_counter() - start
    page.wait_for_timeout(_REST_MS)
    return taken(took, before, traffic)


def open_maps(browser: Browser, server: Server, rounds: int) -> tuple[Taken, list[Taken]]:
    """Opens the maps in a new profile, and draws boxes of several sizes on the first one."""
    page, traffic = new_page(browser)
    opened = _open(page, traffic, server, "&part=maps", _MAPS)
    page.evaluate("window.__latentMaps.compare_map_0.setDragmode('select')")
    boxes = [box(page, traffic, server, 0.3 + 0.2 * k / rounds) for k in range(rounds)]
    page.context.close()
    return opened, boxes


def box(page: Page, traffic: Traffic, server: Server, share: float) -> Taken:
    """Draws a box over that share of the map's width, about its middle; until every map has painted what is in it.

    By the page's own clock, from the mouse button's release.
    """
    place = page.locator(".st-key-compare_map_0 .lx-map").bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x - share * place["width"] / 2, y - share * place["height"] / 2)
    page.mouse.down()
    page.mouse.move(x + share * place["width"] / 2, y + share * place["height"] / 2, steps=5)
    page.wait_for_timeout(_REST_MS)
    traffic.take()
    page.evaluate(SEEN, [f"compare_map_{number}" for number in range(len(MODELS))])
    before = spent()
    page.mouse.up()
    page.wait_for_function("window.__seen", timeout=120_000, polling="raf")
    took = page.evaluate("window.__seen") / 1000
    page.wait_for_timeout(_REST_MS)
    return taken(took, before, traffic)


def spent() -> tuple[float, float]:
    """CPU seconds that the server and the browser have taken so far."""
    return cpu_of("streamlit"), cpu_of("chrom")


def taken(seconds: float, before: tuple[float, float], traffic: Traffic) -> Taken:
    server, browser = spent()
    return Taken(seconds, server - before[0], browser - before[1], *traffic.take())


def new_page(browser: Browser) -> tuple[Page, Traffic]:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 1000}).new_page()
    traffic = Traffic()
    page.on("websocket", traffic.listen)
    return page, traffic


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
