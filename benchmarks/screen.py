"""How long a person waits who trains a model: from the click on Start to what there is to see."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import launch, serve
from explorer import DatasetError, TrainConfig, datasets, runs, train
from explorer.checkpoints.folder import read_history

MANY = 1000
POLLS = 200


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EXPLORER_RUNS"] = folder
        with serve(Path(folder) / "log") as server, sync_playwright() as playwright:
            browser = launch(playwright)
            if browser is None:
                sys.exit("there is no Chromium here: run `make browser` once")
            to_a_model(browser, server.url)
            to_a_first_point(browser, server.url)
            with_many_runs(browser, server.url, Path(folder))
            browser.close()


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url, wait_until="commit")
    page.locator(".st-key-train_start button").wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    return page


def to_a_model(browser: Browser, url: str) -> None:
    """The default of the sidebar, from Start to its map in Explore."""
    page = opened(browser, url)
    start = time.perf_counter()
    page.locator(".st-key-train_start button").click()
    page.locator(".st-key-train_open button").click(timeout=300_000)
    page.wait_for_function("() => new URLSearchParams(location.search).get('model')?.startsWith('runs/')")
    page.wait_for_selector(".lx-map[data-state=ready]", timeout=60_000)
    print(f"default on mnist-5k, from Start to its map in Explore: {time.perf_counter() - start:.1f} s (goal 45)")
    page.context.close()


def to_a_first_point(browser: Browser, url: str) -> None:
    """`mlp-2d` on all of MNIST: when its curve begins, the start of Python included."""
    try:
        datasets.load("mnist", "train")
    except DatasetError:
        print("first point of a curve on mnist: not measured, MNIST is not here")
        return
    page = opened(browser, f"{url}/train")
    box = page.locator(".st-key-train_dataset").get_by_role("combobox")
    box.click()
    page.get_by_role("option", name="mnist", exact=True).click()
    page.wait_for_timeout(1500)
    start = time.perf_counter()
    page.locator(".st-key-train_start button").click()
    while not (found := [info for info in runs.runs() if info.dataset == "mnist"]):
        time.sleep(0.02)
    page.wait_for_function(
        "() => Object.values(window.__trainingViews ?? {}).some(v => v.epochs.length >= 1)",
        timeout=120_000,
        polling="raf",
    )
    print(f"mlp-2d on mnist, Start to first point of its curve: {time.perf_counter() - start:.1f} s (goal 10)")
    assert read_history(found[0].path)
    runs.cancel(found[0].name)
    while runs.active():
        time.sleep(0.1)
    page.context.close()


def with_many_runs(browser: Browser, url: str, folder: Path) -> None:
    """The Train screen and the polls of its sidebar, with a thousand runs."""
    run = train(TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=1), folder / "model")
    files = {name: json.loads((run.path / name).read_text()) for name in ("run.json", "state.json")}
    for i in range(MANY):
        path = folder / f"many-{i:04d}"
        path.mkdir()
        for name, content in files.items():
            (path / name).write_text(json.dumps(content))
    start = time.perf_counter()
    assert len(runs.runs()) > MANY
    print(f"{MANY:,} runs: listed in {(time.perf_counter() - start) * 1000:.0f} ms")
    times = []
    for _ in range(POLLS):
        start = time.perf_counter()
        runs.active()
        times.append(time.perf_counter() - start)
    print(f"{MANY:,} runs: one look at what is active {statistics.median(times) * 1000:.1f} ms")
    page = opened(browser, url)  # the server has its code loaded; only the screen is timed
    last = page.locator(".st-key-runs [class*=st-key-run_row_]").nth(9)
    visits, loads = [], []
    for _ in range(5):
        start = time.perf_counter()
        page.get_by_role("link", name="Train").click()
        last.wait_for(timeout=60_000)
        visits.append(time.perf_counter() - start)
        page.wait_for_timeout(1500)
        start = time.perf_counter()
        page.goto(f"{url}/train", wait_until="commit")
        last.wait_for(timeout=60_000)
        loads.append(time.perf_counter() - start)
        page.get_by_role("link", name="Explore").click()
        page.wait_for_selector(".lx-map[data-state=ready]", timeout=60_000)
        page.wait_for_timeout(1500)
    print(
        f"{MANY:,} runs: the Train screen opens in {statistics.median(visits):.2f} s from another screen (goal 1), "
        f"in {statistics.median(loads):.2f} s with the page's load"
    )
    page.context.close()


if __name__ == "__main__":
    main()
