"""Takes the pictures of the README and of docs/ anew: `python -m docs.take_screenshots`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from benchmarks.serving import ROOT, browsing

PICTURES = ROOT / "docs" / "pictures"

VIEWS = {
    # name: address, width, colour scheme
    "explore-light": ("?model=mnist-mlp-2d&data=mnist-5k&index=2072", 1280, "light"),
    "explore-dark": ("?model=mnist-conv-100&index=7", 1280, "dark"),
    "explore-phone-light": ("?model=fashion-mlp-2d&index=11", 390, "light"),
    "tour-light": ("?model=mnist-ae-2d&holes=1&tour=holes.1", 1280, "light"),
    "explore-phone-dark": ("?model=mnist-mlp-2d&z=0.8,-1.2", 390, "dark"),
}

TRAINING = {
    "train-light": (1280, "light"),
    "train-dark": (1280, "dark"),
    "train-phone-light": (390, "light"),
    "train-phone-dark": (390, "dark"),
}

ARITHMETIC = {
    # name: address, width, colour scheme
    "arithmetic-light": ("?model=mnist-conv-100", 1280, "light"),
    "arithmetic-walk-dark": ("?model=mnist-conv-100&tool=walk&from=mean(3)&to=mean(8)&steps=32", 1280, "dark"),
    "arithmetic-traversal-light": ("?model=mnist-conv-100&tool=traversal&around=mean(7)", 1280, "light"),
    "arithmetic-directions-light": (
        "?model=fashion-conv-32&tool=directions&a=class:Sneaker&b=class:Ankle boot",
        1280,
        "light",
    ),
    "arithmetic-phone-dark": ("?model=mnist-conv-100&tool=sliders&start=mean(2)", 390, "dark"),
    "arithmetic-phone-light": ("?model=fashion-mlp-2d&tool=walk&loop=1&steps=64", 390, "light"),
}

_TILES, _MAP = ".lx-tiles[data-state=ready]", ".lx-map[data-state=ready]"

CELLS = {
    # name: address, width, colour scheme, what has to be there
    "cells-light": ("", 1280, "light", _TILES),
    "cells-both-dark": ("?kind=both&side=4", 1280, "dark", _TILES),
    "cells-init-light": ("?part=init", 1280, "light", _TILES),
    "cells-gems-dark": ("?part=gems", 1280, "dark", ".lx-gems"),
    "cells-phone-dark": ("?side=4", 390, "dark", _TILES),
}

COMPARE = {
    # name: address, width, colour scheme, what has to be there
    "compare-light": ("?models=mnist-mlp-2d,mnist-conv-100,mnist-ladder&errors=1", 1280, "light", _TILES),
    "compare-maps-dark": ("?models=mnist-mlp-2d,mnist-conv-100,mnist-ladder,mnist-ae-2d&part=maps", 1280, "dark", _MAP),
    "compare-measures-light": (
        "?models=mnist-mlp-2d,mnist-mlp-2d-mse,mnist-conv-100,mnist-residual-mixture&part=measures",
        1280,
        "light",
        "[data-testid=stDataFrame]",
    ),
    "compare-phone-dark": ("?models=mnist-mlp-2d,mnist-conv-100&show=samples", 390, "dark", _TILES),
}

UPLOADS = {
    "cells-upload-light": (1280, "light"),
    "cells-upload-dark": (1280, "dark"),
    "cells-upload-phone-light": (390, "light"),
}

RECONSTRUCT = {
    "reconstruct-light": (1280, "light"),
    "reconstruct-dark": (1280, "dark"),
    "reconstruct-phone-dark": (390, "dark"),
}
DRAWN = [
    [[70, 60], [110, 45], [170, 60], [180, 100], [130, 130]],
    [[130, 130], [190, 150], [190, 210], [120, 235], [75, 215]],
]

COMPARED = "?model=mnist-conv-100&source=test&data=mnist-5k&index=12&compare=mnist-mlp-2d,mnist-ae-2d"

HOLES = ("mnist-ae-2d", "mnist-mlp-2d")


def main() -> None:
    with browsing() as (browser, server):
        for name, view in VIEWS.items():
            shoot(browser, f"{server.url}/", name, *view)
        for name, view in ARITHMETIC.items():
            shoot(browser, f"{server.url}/arithmetic", name, *view)
        for name, (address, width, scheme, ready) in CELLS.items():
            shoot(browser, f"{server.url}/cells", name, address, width, scheme, ready=ready)
        for name, (address, width, scheme, ready) in COMPARE.items():
            shoot(browser, f"{server.url}/compare", name, address, width, scheme, ready=ready)
        for name, (width, scheme) in UPLOADS.items():
            shoot_uploaded_cells(browser, server.url, name, width, scheme)
        for name, (width, scheme) in RECONSTRUCT.items():
            shoot_drawing(browser, server.url, name, width, scheme)
        shoot(browser, f"{server.url}/reconstruct", "reconstruct-compare-light", COMPARED, 1280, "light")
        for name in HOLES:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1280, "height": 1000})
            page.goto(f"{server.url}/?model={name}")
            settle(page)
            page.locator(".st-key-holes label").first.click()
            page.wait_for_function(
                "document.querySelector('.stMainBlockContainer').innerText.includes('falls into holes')"
            )
            settle(page)
            page.locator(".st-key-map .lx-map").screenshot(path=PICTURES / f"holes-{name}.png")
            page.close()
        shoot_training(browser, server.url)


@contextmanager
def whole_page(browser: Browser, name: str, width: int, scheme: str, settled: Callable[[Page], None]) -> Iterator[Page]:
    """A page whose picture is taken in the end, all of it at once: the window is made as high as the page."""
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    yield page
    settled(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    settled(page)
    page.screenshot(path=PICTURES / f"{name}.png")
    context.close()


def shoot(
    browser: Browser,
    url: str,
    name: str,
    address: str,
    width: int,
    scheme: str,
    *,
    ready: str = ".lx-map[data-state=ready]",
) -> None:
    """A page as its address gives it."""
    with whole_page(browser, name, width, scheme, lambda page: settle(page, ready)) as page:
        page.goto(f"{url}{address}")


def shoot_uploaded_cells(browser: Browser, url: str, name: str, width: int, scheme: str) -> None:
    """What uploaded cells look like, by the screen's own examples: real ones where `malaria` is here."""
    with whole_page(browser, name, width, scheme, lambda page: page.wait_for_timeout(2500)) as page:
        page.goto(f"{url}/cells?part=upload")
        page.locator(".st-key-cells_upload_examples button").click(timeout=60_000)
        page.get_by_text("The nearest of 1,500 infected training cells").wait_for(timeout=120_000)


