"""The Reconstruct screen in a real browser: models see what is drawn, uploaded and corrupted."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from explorer import datasets
from explorer.checkpoints.model import Model
from explorer.evaluation.ranking import rank
from explorer.evaluation.scores import Scores, compared, judge
from explorer.images import pictures
from explorer.models import Posterior
from explorer.ui.wording import nats
from tests.app.tiny_runs import CONV, PLANE
from tests.browser.screen import Explore, assert_fits, pixels_of

pytestmark = pytest.mark.browser

_CODE = ".st-key-result img[data-code]"
_HAND = """([kind, selector, name, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name, { type: "image/" + name.split(".").pop() }));
  const usual = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { ...usual, clipboardData: files })
    : new DragEvent(kind, { ...usual, dataTransfer: files });
  document.querySelector(selector).dispatchEvent(event);
}"""


class Reconstruct(Explore):
    PATH, MAP = "/reconstruct", "reconstruct_map"

    def start(self, **query: str) -> Reconstruct:
        self.page.goto(f"{self.PATH}?" + "&".join(f"{name}={value}" for name, value in query.items()))
        self.map_ready()
        places = {"draw": ".lx-draw", "upload": ".lx-paste", "test": ".lx-knobs"}
        expect(self.page.locator(f'{places[query.get("source", "draw")]}[data-state="ready"]')).to_be_visible()
        return self

    def stroke(self, corners: list[tuple[float, float]]) -> None:
        """Draw through places of the square, in shares of its side."""
        box = self.key("draw").locator("canvas").first.bounding_box()
        assert box
        self.drag([(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners])

    def seen(self, part: str = "result") -> np.ndarray:
        """What a model sees, [H, W] of 0 to 255; `part` is the key of its column."""
        return self._picture(part, "as the model sees it")

    def made(self, part: str = "result") -> np.ndarray:
        return self._picture(part, "the reconstruction")

    def _picture(self, part: str, alt: str) -> np.ndarray:
        return pixels_of(self.key(part).get_by_alt_text(alt, exact=True).get_attribute("src") or "")

    def code(self, part: str = "result") -> np.ndarray:
        said = self.key(part).locator("img[data-code]").get_attribute("data-code") or ""
        return np.array([float(value) for value in said.split(",")])

    def changed(self, action: Callable[[], object]) -> None:
        """Do something that changes the code, and wait until nothing changes any more."""
        before = self.page.locator(_CODE).get_attribute("data-code") if self.page.locator(_CODE).count() else ""
        action()
        expect(self.page.locator(_CODE)).not_to_have_attribute("data-code", before or "-")
        self.idle()
        self.page.wait_for_function("!window.__draws?.draw?.pending")
        self.idle()

    def assert_is_of(self, model: Model, part: str = "result", scored: Scores | None = None) -> None:
        """The code, the reconstruction and the score are the model's own of what it is said to see."""
        image = torch.from_numpy(self.seen(part).astype(np.uint8))[None, None]
        found = judge(model, image, scored=scored)
        np.testing.assert_allclose(self.code(part), found.code[0], rtol=1e-3, atol=1e-3)
        assert np.abs(self.made(part) - 255 * found.reconstruction[0, 0].numpy()).max() <= 1
        expect(self.key(part)).to_contain_text(nats(float(found.elbo[0])))
        expect(self.key(part)).to_contain_text(found.sentence())

    def give(self, *files: tuple[str, bytes]) -> None:
        payload = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
        self.key("upload").locator("input[type=file]").set_input_files(payload)  # type: ignore[arg-type]

    def hand(self, kind: str, name: str, data: bytes, at: str = "body") -> None:
        """Dispatch a `paste` of a file, or a `drop` and what comes before it."""
        for event in ("paste",) if kind == "paste" else ("dragenter", "dragover", kind):
            self.page.evaluate(_HAND, [event, at, name, list(data)])

    def table(self) -> list[list[str]]:
        """The downloaded ranking, its header first."""
        download = self.download("rank", "csv")
        assert download.suggested_filename == "digits-ranked.csv"
        return list(csv.reader(io.StringIO(Path(download.path()).read_text("utf-8-sig"))))


