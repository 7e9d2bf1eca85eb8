"""How a map of very many points opens and moves, in headless Chromium without a GPU: `python -m benchmarks.maps N`.

The images are those of mnist-5k, each shifted and faded at random. The app's own job would encode a million in minutes,
so the codes are drawn here, about those of the model's test set, and kept as the job keeps them; how fast it encodes is
measured by itself. CPU seconds are those of all processes of the browser, or of the server: they hardly depend on what
else runs on the machine, as seconds on a clock do.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page, sync_playwright

import explorer
from benchmarks.browser import SEEN
from benchmarks.serving import cpu_of, launch, serve
from explorer import datasets
from explorer.datasets import ImageDataset
from explorer.datasets.own.creation import store
from explorer.evaluation import encodings
from explorer.files.owner import Owner
from explorer.latents.maps import Map
from explorer.models import Posterior

MODEL = "mnist-mlp-2d"
_BLOCK = 10_000
_READY = '.lx-map[data-state="ready"][data-drawn]'
_MOVING_MS = 4000
_SIDES = 120
_MOVE = """async (ms) => {
  const map = window.__latentMaps.map, first = map.frames, began = performance.now();
  const area = document.querySelector('.st-key-map .nsewdrag'), box = area.getBoundingClientRect();
  for (let i = 0; performance.now() - began < ms; i++) {
    const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true, cancelable: true };
    %s
    await new Promise(requestAnimationFrame);
  }
  return map.frames - first;
}"""
# As a hand moves the map, once a frame.
_PAN = (
    _MOVE
    % """at.clientX += 80 * Math.sin(i / 9);
    const sheet = document.querySelector('.dragcover') ?? document;
    sheet.dispatchEvent(new MouseEvent('mousemove', { ...at, buttons: 1 }));"""
)
_ZOOM = _MOVE % "area.dispatchEvent(new WheelEvent('wheel', { ...at, deltaY: i % 40 < 20 ? -40 : 40 }));"


def digits(count: int) -> dict[str, ImageDataset]:
    """Makes so many digits, a fifth of them for testing."""
    base = datasets.load("mnist-5k", "train")
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.empty((count, *base.image_shape), dtype=torch.uint8), torch.empty(count, dtype=torch.int64)
    assert base.labels is not None
    for start in range(0, count, _BLOCK):
        rows = torch.randint(len(base), (min(_BLOCK, count - start),), generator=generator)
        shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
        fade = 0.7 + 0.3 * torch.rand((len(rows), 1, 1, 1), generator=generator)
        images[start : start + len(rows)] = (base.images[rows].roll(shift, (2, 3)) * fade).byte()
        labels[start : start + len(rows)] = base.labels[rows]
    made = replace(base, name="own:crowd", images=images, labels=labels, items=None, group=None, notes=[])
    cut = count * 4 // 5
    return {"train": made.subset(slice(0, cut)), "test": replace(made.subset(slice(cut, count)), split="test")}


def keep_codes(images: ImageDataset) -> None:
    """Keeps codes of the images as if the job had encoded them, and prints how fast it would have."""
    model = explorer.load(MODEL)
    started = time.process_time()
    encodings.encode(model, images.subset(slice(0, _BLOCK)), lambda done, of: None)
    print(f"encoding and placing: {_BLOCK / (time.process_time() - started):,.0f} images a CPU second")
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(len(model.latents), (len(images),), generator=generator)
    codes = model.latents.mean[rows] + 0.1 * torch.randn((len(images), model.latent), generator=generator)
    latents = replace(
        model.latents,
        posterior=Posterior(codes, model.latents.posterior.logvar[rows]),
        kl=model.latents.kl[rows],
        reconstruction=model.latents.reconstruction[rows],
        index=torch.arange(len(images)),
        labels=images.labels,
        maps={"plane": Map("plane", codes.clone(), codes)},
    )
    encodings.keep(encodings.encodings_file(model.info.content, images), latents)


def _open(page: Page, url: str) -> str:
    started, server, browser = time.perf_counter(), cpu_of("streamlit"), cpu_of("chrom")
    page.goto(f"{url}/?model={MODEL}&data=own%3Acrowd", wait_until="commit")
    page.wait_for_selector(_READY, timeout=600_000)
    spent = time.perf_counter() - started
    return f"{spent:.1f} s, CPU: server {cpu_of('streamlit') - server:.1f} s, browser {cpu_of('chrom') - browser:.1f} s"


def measure(browser: Browser, folder: Path) -> None:
    """Prints what opening took, and how the map moves."""
    with serve(folder / "log", EXPLORER_RUNS=str(folder / "runs"), EXPLORER_DATA=str(folder)) as server:
        first = browser.new_page(bypass_csp=True)
        first.goto(f"{server.url}/?model={MODEL}", wait_until="commit")  # PyTorch and the model are loaded by then
        first.wait_for_selector('.lx-map[data-state="ready"]', timeout=120_000)
        first.close()
        page, sizes = browser.new_page(bypass_csp=True, viewport={"width": 1280, "height": 1000}), [0]
        page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
        print(f"opened by a server's first visitor: {_open(page, server.url)}")
        other = browser.new_page(bypass_csp=True, viewport={"width": 1280, "height": 1000})
        print(f"opened by the next: {_open(other, server.url)}")
        other.close()
        page.wait_for_timeout(2000)
        answer = page.request.get(page.evaluate("new URL(window.__latentMaps.map.figure, location.href).href"))
        print(f"the points: {int(answer.headers['content-length']) / 1e6:.2f} MB")
        area = page.locator(".st-key-map .nsewdrag").bounding_box()
        assert area is not None
        page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
        page.mouse.down()
        for name, script in (("pan", _PAN), ("zoom", _ZOOM)):
            before = cpu_of("chrom")
            pictures = page.evaluate(script, _MOVING_MS)
            each = 1000 * (cpu_of("chrom") - before) / max(1, pictures)
            print(f"{name}: {1000 * pictures / _MOVING_MS:.0f} pictures a second, {each:.0f} ms of CPU each")
            page.mouse.up()
        print(_lasso(page))


def _lasso(page: Page) -> str:
    """Draws a circle by hand over most of the map."""
    page.evaluate("window.__latentMaps.map.setView(null)")
    page.evaluate("window.__latentMaps.map.setDragmode('lasso')")
    area = page.locator(".st-key-map .nsewdrag").bounding_box()
    assert area is not None
    x, y, radius = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2, area["height"] / 3
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for k in range(1, _SIDES + 1):
        angle = 2 * math.pi * k / _SIDES
        page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))
    page.wait_for_timeout(2000)
    page.evaluate(SEEN, ["map"])
    server, browser = cpu_of("streamlit"), cpu_of("chrom")
    page.mouse.up()
    page.wait_for_function("window.__seen", timeout=120_000)
    drawn = cpu_of("chrom") - browser
    page.get_by_text(" images selected").first.wait_for(timeout=300_000)
    page.wait_for_timeout(2000)
    return (
        f"lasso: {page.evaluate('window.__latentMaps.map.selected.length'):,} points drawn after "
        f"{page.evaluate('window.__seen') / 1000:.2f} s, {drawn:.2f} s of CPU; with the panel below "
        f"server {cpu_of('streamlit') - server:.2f} s, browser {cpu_of('chrom') - browser:.2f} s"
    )


def main(count: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            sys.exit("there is no Chromium here: run `make browser` once")
        started = time.perf_counter()
        os.environ["EXPLORER_DATA"] = name
        store("crowd", digits(count), "a benchmark", "", "0", "0" * 64, owner=Owner(), root=name)
        print(f"{count:,} images made in {time.perf_counter() - started:.0f} s; load {os.getloadavg()[0]:.1f}")
        splits = [datasets.load("own:crowd", split) for split in ("train", "test")]
        keep_codes(datasets.join_splits(*splits))
        measure(browser, Path(name))
        browser.close()
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
