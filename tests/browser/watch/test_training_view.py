"""The live view of a run in a real browser: one slider moves all of it, pixels and points are those of the frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.app.watch.runs import POINTS
from tests.browser.watch.view import View

pytestmark = pytest.mark.browser


def the_slider_leaves_with_the_view(shown: View) -> None:
    """Pushed out of the view's end it lay half below the page's header, over what follows."""
    player = shown.root.locator(".lx-tv-player")
    shown.page.locator("[data-testid=stMain] .block-container, [data-testid=stMainBlockContainer]").first.evaluate(
        "e => e.append(Object.assign(document.createElement('div'), { style: 'height: 200vh; flex: none' }))"
    )
    scroll = "px => document.querySelector('[data-testid=stMain]').scrollBy(0, px)"
    for room, opacity in ((200, "1"), (90, "0"), (200, "1")):  # below the top of the window
        shown.page.evaluate(scroll, shown.root.evaluate("e => e.getBoundingClientRect().bottom") - room)
        expect(player).to_have_css("opacity", opacity)


def test_the_slider_moves_everything_and_leaves_with_the_view(finished_run, view):
    shown = view(finished_run(without=(5, 6)))
    shown.assert_shows(12)
    shown.slider.fill("2")  # the third epoch
    shown.assert_shows(3)
    shown.slider.focus()
    shown.page.keyboard.press("ArrowRight")
    shown.assert_shows(4)
    shown.page.keyboard.press("ArrowRight")
    shown.assert_shows(5, 4)
    shown.page.keyboard.press("ArrowRight")
    shown.assert_shows(6, 4)
    shown.page.keyboard.press("Home")
    shown.assert_shows(1)
    shown.page.keyboard.press("End")
    shown.assert_shows(12)
    the_slider_leaves_with_the_view(shown)


def test_a_click_on_a_curve_goes_to_its_epoch_and_a_drag_zooms(finished_run, view):
    run = finished_run(epochs=40)
    shown = view(run).settled(40)
    kl = run.line(22)["test"]["kl"]
    x, y = shown.get(f'pixelOf("kl", 22, {kl})')
    shown.page.mouse.move(x, y - 12)
    tip = shown.root.locator('[data-chart="kl"] .lx-tv-tip')
    expect(tip).to_have_text(f"epoch 22\ntest {kl:.2f}\ntrain {kl - 1.5:.2f}")
    shown.page.mouse.click(x, y - 12)
    shown.assert_shows(22)
    ends = [shown.get(f'pixelOf("elbo", {epoch}, -200)') for epoch in (10, 30)]
    shown.page.mouse.move(ends[0][0], ends[0][1])
    shown.page.mouse.down()
    shown.page.mouse.move(*ends[1], steps=5)
    shown.page.mouse.up()
    shown.wait_for("String(v.range) === '10,30'")
    shown.assert_shows(22)
    shown.page.get_by_role("button", name="All epochs").click()
    shown.wait_for("String(v.range) === '1,40'")


def standing_clock(shown: View) -> Any:
    """The time of the page's profile from now on passes only as it is told, however fast or slow the machine is."""
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1)
    return shown.page.clock


def test_points_drift_and_do_not_jump(finished_run, view):
    run = finished_run()
    shown = view(run, profile="clock").settled(12)
    clock = standing_clock(shown)
    for epoch in (12, 10):
        shown.get(f"goTo({epoch})")
        clock.run_for(400)  # after a pause a drift takes its full time
        shown.settled(epoch)
    shown.get("goTo(12)")
    seen = [shown.get("points")]
    while shown.get("drifting"):
        clock.run_for(32)
        seen.append(shown.get("points"))
    seen = np.array(seen).reshape(len(seen), -1, 2)
    start, end = run.frame(10).points.numpy(), run.frame(12).points.numpy()
    np.testing.assert_allclose(seen[-1], end, rtol=1e-4, atol=1e-4)
    share = ((seen - start) * (end - start)).sum((1, 2)) / ((end - start) ** 2).sum()
    assert ((share > 0.1) & (share < 0.9)).sum() >= 3
    assert (np.diff(share) >= -1e-3).all()
    between = start + share[:, None, None] * (end - start)
    np.testing.assert_allclose(seen, between, atol=2e-3)  # each on its own straight way

    pixels = np.array(shown.get("pixelsOfPoints()"))
    x0, x1, y0, y1 = shown.get("box")
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    a, b = 3, 17
    scale = np.linalg.norm(pixels[a] - pixels[b]) / np.linalg.norm(end[a] - end[b])
    box = shown.panel("map").locator("canvas").bounding_box()
    assert box
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    np.testing.assert_allclose(pixels, middle + (end - centre) * [scale, -scale], atol=0.5)
    image = (
        shown.panel("map")
        .locator("canvas")
        .evaluate(
            "(c, [x, y]) => [...c.getContext('2d').getImageData(Math.round(x), Math.round(y), 1, 1).data]",
            (pixels[a] - [box["x"], box["y"]]).tolist(),
        )
    )
    assert image[3] > 150  # something is drawn there


def test_no_drift_where_motion_is_unwelcome(finished_run, view):
    shown = view(finished_run(), reduced_motion="reduce").settled(12)
    shown.slider.fill("4")
    shown.settled(5)
    now = shown.page.evaluate(
        "() => { const v = window.__trainingViews.watch_view; v.goTo(12); return [v.frame, v.drifting, v.points] }"
    )
    assert now[:2] == [12, False]
    np.testing.assert_allclose(np.reshape(now[2], (-1, 2)), shown.run.frame(12).points, rtol=1e-4, atol=1e-4)