def shoot_drawing(browser: Browser, url: str, name: str, width: int, scheme: str) -> None:
    """A three drawn by hand, with what a model makes of it."""
    with whole_page(browser, name, width, scheme, settle) as page:
        page.goto(f"{url}/reconstruct?model=mnist-conv-100&noise=0.2")
        page.wait_for_selector(".lx-draw[data-state=ready]", timeout=60_000)
        for stroke in DRAWN:
            page.evaluate("stroke => Object.values(window.__draws)[0].stroke(stroke)", stroke)
            page.wait_for_timeout(1500)


def shoot_training(browser: Browser, url: str) -> None:
    """The Train screen and the sidebar, while a model trains and after."""
    page = browser.new_page(bypass_csp=True, viewport={"width": 1280, "height": 900})
    page.goto(url)
    settle(page)
    page.locator(".st-key-train_start button").click()
    page.wait_for_function(
        "/epoch (1[2-9]|[2-9][0-9]) of/.test(document.querySelector('[data-testid=stSidebar]').innerText)",
        timeout=120_000,
    )
    page.screenshot(path=PICTURES / "sidebar-light.png")
    page.locator(".st-key-train_open button").wait_for(timeout=300_000)
    page.close()
    for name, (width, scheme) in TRAINING.items():
        with whole_page(browser, name, width, scheme, lambda page: page.wait_for_timeout(2000)) as page:
            page.goto(f"{url}/train")
            page.wait_for_function(
                "() => { const v = Object.values(window.__trainingViews ?? {})[0];"
                " return v && v.frame === v.epoch && !v.drifting; }",
                timeout=60_000,
            )


def settle(page: Page, ready: str = ".lx-map[data-state=ready]") -> None:
    """Wait until the map, or what else a screen has, and every sheet of pictures are drawn."""
    page.wait_for_selector(ready, timeout=60_000)
    page.wait_for_function(
        "[...document.querySelectorAll('.lx-tiles, .lx-film, .lx-knobs')].every(t => t.dataset.state === 'ready')",
        timeout=60_000,
    )
    page.wait_for_timeout(2000)  # plotly's own resize, and what is measured below the pictures


if __name__ == "__main__":
    main()
