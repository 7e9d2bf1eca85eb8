"""Uploading cells in a real browser: files go in, the likeliest is looked at, a click looks at another."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import explorer
from explorer.cells.screening.screener import screener
from explorer.images import pictures
from tests.browser.screen import Explore, assert_fits, pixels_of
from tests.browser.talk import BUSY_MS

pytestmark = pytest.mark.browser


def png(picture: Image.Image) -> bytes:
    return pictures.encode(picture, "PNG")


class Upload(Explore):
    def open_upload(self) -> Upload:
        self.page.goto("/cells?part=upload")
        self.empty()
        return self

    def empty(self) -> None:
        """Wait until the page has no cells and takes files: clearing it brings another place to drop them on."""
        expect(self.key("cells_upload_examples")).to_be_visible()
        self.idle()

    def give(self, files: dict[str, bytes]) -> None:
        """Upload files, and wait until one is looked at in full."""
        given = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files.items()]
        self.key("cells_upload").locator('input[type="file"]').set_input_files(given)  # type: ignore[arg-type]
        self.looked_at()

    def looked_at(self) -> None:
        drawn = self.key("cells_upload_map_infected").locator(".js-plotly-plot .main-svg")
        expect(drawn.first).to_be_visible(timeout=BUSY_MS)
        self.idle(BUSY_MS)

    def headline(self) -> str:
        return self.key("cells_upload").locator(".lx-verdict").inner_text()

    def captions(self) -> list[str]:
        return self.key("cells_upload_tiles").locator(".lx-tile").all_inner_texts()

    def scores(self) -> dict[str, float]:
        """The downloaded table: each file's probability."""
        table = Path(self.download("cells_upload", "csv").path()).read_text("utf-8-sig")
        rows = csv.DictReader(io.StringIO(table))
        return {row["file"]: float(row["p_infected"]) for row in rows if row["verdict"] != "unreadable"}


def test_generated_cells_broken_files_and_a_digit(new_page):
    drawn = explorer.load("cells-healthy-conv").sample(4, seed=5)
    cells = {f"cell {i}.png": png(pictures.single(image)) for i, image in enumerate(drawn)}
    digit = png(Image.fromarray(explorer.dataset("mnist-5k").images[0, 0].numpy()))
    broken = {"cut.png": digit[:60], "empty.png": b"", "notes.txt": b"no picture"}
    upload = Upload(new_page()).open_upload()
    upload.give({**cells, "digit.png": digit, **broken})
    problems = upload.key("cells_upload_problems")
    for name in broken:
        expect(problems).to_contain_text(f"{name} could not be read: it is")
    expect(upload.tile("cells_upload_tiles", 4)).to_be_visible()
    expect(upload.tile("cells_upload_tiles", 4)).to_have_text("unlike")
    assert upload.captions()[-1] == "unlike"
    expected = screener().screen(list(cells.values())).p_infected.tolist()
    scores = upload.scores()
    assert [scores[name] for name in cells] == pytest.approx(expected, abs=1e-4)

    # What is no cell gets no probability; it is taken away, and comes back.
    upload.tile("cells_upload_tiles", 4).click()
    expect(upload.key("cells_upload").locator("h5", has_text="digit.png")).to_be_visible()
    expect(upload.key("cells_upload").locator(".lx-verdict")).to_contain_text("Unlike any cell in training")
    upload.looked_at()
    assert "%" not in upload.headline()
    upload.key("cells_upload_remove").get_by_role("button").click()
    expect(upload.key("cells_upload_tiles").locator(".lx-tile")).to_have_count(4)
    upload.idle()
    upload.key("cells_upload_undo").get_by_role("button").click()
    expect(upload.key("cells_upload_tiles").locator(".lx-tile")).to_have_count(5)
    expect(upload.key("cells_upload_undo")).to_have_count(0)

    # Another page and back: all is there. Cleared, it is not, and what comes next ends the offer to undo.
    upload.page.get_by_role("link", name="Explore").click()
    upload.ready()
    upload.page.evaluate("window.gone = document.querySelector('.lx-map .js-plotly-plot')")
    upload.page.get_by_role("link", name="Cells").click()
    expect(upload.tile("cells_upload_tiles", 4)).to_be_visible()
    upload.looked_at()
    # What a timer of plotly's still reports of a map that has been taken away is no error.
    assert not upload.page.evaluate("gone.isConnected || gone._fullLayout || gone.emit('plotly_relayout', {})")
    upload.key("cells_upload_clear").get_by_role("button").click()
    upload.empty()
    expect(upload.key("cells_upload_undo")).to_be_visible()
    upload.give({"cell 0.png": cells["cell 0.png"]})
    expect(upload.key("cells_upload_undo")).to_have_count(0)
    expect(upload.key("cells_upload").locator("h5", has_text="cell 0.png")).to_be_visible()


@pytest.mark.data
def test_real_cells_on_a_phone(new_page, data_root):
    """Real cells as NIH ships them: most are told apart, and the red lies where the evidence does."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(data_root / "malaria" / "cell_images_sample.zip") as archive:
        for folder in ("Uninfected", "Parasitized"):
            names = sorted(n for n in archive.namelist() if f"/{folder}/" in n and n.endswith(".png"))[::42]
            files |= {f"{folder} {i}.png": archive.read(name) for i, name in enumerate(names)}
    upload = Upload(new_page(viewport={"width": 390, "height": 900})).open_upload()
    upload.give(files)
    scores = upload.scores()
    right = [(p > 0.5) == name.startswith("Parasitized") for name, p in scores.items()]
    assert len(right) == len(files) >= 12
    assert sum(right) >= len(files) - 2
    first = max(scores, key=scores.__getitem__)
    expect(upload.key("cells_upload").locator("h5", has_text=first)).to_be_visible()
    expect(upload.key("cells_upload").locator(".lx-verdict")).to_contain_text("Not a medical device")
    shown = upload.key("cells_upload").get_by_alt_text("the upload with local evidence in red")
    red = pixels_of(shown.get_attribute("src") or "")
    evidence = screener().examine([files[first]]).evidence[0].nan_to_num(-99).numpy()
    y, x = np.unravel_index(evidence.argmax(), evidence.shape)
    scale = red.shape[0] // evidence.shape[0]
    there = red[y * scale + scale // 2, x * scale + scale // 2]
    assert there[0] - there[1:].mean() > 60
    assert_fits(upload.page, 390)