def test_play_goes_through_the_epochs(finished_run, view):
    run = finished_run(epochs=8)
    shown = view(run, profile="clock").settled(8)
    clock = standing_clock(shown)
    play = shown.page.get_by_role("button", name="Play the epochs")
    play.click()
    seen = []
    while shown.get("playing"):
        assert shown.get("epoch") < 8
        shown.wait_for("v.frame === v.epoch")
        seen.append(shown.get("frame"))
        clock.run_for(450)
    assert seen == list(range(1, 8))
    clock.run_for(450)
    shown.settled(8)
    play.click()
    for epoch in (1, 2, 3):
        shown.wait_for(f"v.playing && v.epoch === {epoch} && v.frame === {epoch}")
        clock.run_for(450)
    shown.page.get_by_role("button", name="Pause").click()
    stopped = shown.get("epoch")
    assert stopped == 4
    clock.run_for(5000)
    assert shown.get("epoch") == stopped


USED = {
    1: "No latent is in use: it carries under 0.01 nats.",
    500: "249 of 500 latents are in use: the others carry under 0.01 nats",
    7: "3 of 7 latents are in use: the others carry under 0.01 nats",
    2: "1 of 2 latents is in use: the other carries under 0.01 nats",
}


def test_bars_classes_and_help(finished_run, view):
    """One page of several runs: to open another takes as long as most of these steps."""
    runs = [finished_run(epochs=2, latent=latent) for latent in USED]
    shown = view(*runs)
    for run, said in zip(runs, USED.values(), strict=True):
        shown.choose(run).wait_for(f"v.run.startsWith('{run.path.name} ')")
        bars_say_which_latents_are_active(shown.settled(2), said)
    a_class_can_be_shown_alone(shown)
    help_opens_by_keyboard_and_closes(shown)


def bars_say_which_latents_are_active(shown: View, said: str) -> None:
    run, latent = shown.run, shown.run.latent
    bars = shown.get("bars")
    values = [bar["value"] for bar in bars]
    assert values == sorted(values, reverse=True)
    kl = run.frame(2).kl
    assert sorted(bar["latent"] for bar in bars) == list(range(latent))
    assert [bar["active"] for bar in bars] == [bool(kl[bar["latent"]] >= 0.01) for bar in bars]
    count = int((kl >= 0.01).sum())
    note = shown.panel("bars").locator("> .lx-tv-note")
    expect(note).to_contain_text(said)
    expect(note).to_contain_text("posterior collapse")
    if latent > 2:
        shown.page.get_by_role("button", name="by index").click()
        assert [bar["latent"] for bar in shown.get("bars")] == list(range(latent))
        shown.page.get_by_role("button", name="by KL").click()
    paths = [shown.panel("bars").locator(f".lx-tv-{kind}").get_attribute("d") for kind in ("active", "collapsed")]
    assert [path.count("M") for path in paths] == [count, latent - count]


def test_a_plain_autoencoder_has_only_its_reconstruction(finished_run, view):
    run = finished_run(epochs=3, preset="ae-2d")
    shown = view(run)
    shown.settled(3)
    expect(shown.root.locator('[data-chart="reconstruction"]')).to_be_visible()
    for name in ("elbo", "kl"):
        expect(shown.root.locator(f'[data-chart="{name}"]')).to_be_hidden()
    expect(shown.panel("bars")).to_be_hidden()
    expect(shown.panel("curves")).to_contain_text("A plain autoencoder has no prior")
    expect(shown.panel("samples")).to_contain_text("Gaussian")
    assert list(shown.get("figures")) == ["reconstruction", "mse", "seconds"]


def a_class_can_be_shown_alone(shown: View) -> None:
    chips = shown.panel("map").locator(".lx-tv-class")
    assert chips.all_inner_texts() == [f"kind {i}" for i in range(4)]
    labels = shown.run.labels().tolist()
    alpha = """([c, points]) => points.map(([x, y]) => {
        const { left, top } = c.getBoundingClientRect();
        return c.getContext('2d').getImageData(Math.round(x - left), Math.round(y - top), 1, 1).data[3];
    })"""

    def drawn() -> np.ndarray:
        canvas = shown.panel("map").locator("canvas").element_handle()
        return np.array(shown.page.evaluate(alpha, [canvas, shown.get("pixelsOfPoints()")]))

    assert (drawn() > 150).all()
    chips.nth(1).click()
    mine = np.array(labels) == 1
    assert (drawn()[mine] > 150).all()
    assert (drawn()[~mine] < 150).mean() > 0.8  # but for those that one of the class lies on
    chips.nth(1).click()
    assert (drawn() > 150).all()


def test_the_neighbours_of_an_epoch_are_fetched_ahead(finished_run, view):
    run = finished_run(epochs=6)
    shown = view(run).settled(6)
    shown.slider.fill("3")
    shown.settled(4)
    shown.wait_for("v.loaded.length >= 5")
    at_once = "epochs => epochs.map((e) => { const v = window.__trainingViews.watch_view; v.goTo(e); return v.frame })"
    assert shown.page.evaluate(at_once, [5, 2, 6, 3]) == [5, 2, 6, 3]
    shown.assert_shows(3)


def help_opens_by_keyboard_and_closes(shown: View) -> None:
    mark = shown.panel("bars").get_by_label("What is KL of each latent?")
    mark.focus()
    shown.page.keyboard.press("Enter")
    text = shown.panel("bars").locator(".lx-tv-help p")
    expect(text).to_contain_text("posterior collapse")
    shown.page.keyboard.press("Escape")
    expect(text).to_be_hidden()
    expect(mark).to_be_focused()
    assert len(shown.get("points")) == 2 * POINTS
