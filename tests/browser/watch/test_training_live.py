"""The live view while a run goes on: followed, brought up to date in place, nothing left behind; themes and widths."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.screen import RESULTS, assert_fits, follow
from tests.browser.talk import painted
from tests.browser.watch.view import View

pytestmark = pytest.mark.browser


def test_a_live_run_is_followed_until_somebody_looks_back(new_run, view):
    run = new_run(epochs=30)
    run.starting()
    shown = view(run)
    expect(shown.root).to_contain_text("Starting")
    height = shown.root.bounding_box()["height"]
    run.state("running")
    expect(shown.root).to_contain_text("Epoch 1 of 30")
    expect(shown.root.locator('[data-figure="elbo"] b')).to_have_text("−222.2")
    for _ in range(3):
        run.end_epoch()
    shown.assert_shows(3)
    shown.wait_for("v.following")
    assert abs(shown.root.bounding_box()["height"] - height) < 4
    shown.slider.fill("1")
    shown.assert_shows(2)
    assert not shown.get("following")
    for _ in range(4):
        run.end_epoch()
    shown.wait_for("v.epochs.length === 7")
    shown.assert_shows(2)
    shown.page.get_by_role("button", name="Live").click()
    shown.assert_shows(7)
    assert shown.get("following")
    run.end_epoch()
    shown.assert_shows(8)
    run.end()
    expect(shown.root).to_contain_text("Finished: 8 epochs")
    shown.assert_shows(8)


def test_updates_do_not_build_anything_anew(new_run, view):
    run = new_run(epochs=30)
    for _ in range(5):
        run.end_epoch()
    shown = view(run).settled(5)
    shown.page.evaluate(
        """() => {
          window.replaced = 0;
          const removed = (change) => [...change.removedNodes].filter((node) => node.nodeType === 1).length;
          const count = (changes) => changes.forEach((change) => (window.replaced += removed(change)));
          const place = document.querySelector('.st-key-watch');
          new MutationObserver(count).observe(place, { subtree: true, childList: true });
          document.querySelector('.lx-tv canvas').dataset.mine = 'yes';
        }"""
    )
    for i in range(4):
        run.state("running", step=11 + i, images_per_second=5000.0 + i)
        expect(shown.root.locator(".lx-tv-facts")).to_contain_text(f"{5000 + i:,}")
    assert shown.page.evaluate("window.replaced") == 0
    run.end_epoch()
    shown.settled(6)
    assert shown.page.locator('canvas[data-mine="yes"]').count() == 1


def test_another_run_in_the_same_place(finished_run, view):
    first, second = finished_run(epochs=6), finished_run(epochs=9, latent=5, image=(3, 16, 20))
    shown = view(first, second).settled(6)
    shown.slider.fill("2")
    shown.assert_shows(3)
    shown.choose(second).assert_shows(9)
    assert shown.get("frames") == list(range(1, 10))
    shown.choose(first).assert_shows(3)  # as it was left


def test_a_long_history_comes_in_two_parts(new_run, view):
    run = new_run(epochs=1200)
    for epoch in range(1, 1131):
        run.files.append_history(run.line(epoch))
    run.done = 1130
    run.write_frame(1129)
    run.end_epoch()
    shown = view(run).settled(1131)
    history = shown.get("history")
    epochs = history["epochs"]
    assert epochs[0] == 1
    assert epochs[-2:] == [1129, 1131] or epochs[-3:] == [1129, 1130, 1131]
    expected = [run.line(epoch)["test"]["elbo"] for epoch in epochs]
    np.testing.assert_allclose(history["test"]["elbo"], expected, atol=0.01)
    run.end_epoch(frame=False)
    shown.settled(1132, 1131)


def test_a_thousand_updates_leave_nothing_behind(finished_run, view):
    run = finished_run(epochs=20)
    shown = view(run, profile="counted").settled(20)  # a process counts the nodes of all its pages
    client = shown.page.context.new_cdp_session(shown.page)
    client.send("Performance.enable")
    client.send("HeapProfiler.enable")
    update = """async ([count, data]) => {
      const { default: view } = await import(document.querySelector('link[href$="/training_view/main.js"]').href);
      const place = window.place ??= document.querySelector('.lx-tv').parentElement.parentElement.cloneNode(false);
      if (!place.isConnected) {
        place.innerHTML = '<div class="lx-tv"></div>';
        document.querySelector('.st-key-watch').append(place);
      }
      const line = (n) => ({ ...data, key: 'loose', run: 'loose', recent: JSON.stringify({
        epochs: Array.from({ length: n }, (_, i) => i + 1), train: {}, seconds: 1, beta: 1, learning_rate: 1,
        test: { elbo: Array.from({ length: n }, (_, i) => -200 + i), reconstruction: -100, kl: 5, mse: 0.1 },
      }) });
      for (let i = 0; i < count; i++) {
        view({ data: { ...line(1 + (i % 90)), epochs: 90 }, parentElement: place });
        if (i % 20 === 0) await new Promise(requestAnimationFrame);
      }
    }"""
    data = shown.page.evaluate("JSON.stringify(window.__trainingViews.watch_view.data)")
    shown.page.evaluate(update, [300, json.loads(data)])

    def counts() -> dict[str, float]:
        client.send("HeapProfiler.collectGarbage")
        return {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}

    before = counts()
    shown.page.evaluate(update, [1000, json.loads(data)])
    after = counts()
    for _ in range(20):  # a collection leaves what a task that waits still holds
        if after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < 2e6 and after["Nodes"] - before["Nodes"] < 300:
            break
        painted(shown.page)
        after = counts()
    assert after["Nodes"] - before["Nodes"] < 300
    assert after["JSEventListeners"] - before["JSEventListeners"] < 10
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < 2e6


def test_themes_and_widths(finished_run, new_page):
    """Screenshots for whoever looks; checked is that nothing sticks out sideways."""
    run = finished_run(epochs=25, latent=32)
    page = new_page(color_scheme="light", viewport={"width": 1280, "height": 1300})
    shown = View(page, run).open().settled(25)
    for scheme in ("light", "dark"):
        follow(page, scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 1300})
            page.wait_for_function(
                "() => [...document.querySelectorAll('.lx-tv-chart svg.lx-tv-svg')]"
                ".every(e => Math.abs(e.viewBox.baseVal.width - e.clientWidth) < 2)"
            )
            RESULTS.mkdir(exist_ok=True)
            page.screenshot(path=RESULTS / f"watch-{scheme}-{width}.png", full_page=True)
            assert_fits(page)
            page.wait_for_function(
                "width => [...document.querySelectorAll('.lx-tv *')].filter(e => e.checkVisibility())"
                ".every(e => e.getBoundingClientRect().right <= width)",
                arg=width,
            )
        text = shown.root.locator(".lx-tv-state strong").evaluate("e => getComputedStyle(e).color")
        light = sum(map(int, re.findall(r"\d+", text)[:3])) > 384
        assert light == (scheme == "dark")