def ink(side: int = 300) -> bytes:
    """A seven with a pen on grayish paper."""
    picture = Image.new("RGB", (side, 2 * side), (225, 220, 210))
    places = [(0.3 * side, 0.5 * side), (0.7 * side, 0.5 * side), (0.4 * side, 1.2 * side)]
    ImageDraw.Draw(picture).line(places, fill=(40, 40, 70), width=side // 12)
    data = io.BytesIO()
    picture.save(data, "JPEG")
    return data.getvalue()


def digits() -> np.ndarray:
    """The images of mnist-5k by number, uint8 [N, 28, 28]."""
    return torch.cat([datasets.load("mnist-5k", split).images for split in ("train", "test")])[:, 0].numpy()


def png(digit: np.ndarray) -> bytes:
    return pictures.encode(Image.fromarray(digit), "PNG")


def test_the_reconstruction_follows_what_is_drawn(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page()).start(model=PLANE)
    expect(screen.key("nothing_yet")).to_contain_text("Draw a digit")
    screen.changed(lambda: screen.stroke([(0.3, 0.25), (0.7, 0.25)]))
    screen.assert_is_of(models(PLANE))
    first = screen.made()
    screen.changed(lambda: screen.stroke([(0.7, 0.25), (0.45, 0.8)]))
    screen.assert_is_of(models(PLANE))
    assert np.abs(screen.made() - first).max() > 30
    screen.wait_for_marks(f"Math.abs(marks.at(-1)?.x - {screen.code()[0]}) < 1e-3")
    marks = screen.map("marks")
    np.testing.assert_allclose([marks[-1]["x"], marks[-1]["y"]], screen.code(), atol=1e-3)
    # It is there after a visit to another page, where it is `upload`.
    code = screen.code()
    screen.key("to_arithmetic").get_by_role("button").click()
    expect(screen.key("expression_text").locator("input")).to_be_visible()
    screen.idle()
    screen.key("expression_text").locator("input").fill("upload")
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator("img[data-code]").last).to_have_attribute(
        "data-code", ",".join(f"{value:.6g}" for value in code)
    )
    screen.page.get_by_role("link", name="Reconstruct").click()
    expect(screen.page.locator(_CODE)).to_be_visible()
    screen.idle()
    np.testing.assert_allclose(screen.code(), code, atol=1e-4)


def test_pictures_good_and_broken(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page()).start(model=PLANE, source="upload")
    screen.changed(lambda: screen.give(("ink.jpg", ink()), ("broken.png", b"\x89PNG broken")))
    screen.assert_is_of(models(PLANE))
    assert screen.seen()[0].max() < 60  # white on black now
    expect(screen.key("stages")).to_contain_text("Inverted: its edges are bright")
    expect(screen.key("stages")).to_contain_text("resized to 28 × 28")
    expect(screen.key("upload_problems")).to_contain_text("broken.png could not be read")
    screen.idle()
    screen.key("steps").get_by_role("button").first.click()
    screen.changed(lambda: screen.page.locator(".st-key-steps_invert label").click())
    assert screen.seen()[0].min() > 150
    screen.assert_is_of(models(PLANE))
    screen.page.keyboard.press("Escape")
    screen.changed(lambda: screen.give(("other.jpg", ink(500))))
    expect(screen.tile("uploads", 1)).to_be_visible()
    screen.changed(lambda: screen.tile("uploads", 0).click())
    screen.key("upload_remove").get_by_role("button").click()
    expect(screen.key("upload_undo")).to_be_visible()
    screen.idle()
    screen.key("to_explore").get_by_role("button").click()
    explore = Explore(screen.page).ready()
    assert explore.query()["model"] == PLANE
    assert "z" in explore.query()


def a_slider_is_followed_and_said_in_the_address(screen: Reconstruct) -> None:
    picture = screen.key("spoil").locator(".lx-knobs-picture img")
    expect(picture).to_have_attribute("data-noise", "0")
    clean = pixels_of(picture.get_attribute("src") or "")
    noise = screen.key("spoil").locator('.lx-knob[data-id="0"] input[type=range]')
    noise.press("PageUp")
    expect(picture).not_to_have_attribute("data-noise", "0")
    screen.idle()
    screen.wait_for_query("noise", picture.get_attribute("data-noise"))
    corrupted = pixels_of(picture.get_attribute("src") or "")
    assert np.abs(corrupted - clean)[:, :212].mean() > 3
    expect(screen.key("spoil")).to_contain_text("than the clean image")
    noise_said = screen.query()["noise"]
    screen.page.reload()
    expect(picture).to_have_attribute("data-noise", noise_said)
    screen.idle()
    assert np.abs(pixels_of(picture.get_attribute("src") or "") - corrupted).max() == 0


def test_on_a_phone_with_quick_strokes(new_page: Callable[..., Page], models: Callable[[str], Model]):
    screen = Reconstruct(new_page(viewport={"width": 390, "height": 844})).start(model=PLANE)
    screen.key("draw").scroll_into_view_if_needed()
    screen.idle()
    screen.stroke([(0.3, 0.3), (0.7, 0.3), (0.4, 0.8)])
    screen.stroke([(0.3, 0.5), (0.6, 0.5)])
    screen.changed(lambda: screen.stroke([(0.2, 0.8), (0.5, 0.8)]))
    screen.assert_is_of(models(PLANE))
    assert_fits(screen.page, 390)


def test_a_test_image_with_noise_and_in_two_models(new_page: Callable[..., Page], models: Callable[[str], Model]):
    of_the_set = {"source": "test", "data": "mnist-5k", "index": "20"}
    screen = Reconstruct(new_page()).start(model=PLANE, **of_the_set)
    a_slider_is_followed_and_said_in_the_address(screen)
    screen.go(PLANE, **of_the_set)
    screen.wait_for_query("noise", None)
    screen.map_ready()
    a_test_image_in_two_models(screen, models)


