"""How long a person waits, and what the server sends, in headless Chromium against a server of our own on this machine.

`python -m benchmarks.browser --beside ../old` measures another checkout in the same run, turn by turn with this one, so
that other work on the machine slows both. Clicks and tabs are counted on Explore with the first model of the tour.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, WebSocket

from benchmarks.serving import Server, browsing, serve

FIRST = "mnist-mlp-2d"
CLICKS = 20  # a round
TABS = 10
_SETTLE_MS = 2500  # after the first map, for the panels below it
_REST_MS = 400  # between two clicks, for the rest of the panel
SEEN = """(keys) => {
  window.__seen = 0;
  addEventListener('pointerup', () => {
    const maps = keys.map((key) => window.__latentMaps[key]), before = maps.map((m) => m.frames);
    const start = performance.now();
    const look = () => requestAnimationFrame(() => {
      if (!maps.every((m, i) => m.frames > before[i] && m.dimmed > 0)) return look();
      const channel = new MessageChannel(); // its message comes once that frame is painted
      channel.port1.onmessage = () => (window.__seen = performance.now() - start);
      channel.port2.postMessage(0);
    });
    look();
  }, { capture: true, once: true });
}"""
"""Has `window.__seen` be the milliseconds from a release of the mouse until some maps have painted a selection."""


@dataclass
class Traffic:
    """What a page has received over its web socket: messages, and bytes of them."""

    messages: int = 0
    bytes: int = 0

    def listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def take(self) -> tuple[int, int]:
        """Returns messages and bytes since it was asked last."""
        found = self.messages, self.bytes
        self.messages = self.bytes = 0
        return found

    def _count(self, payload: bytes | str) -> None:
        self.messages += 1
        self.bytes += len(payload)


@dataclass
class Side:
    """A checkout with its server, and what was measured of it."""

    name: str
    server: Server
    cold: float = 0.0
    first: list[float] = field(default_factory=list)
    first_traffic: list[tuple[int, int]] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    click_traffic: list[tuple[int, int]] = field(default_factory=list)
    tabs: list[float] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout, measured turn by turn")
    parser.add_argument("--rounds", type=int, default=3, help="of each measure (default: 3)")
    parser.add_argument("--quick", action="store_true", help="first maps and clicks only")
    asked = parser.parse_args(arguments or [])
    with browsing() as (browser, server), ExitStack() as stack:
        sides = [Side("this checkout", server)]
        if asked.beside:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            beside = stack.enter_context(serve(folder / "log", folder=asked.beside, EXPLORER_RUNS=str(folder)))
            sides.insert(0, Side(str(asked.beside), beside))
        compare(browser, sides, asked.rounds)
        if not asked.quick:
            for side in sides:
                print(f"-- {side.name}")
                look_around(browser, side)
            for _ in range(asked.rounds):
                for side in sides:
                    side.tabs.append(many_tabs(browser, side))
        report(sides)


def compare(browser: Browser, sides: list[Side], rounds: int) -> None:
    """Measures first maps and clicks, the sides in turn."""
    for side in sides:
        page, side.cold, _ = open_map(browser, side.server.url)
        page.context.close()
    for _ in range(rounds):
        for side in sides:
            page, took, traffic = open_map(browser, side.server.url)
            side.first.append(took)
            side.first_traffic.append(traffic.take())
            for took, received in clicks(page, traffic, CLICKS):
                side.clicks.append(took)
                side.click_traffic.append(received)
            page.context.close()


def report(sides: list[Side]) -> None:
    """Prints the sides beside one another, and what share of the first one's the last one's are."""
    print("".join(f"{side.name[-24:]:>26}" for side in sides).rjust(40 + 26 * len(sides)))
    line("first map, the server's first visitor, s", sides, lambda side: side.cold)
    line("first map, the next visitors, s", sides, lambda side: statistics.median(side.first))
    line("  messages till all is drawn", sides, lambda side: statistics.median(m for m, _ in side.first_traffic))
    line("  kB", sides, lambda side: statistics.median(b for _, b in side.first_traffic) / 1000)
    line("click to the decoded image, ms", sides, lambda side: 1000 * statistics.median(side.clicks))
    line("  messages", sides, lambda side: statistics.median(m for m, _ in side.click_traffic))
    line("  kB", sides, lambda side: statistics.median(b for _, b in side.click_traffic) / 1000)
    if sides[0].tabs:
        line(f"{TABS} tabs at once, all maps after s", sides, lambda side: statistics.median(side.tabs))


def line(what: str, sides: list[Side], figure: Callable[[Side], float]) -> None:
    found = [figure(side) for side in sides]
    share = f"   {found[-1] / found[0]:.0%}" if len(found) > 1 else ""
    print(f"{what:<40}" + "".join(f"{value:26,.1f}" for value in found) + share)


def look_around(browser: Browser, side: Side) -> None:
    """Measures what a person does next: moving over the plane, choosing other models."""
    page, _, _ = open_map(browser, side.server.url)
    print(f"hovering: {hover(page):.0f} images a second (goal 50)")
    print(f"switching model: median {statistics.median(switches(page)):.2f} s (goal 1.5)")
    print(f"server's memory with every shipped model opened: {memory(side.server.pid):.2f} GB (goal 1.5)")
    page.context.close()


def many_tabs(browser: Browser, side: Side) -> float:
    """Seconds until the maps of all tabs stand that are opened at once."""
    tabs = [
        browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page() for _ in range(TABS)
    ]
    start = time.perf_counter()
    for tab in tabs:
        tab.goto(f"{side.server.url}/?model={FIRST}", wait_until="commit")
    for tab in tabs:
        tab.wait_for_selector(".lx-map[data-state=ready]", timeout=300_000)
    took = time.perf_counter() - start
    for tab in tabs:
        tab.context.close()
    return took


def open_map(browser: Browser, url: str) -> tuple[Page, float, Traffic]:
    """Opens Explore in a new profile: the page, seconds to its map, and what it receives."""
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page()
    traffic = Traffic()
    page.on("websocket", traffic.listen)
    start = time.perf_counter()
    page.goto(f"{url}/?model={FIRST}", wait_until="commit")
    page.wait_for_selector(".lx-map[data-state=ready]", timeout=120_000)
    took = time.perf_counter() - start
    page.wait_for_timeout(_SETTLE_MS)
    return page, took, traffic


def clicks(page: Page, traffic: Traffic, count: int) -> list[tuple[float, tuple[int, int]]]:
    """Seconds from a click on a point to the panel showing that very item, and messages and bytes of each click."""
    found = []
    for k in range(count):
        point = page.evaluate("id => window.__latentMaps.map.pointOf(id)", 97 * k + 13)
        before = page.locator(".st-key-decoded img[data-code]").get_attribute("data-code")
        traffic.take()
        start = time.perf_counter()
        page.mouse.click(point["clientX"], point["clientY"])
        page.wait_for_function(
            "before => { const i = document.querySelector('.st-key-decoded img[data-code]');"
            " return i && i.dataset.code !== before && i.complete && i.naturalWidth > 0; }",
            arg=before,
            polling="raf",
            timeout=30_000,
        )
        took = time.perf_counter() - start
        page.wait_for_timeout(_REST_MS)
        found.append((took, traffic.take()))
    return found


def hover(page: Page) -> float:
    """Decoded images drawn a second while the pointer moves over the plane."""
    box = page.locator(".st-key-map .lx-map").bounding_box()
    assert box is not None
    before, start = page.evaluate("window.__latentMaps.map.cards"), time.perf_counter()
    step = 0
    while time.perf_counter() - start < 3:
        step += 1
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.4 * (step % 97) / 97), box["y"] + box["height"] * 0.6)
    return float((page.evaluate("window.__latentMaps.map.cards") - before) / (time.perf_counter() - start))


def switches(page: Page) -> list[float]:
    """Seconds from choosing another model to its map on the screen, each model opened for the first time."""
    times = []
    page.locator(".st-key-explore_model input").click()
    count = page.get_by_role("option").count()
    page.keyboard.press("Escape")
    for k in range(count):
        page.locator(".st-key-explore_model input").click()
        option = page.get_by_role("option").nth(k)
        name = option.inner_text().split(" ")[0]
        if name in page.url:
            page.keyboard.press("Escape")
            continue
        before = page.evaluate("window.__latentMaps.map.figure")
        start = time.perf_counter()
        option.click()
        page.wait_for_function(
            "before => { const m = window.__latentMaps?.map; return m && m.figure && m.figure !== before; }",
            arg=before,
            polling="raf",
            timeout=30_000,
        )
        times.append(time.perf_counter() - start)
        page.wait_for_timeout(1000)
    return times


def memory(pid: int) -> float:
    """Resident memory of the server, in GB (Linux)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    row = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
    return int(row.split()[1]) / 1e6


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
