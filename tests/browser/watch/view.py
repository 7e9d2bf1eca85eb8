"""The live view of a run as a test sees it: its parts, and what it has to show of an epoch."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.watch.runs import SAMPLES, SHOWN, WatchedRun
from tests.browser.talk import painted

_FROM_DOT = """([name, epoch, value]) => {
  const [x, y] = window.__trainingViews.watch_view.pixelOf(name, epoch, value);
  const dot = document.querySelector(`.lx-tv [data-chart="${name}"] .lx-tv-dot-test`).getBoundingClientRect();
  return [dot.x + dot.width / 2 - x, dot.y + dot.height / 2 - y];
}"""


class View:
    """The view of a run on a page."""

    def __init__(self, page: Page, run: WatchedRun) -> None:
        self.page, self.run = page, run

    def open(self, *others: WatchedRun) -> View:
        """Open the page of the run, or of several to choose from."""
        names = [run.path.name for run in (self.run, *others)]
        self.page.goto(f"/?run={','.join(names)}", wait_until="commit")
        expect(self.root).to_be_visible()
        self.page.wait_for_function("window.__trainingViews?.watch_view")
        painted(self.page)
        return self

    def choose(self, run: WatchedRun) -> View:
        """Choose another of the page's runs."""
        self.page.get_by_text(run.path.name, exact=True).click()
        self.run = run
        return self

    @property
    def root(self) -> Locator:
        return self.page.locator(".lx-tv")

    @property
    def slider(self) -> Locator:
        return self.page.get_by_role("slider", name="Epoch")

    def panel(self, name: str) -> Locator:
        return self.root.locator(f'[data-panel="{name}"]')

    def get(self, expression: str) -> Any:
        return self.page.evaluate(f"window.__trainingViews.watch_view.{expression}")

    def wait_for(self, condition: str) -> None:
        """Until a condition on the hooks `v` holds."""
        self.page.wait_for_function(
            f"() => {{ const v = window.__trainingViews?.watch_view; return v && ({condition}) }}"
        )

    def settled(self, epoch: int, frame: int | None = None) -> View:
        """Until an epoch and its frame are shown; the originals and the classes of the points come by themselves."""
        self.wait_for(f"v.epoch === {epoch} && v.frame === {frame or epoch} && !v.drifting")
        self.wait_for('v.data.probe && v.tile("originals", 0)[3] === 255')
        return self

    def figure(self, name: str) -> str:
        return self.root.locator(f'[data-figure="{name}"] b').inner_text()

    def tile(self, name: str, i: int) -> np.ndarray:
        c, h, w = self.run.image
        rgba = np.array(self.get(f'tile("{name}", {i})')).reshape(h, w, 4)
        assert (rgba[..., 3] == 255).all()
        return rgba[..., :3].transpose(2, 0, 1)[:c]

    def assert_shows(self, epoch: int, frame: int | None = None) -> None:
        """Figures, marker, slider, pictures, bars and map are those of an epoch and of its frame."""
        self.settled(epoch, frame)
        line = self.run.line(epoch)
        drawn = self.run.frame(frame or epoch)
        expect(self.slider).to_have_attribute("aria-valuetext", f"epoch {epoch} of {self.run.epochs}")
        expect(self.root.locator(".lx-tv-epoch")).to_have_text(f"epoch {epoch} of {self.run.epochs}")
        for name, value in (("elbo", line["test"]["elbo"]), ("kl", line["test"]["kl"])):
            assert re.fullmatch(r"−?\d+\.\d\d", self.figure(name))
            assert float(self.figure(name).replace("−", "-")) == pytest.approx(value, abs=0.011)
        assert float(self.figure("mse")) == pytest.approx(line["test"]["mse"], rel=1e-3)
        assert float(self.figure("beta")) == pytest.approx(line["beta"], rel=1e-3)
        for name, column in (("elbo", "elbo"), ("reconstruction", "reconstruction"), ("kl", "kl")):
            apart = self.page.evaluate(_FROM_DOT, [name, epoch, line["test"][column]])
            assert max(map(abs, apart)) < 0.6
        for i in (0, SHOWN - 1):
            np.testing.assert_array_equal(self.tile("reconstructions", i), drawn.reconstructions[i])
            np.testing.assert_array_equal(self.tile("originals", i), self.run.originals()[i])
        for i in (0, 9, SAMPLES - 1):
            np.testing.assert_array_equal(self.tile("samples", i), drawn.samples[i])
        np.testing.assert_allclose(np.reshape(self.get("points"), (-1, 2)), drawn.points, rtol=1e-4, atol=1e-4)
        bars = {bar["latent"]: bar["value"] for bar in self.get("bars")}
        np.testing.assert_allclose([bars[i] for i in range(self.run.latent)], drawn.kl, rtol=1e-4)
        shown = f"epoch {epoch}" if frame in (None, epoch) else f"epoch {frame}, the nearest before {epoch}"
        for name in ("pictures", "samples", "map", "bars"):
            expect(self.panel(name).locator(".lx-tv-caption")).to_have_text(shown)
