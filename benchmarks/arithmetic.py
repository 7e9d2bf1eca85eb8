"""How long a person waits on the Arithmetic screen, in headless Chromium against a server of our own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from benchmarks.serving import browsing

MODEL = "mnist-conv-100"
_NEW_CODE = (
    "([selector, before]) => { const i = document.querySelector(selector);"
    " return i && i.dataset.code !== before && i.complete && i.naturalWidth > 0; }"
)


def main() -> None:
    with browsing() as (browser, server):
        measure(browser, server.url)


def measure(browser: Browser, url: str) -> None:
    for what, times, goal in (
        ("a typed expression to its image", expressions(browser, url), 300),
        ("a move of a slider to its image", moves(browser, url), 300),
        (f"a 64-step walk of {MODEL}, from choosing its end to the film", walks(browser, url), 500),
    ):
        median, worst = statistics.median(times) * 1000, max(times) * 1000
        print(f"{what}: median of {len(times)} {median:.0f} ms, at most {worst:.0f} ms (goal {goal})")


def expressions(browser: Browser, url: str) -> list[float]:
    page = opened(browser, url)
    box = page.locator(".st-key-expression_text input")
    texts = [f"mean({k % 10}) - mean({(k + 3) % 10}) + 0.{k + 1}*mean({(k + 5) % 10})" for k in range(20)]

    def enter(text: str) -> Callable[[], None]:
        def act() -> None:
            box.fill(text)
            box.press("Enter")

        return act

    selector = ".st-key-expression .lx-equation figure:last-child img"
    times = [timed(page, selector, enter(text)) for text in texts]
    page.context.close()
    return times


def moves(browser: Browser, url: str) -> list[float]:
    page = opened(browser, url, tool="sliders")
    page.wait_for_selector(".lx-knobs[data-state=ready]")
    knob = page.locator(".st-key-steer input[type=range]").first
    knob.focus()
    selector = ".st-key-steer img[data-code]"
    times = [timed(page, selector, lambda: page.keyboard.press("ArrowRight")) for _ in range(20)]
    page.context.close()
    return times


def walks(browser: Browser, url: str) -> list[float]:
    page = opened(browser, url, tool="walk", steps="64", to="mean(1)", **{"from": "mean(0)"})
    page.wait_for_selector(".lx-film[data-state=ready]")
    times = []
    for k in range(2, 10):
        before = page.evaluate("window.__films.walk_film.url")
        page.locator(".st-key-walk_to input").click()
        option = page.get_by_role("option", name=f"mean({k})", exact=True)
        option.wait_for()
        start = time.perf_counter()
        option.click()
        page.wait_for_function(
            "before => { const f = window.__films.walk_film; return f.url !== before"
            " && document.querySelector('.lx-film').dataset.state === 'ready'; }",
            arg=before,
            polling="raf",
        )
        times.append(time.perf_counter() - start)
        page.wait_for_timeout(400)
    page.context.close()
    return times


def opened(browser: Browser, url: str, **query: str) -> Page:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/arithmetic?{urlencode({'model': MODEL, **query})}", wait_until="commit")
    page.wait_for_selector(".lx-map[data-state=ready]", timeout=60_000)
    page.wait_for_timeout(2000)
    return page


def timed(page: Page, selector: str, act: Callable[[], object]) -> float:
    """Seconds from an action until an image of another code is on the screen."""
    before = page.locator(selector).get_attribute("data-code")
    start = time.perf_counter()
    act()
    page.wait_for_function(_NEW_CODE, arg=[selector, before], polling="raf", timeout=10_000)
    took = time.perf_counter() - start
    page.wait_for_timeout(250)
    return took


if __name__ == "__main__":
    main()
