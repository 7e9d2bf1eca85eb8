"""How long a person waits for what a model makes of a picture, in headless Chromium against a server of our own.

Times are from a person's action to the decoded pixels of that very picture: a new code on the reconstruction, the
slider's own value on the image, the first tile's file over the close look.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

import explorer
from benchmarks.serving import browsing
from explorer.datasets.base import data_root
from explorer.images import pictures

MODEL = "mnist-conv-100"
TIMES = 20
ROUNDS, CELLS = 5, 5
_PAPER = (1200, 1600)  # pixels, upright as a phone takes it
_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0.3, 0.25), (0.7, 0.25)),
    ((0.7, 0.25), (0.45, 0.8)),
    ((0.35, 0.55), (0.7, 0.5)),
    ((0.3, 0.3), (0.3, 0.6)),
)  # strokes of a drawing, in shares of the square's side

_RESULT = ".st-key-result img[data-code]"
_IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_NEW_CODE = (
    "([selector, before]) => { const i = document.querySelector(selector);"
    " return i && i.dataset.code !== before && i.complete && i.naturalWidth > 0; }"
)
_NOISE_SHOWN = (
    "before => { const i = document.querySelector('.st-key-spoil .lx-knobs-picture img');"
    " const noise = Number(document.querySelector('.st-key-spoil .lx-knob[data-id=\"0\"]').dataset.value);"
    " return i.dataset.noise !== before && Math.abs(Number(i.dataset.noise) - noise) < 1e-5"
    " && i.complete && i.naturalWidth > 0; }"
)
# While the pen is down, reconstructions of parts of the stroke come and go: which is the last is known only afterwards.
_RECORD = (
    "selector => { window.__seen = []; const look = () => { const i = document.querySelector(selector);"
    " if (i && i.complete && i.naturalWidth > 0 && window.__seen.at(-1)?.code !== i.dataset.code)"
    " window.__seen.push({ code: i.dataset.code, at: performance.now() }); requestAnimationFrame(look); };"
    " document.addEventListener('pointerup', () => { window.__lifted = performance.now(); }, true); look(); }"
)
_TILES_SHOWN = (
    "count => document.querySelectorAll("
    "'.st-key-cells_upload_tiles .lx-tiles[data-state=ready] .lx-tile').length === count"
)
_LOOKED_AT = (
    "() => { const i = document.querySelector('img[alt=\"the upload with local evidence in red\"]');"
    " const first = document.querySelector('.st-key-cells_upload_tiles .lx-tile[data-index=\"0\"]');"
    " const over = [...document.querySelectorAll('.st-key-cells_upload h5')].map((h) => h.textContent.trim());"
    " return i && i.complete && i.naturalWidth > 0 && first"
    " && over.some((name) => name && first.getAttribute('aria-label').startsWith(name + ': ')); }"
)
_ALL_SHOWN = (
    "() => document.querySelector('.st-key-cells_upload_map_infected .js-plotly-plot .main-svg')"
    " && [...document.querySelectorAll('img[alt^=\"a infected training cell\"]')].filter("
    "(i) => i.complete && i.naturalWidth > 0).length === 5"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browsing() as (browser, server):
        measure(browser, server.url, Path(folder))


def measure(browser: Browser, url: str, folder: Path) -> None:
    """`folder` is where the pictures to upload are put."""
    report(f"an uploaded picture to its reconstruction by {MODEL}", uploads(browser, url, digits(folder)), 700)
    report("a move of a slider to its image", moves(browser, url), 300)
    report("a stroke, from lifting the pen, to its reconstruction", strokes(browser, url), None)
    overviews, looks, ends = zip(*(examined(browser, url, files) for files in cells(folder)), strict=True)
    report(f"{CELLS} uploaded cells to their overview", overviews, None)
    report("to the close look at the first", looks, 2000)
    report("to the last map and neighbour below it", ends, None)


def report(what: str, times: Sequence[float], goal: int | None) -> None:
    median, worst = statistics.median(times) * 1000, max(times) * 1000
    said = "" if goal is None else f" (goal {goal})"
    print(f"{what}: median of {len(times)} {median:.0f} ms, at most {worst:.0f} ms, first {times[0] * 1000:.0f}{said}")


# --- what is uploaded -----------------------------------------------------------------------------------------------


def digits(folder: Path) -> list[Path]:
    """JPEGs of test digits in dark ink on unevenly lit, grainy paper, each of another digit."""
    width, height = _PAPER
    light = np.linspace(235, 190, height)[:, None] + np.linspace(0, 15, width)
    rng = np.random.default_rng(0)
    images = explorer.dataset("mnist-5k").images
    made = []
    for k in range(TIMES):
        ink = np.zeros((height, width))
        digit = Image.fromarray(images[k, 0].numpy()).resize((800, 800), Image.Resampling.BICUBIC)
        ink[400:1200, 200:1000] = np.asarray(digit, np.float64) / 255
        gray = light * (1 - ink) + 45 * ink + rng.normal(0, 4, (height, width))
        tinted = gray[..., None] * (1.0, 0.98, 0.93)
        made.append(folder / f"digit {k}.jpg")
        Image.fromarray(tinted.clip(0, 255).astype(np.uint8)).save(made[-1], quality=90)
    return made


def cells(folder: Path) -> list[list[Path]]:
    """Five files for each round: real cells where the data set is here, else what the shipped models draw."""
    count = ROUNDS * CELLS
    archive = data_root() / "malaria" / "cell_images_sample.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as opened_:
            names = {
                state: sorted(n for n in opened_.namelist() if f"/{state}/" in n and n.endswith(".png"))
                for state in ("Parasitized", "Uninfected")
            }
            data = [opened_.read(names["Parasitized" if k % 2 else "Uninfected"][k]) for k in range(count)]
    else:
        healthy = explorer.load("cells-healthy-conv").sample(count, seed=0)
        infected = explorer.load("cells-infected-conv").sample(count, seed=1)
        data = [pictures.encode(pictures.single((infected if k % 2 else healthy)[k]), "PNG") for k in range(count)]
    print(f"cells: {'real ones' if archive.is_file() else 'drawn by the models'}")
    files = [folder / f"cell {k}.png" for k in range(count)]
    for file, content in zip(files, data, strict=True):
        file.write_bytes(content)
    return [files[k : k + CELLS] for k in range(0, count, CELLS)]


# --- the Reconstruct screen -----------------------------------------------------------------------------------------


def uploads(browser: Browser, url: str, files: list[Path]) -> list[float]:
    """One after another in one visit, so that the earlier ones stay on the screen, too."""
    page = opened(browser, url, source="upload")
    field = page.locator(".st-key-upload input[type=file]")
    times = []
    for file in files:
        shown = page.locator(_RESULT)
        before = shown.get_attribute("data-code") if shown.count() else None
        times.append(timed(page, partial(field.set_input_files, file), _NEW_CODE, [_RESULT, before]))
        settle(page)
    page.context.close()
    return times


def moves(browser: Browser, url: str) -> list[float]:
    page = opened(browser, url, source="test", data="mnist-5k", index="20")
    page.wait_for_selector(".st-key-spoil .lx-knobs[data-state=ready]")
    page.locator('.st-key-spoil .lx-knob[data-id="0"] input[type=range]').focus()
    picture = page.locator(".st-key-spoil .lx-knobs-picture img")
    times = []
    for _ in range(TIMES):
        before = picture.get_attribute("data-noise")
        times.append(timed(page, lambda: page.keyboard.press("ArrowRight"), _NOISE_SHOWN, before))
        settle(page)
    page.context.close()
    return times


def strokes(browser: Browser, url: str) -> list[float]:
    """Strokes of about a third of a second, a few to a drawing."""
    page = opened(browser, url, source="draw")
    page.evaluate(_RECORD, _RESULT)
    times = []
    for k in range(TIMES):
        if k and k % len(_SHAPES) == 0:
            page.get_by_role("button", name="Clear", exact=True).click()
            settle(page)
        drift = 0.01 * (k // len(_SHAPES))  # no drawing is the same as one before
        stroke(page, [(x + drift, y - drift) for x, y in _SHAPES[k % len(_SHAPES)]])
        settle(page)
        times.append(page.evaluate("(window.__seen.at(-1).at - window.__lifted) / 1000"))
    page.context.close()
    return times


def stroke(page: Page, ends: Sequence[tuple[float, float]]) -> None:
    box = page.locator(".st-key-draw canvas").first.bounding_box()
    assert box
    shares = np.linspace(np.array(ends[0]), np.array(ends[1]), 16)
    places = shares * (box["width"], box["height"]) + (box["x"], box["y"])
    page.mouse.move(*places[0].tolist())
    page.mouse.down()
    for place in places[1:].tolist():
        page.mouse.move(*place)
        page.wait_for_timeout(16)
    page.mouse.up()


# --- the Cells screen -----------------------------------------------------------------------------------------------


def examined(browser: Browser, url: str, files: list[Path]) -> tuple[float, float, float]:
    """A new visit: seconds to the overview, to the close look at the first of it, and to the last of what is below."""
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/cells?part=upload", wait_until="commit")
    page.wait_for_selector(".st-key-cells_upload_examples", timeout=60_000)
    settle(page, 2000)
    start = time.perf_counter()
    page.locator('.st-key-cells_upload input[type="file"]').set_input_files(files)
    times = []
    for condition, arg in ((_TILES_SHOWN, len(files)), (_LOOKED_AT, None), (_ALL_SHOWN, None)):
        page.wait_for_function(condition, arg=arg, polling="raf", timeout=60_000)
        times.append(time.perf_counter() - start)
    page.context.close()
    return times[0], times[1], times[2]


# --- both -----------------------------------------------------------------------------------------------------------


def opened(browser: Browser, url: str, **query: str) -> Page:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/reconstruct?{urlencode({'model': MODEL, **query})}", wait_until="commit")
    page.wait_for_selector(".st-key-reconstruct_map .lx-map[data-state=ready]", timeout=60_000)
    settle(page, 2000)
    return page


def timed(page: Page, act: Callable[[], object], condition: str, arg: object) -> float:
    """Seconds from an action until the condition holds in the page."""
    start = time.perf_counter()
    act()
    page.wait_for_function(condition, arg=arg, polling="raf", timeout=30_000)
    return time.perf_counter() - start


def settle(page: Page, milliseconds: int = 400) -> None:
    """Let what the last action has begun come to its end."""
    page.wait_for_timeout(milliseconds)
    page.wait_for_function("() => !window.__draws?.draw?.pending")
    page.wait_for_selector(_IDLE)
    page.wait_for_timeout(milliseconds)


if __name__ == "__main__":
    main()
