"""How long a person waits, in headless Chromium against a server of our own on this machine."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.serving import browsing

FIRST = "mnist-mlp-2d"


def main() -> None:
    with browsing() as (browser, server):
        measure(browser, server.url, server.pid)


def measure(browser: Browser, url: str, pid: int) -> None:
    page, cold = open_map(browser, url)
    page.context.close()
    page, again = open_map(browser, url)
    print(f"first map: {cold:.2f} s for the server's first visitor, {again:.2f} s for the next (goal 5)")
    click = statistics.median(clicks(page, 20))
    print(f"click on a point to its decoded image: median of 20 {click * 1000:.0f} ms (goal 300)")
    print(f"hovering: {hover(page):.0f} images a second (goal 50)")
    print(f"switching model: median {statistics.median(switches(page)):.2f} s (goal 1.5)")
    print(f"server's memory with every shipped model opened: {memory(pid):.2f} GB (goal 1.5)")
    page.context.close()
    tabs = [browser.new_context(viewport={"width": 1280, "height": 900}).new_page() for _ in range(10)]
    start = time.perf_counter()
    for tab in tabs:
        tab.goto(f"{url}/?model={FIRST}", wait_until="commit")
    for tab in tabs:
        tab.wait_for_selector(".lx-map[data-state=ready]", timeout=120_000)
    print(f"ten tabs at once: all maps after {time.perf_counter() - start:.1f} s; memory {memory(pid):.2f} GB")


def open_map(browser: Browser, url: str) -> tuple[Page, float]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    start = time.perf_counter()
    page.goto(f"{url}/?model={FIRST}", wait_until="commit")
    page.wait_for_selector(".lx-map[data-state=ready]", timeout=60_000)
    took = time.perf_counter() - start
    page.wait_for_timeout(1500)
    return page, took


def clicks(page: Page, n: int) -> list[float]:
    """Seconds from a click on a point to the panel showing that very item, decoded in the page."""
    times = []
    for k in range(n):
        point = page.evaluate("id => window.__latentMaps.map.pointOf(id)", 97 * k + 13)
        start = time.perf_counter()
        before = page.locator(".st-key-decoded img[data-code]").get_attribute("data-code")
        page.mouse.click(point["clientX"], point["clientY"])
        page.wait_for_function(
            "before => { const i = document.querySelector('.st-key-decoded img[data-code]');"
            " return i && i.dataset.code !== before && i.complete && i.naturalWidth > 0; }",
            arg=before,
            polling="raf",
            timeout=10_000,
        )
        times.append(time.perf_counter() - start)
        page.wait_for_timeout(250)
    return times


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
    line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1e6


if __name__ == "__main__":
    main()