def a_test_image_in_two_models(screen: Reconstruct, models: Callable[[str], Model]) -> None:
    images, number = digits(), screen.key("test_index").get_by_role("spinbutton")
    np.testing.assert_array_equal(screen.seen(), images[20])

    all_of_them = models(PLANE).evaluate(torch.from_numpy(images)[:, None])

    def scored(index: int) -> Scores:
        """As Explore shows it: measured along with the other images of the set."""
        at = slice(index, index + 1)
        posterior = Posterior(*(term[at] for term in all_of_them.posterior))
        return Scores(posterior, all_of_them.reconstruction[at], all_of_them.kl[at], None)

    def ask(index: int) -> None:
        number.fill(str(index))
        number.press("Enter")

    screen.changed(lambda: ask(4321))
    np.testing.assert_array_equal(screen.seen(), images[4321])
    screen.wait_for_query("index", "4321")
    screen.changed(lambda: screen.key("test_another").get_by_role("button").click())
    another = int(number.input_value())
    assert another != 4321
    np.testing.assert_array_equal(screen.seen(), images[another])
    screen.wait_for_query("index", str(another))
    screen.assert_is_of(models(PLANE), scored=scored(another))

    # Beside it the same image in a model of another shape, which goes along to the next image.
    expect(screen.key("result_1")).to_have_count(0)
    screen.box("compare_with").fill(CONV)
    screen.page.locator('[role="option"]:not(.lx-tile)').filter(has_text=CONV).click()
    expect(screen.key("result_1").locator("img[data-code]")).to_be_visible()
    screen.page.keyboard.press("Escape")
    screen.idle()
    before = screen.seen("result_1")
    for index in (another, 77):
        if index == 77:
            screen.changed(lambda: ask(77))
        np.testing.assert_array_equal(screen.seen(), images[index])
        for part, ident, known in (("result", PLANE, scored(index)), ("result_1", CONV, None)):
            expect(screen.key(part)).to_contain_text(ident)
            screen.assert_is_of(models(ident), part, known)
    assert np.abs(screen.seen("result_1") - before).max() > 100
    assert len(screen.code()) == 2
    assert len(screen.code("result_1")) == 8
    screen.wait_for_query("compare", CONV)


def test_pasted_dropped_and_ranked(new_page: Callable[..., Page], models: Callable[[str], Model], tmp_path: Path):
    screen = Reconstruct(new_page()).start(model=PLANE, source="upload")
    images = digits()
    screen.changed(lambda: screen.hand("paste", "pasted.png", png(images[3])))
    expect(screen.page.get_by_text("pasted.png · 28 × 28 px")).to_be_visible()
    np.testing.assert_array_equal(screen.seen(), images[3])
    screen.assert_is_of(models(PLANE))
    field = ".st-key-upload [data-testid=stFileUploaderDropzone]"
    screen.changed(lambda: screen.hand("drop", "dropped.jpeg", ink(200), field))
    expect(screen.page.get_by_text("dropped.jpeg · 200 × 400 px")).to_be_visible()
    expect(screen.tile("uploads", 1)).to_be_visible()
    assert screen.seen()[0].max() < 60 < screen.seen().max()  # white on black now
    screen.assert_is_of(models(PLANE))
    dropped = screen.code()

    archive = tmp_path / "digits.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for i in range(18):
            file.writestr(f"{i % 3}/digit {i}.png", png(images[100 * i]))
        file.writestr("torn.png", png(images[0])[:90])
        file.writestr("words.png", b"no picture")
    expected = rank(archive, models(PLANE))
    screen.key("reconstruct_tool").get_by_role("radio", name="Rank a folder or zip").click()
    screen.idle()
    screen.key("rank_upload").locator("input[type=file]").set_input_files(archive)
    screen.key("rank_start").get_by_role("button").click()
    panel = screen.key("rank")
    expect(panel).to_contain_text(f"18 pictures of digits.zip ranked by {PLANE}")
    expect(screen.key("rank_progress")).to_have_count(0)
    expect(panel).to_contain_text("2 files could not be used")
    for name, reason in expected.unreadable:
        expect(panel).to_contain_text(f"{name}: {reason}")

    # So few are in one grid, from the worst to the best.
    for place in (0, 17):
        row = int(expected.order[place])
        how, _ = compared(float(expected.better_than[row]))
        title = f"{expected.files[row]}: {nats(float(expected.elbo[row]))}, {how} than"
        expect(screen.tile("rank_worst", place)).to_have_attribute("aria-label", re.compile("^" + re.escape(title)))
    expect(screen.tile("rank_worst", 18)).to_have_count(0)
    header, *rows = screen.table()
    assert header == ["file", "elbo", "reconstruction", "kl", "better_than"]
    assert [row[0] for row in rows] == [expected.files[i] for i in expected.order.tolist()]
    assert len(rows) == 18
    figures = torch.stack([expected.elbo, expected.reconstruction, expected.kl, expected.better_than], 1)
    shown = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(shown, figures[expected.order], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(screen.code(), dropped)  # the picture above stays
