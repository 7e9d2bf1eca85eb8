"""Training as a person does it: from the sidebar to a model on the map, watched, cancelled, killed and resumed."""

from __future__ import annotations

import os
import re
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from benchmarks.serving import Server, serve
from explorer import runs
from explorer.checkpoints.folder import read_history
from explorer.checkpoints.model import load
from explorer.training.run_folder import RunFiles
from tests.background import held
from tests.background import until as wait
from tests.browser.screen import Explore
from tests.browser.talk import BUSY_MS, idle
from tests.training.frames import frame_epochs, read_frame

pytestmark = pytest.mark.browser

SLOW = BUSY_MS  # a worker starts Python and imports PyTorch
SECONDS = SLOW // 1000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def trainer(place: Path) -> Iterator[Server]:
    """A server with no run yet and no data but the installation's."""
    environment = {"EXPLORER_RUNS": str(place / "runs"), "EXPLORER_DATA": str(place / "data")}
    with serve(place / "server.log", **environment) as server:
        yield server


@pytest.fixture(autouse=True)
def folder(place: Path, trainer: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runs folder; whatever is active at the end of a test is ended."""
    monkeypatch.setenv("EXPLORER_RUNS", str(place / "runs"))
    yield place / "runs"
    for info in reversed(runs.active()):
        runs.cancel(info.name)
    wait(lambda: not runs.active())


@pytest.fixture
def visit(new_page: Callable[..., Page], trainer: Server) -> Callable[..., Page]:
    """Opens a path of that server in a page of its own."""

    def open_page(path: str = "/", **options: object) -> Page:
        page = new_page(base_url=trainer.url, **options)
        page.goto(path, wait_until="commit")
        return page

    return open_page


def key(page: Page, name: str) -> Locator:
    return page.locator(f".st-key-{name}")


def button(page: Page, name: str) -> Locator:
    return key(page, name).get_by_role("button")


def fill(page: Page, name: str, value: object) -> None:
    """Type into a field and leave it; wait until the server knows, and the page shows what was made of it."""
    field = key(page, name).locator("input")
    field.fill(str(value))
    field.press("Enter")
    idle(page, SLOW)
    expect(field).to_have_value(str(value), timeout=SLOW)


def start(page: Page, name: str, epochs: int) -> None:
    expect(button(page, "train_start")).to_be_visible(timeout=SLOW)
    idle(page, SLOW)  # the page is complete
    fill(page, "train_epochs", epochs)
    fill(page, "train_name", name)
    button(page, "train_start").click()


def run_state(page: Page, name: str, text: str) -> None:
    """Wait until the sidebar's box of a run says so."""
    expect(key(page, f"train_run_{name}")).to_contain_text(text, timeout=SLOW)


def test_a_model_from_the_sidebar_to_a_click_on_its_map(visit, folder):
    page, other = visit(), visit("/train")
    start(page, "mine", 25)
    run_state(page, "mine", "epoch")
    with held("mine"):
        page.reload(wait_until="commit")
        for tab in (page, other):
            run_state(tab, "mine", "epoch")
            expect(button(tab, "train_cancel").first).to_be_visible()
            expect(tab.locator('[data-testid="stProgress"]').first).to_be_visible(timeout=SLOW)
    run_state(other, "mine", "Test ELBO")
    other.close()
    expect(button(page, "train_open")).to_be_visible(timeout=SLOW)
    assert runs.run("mine").state == "finished"
    elbo = runs.run("mine").test["elbo"]
    expect(key(page, "train_run_mine")).to_contain_text(f"{abs(elbo):.1f}")
    button(page, "train_open").click()
    explore = Explore(page)
    expect(explore.box("explore_model")).to_have_value(re.compile(" runs/mine — "), timeout=SLOW)
    explore.ready(SLOW)
    assert explore.query()["model"] == "runs/mine"
    model = load("runs/mine", device="cpu")
    points = model.latents.maps["plane"].points.numpy()
    for row in explore.lonely_points(points, 2):
        decoded = explore.after(lambda row=row: explore.click_point(row))
        assert decoded.index == int(model.latents.index[row])
        decoded.assert_decodes(model)


VIEW = "Object.values(window.__trainingViews ?? {}).find((view) => view.run)"
_FRAMES = (
    "() => Promise.race([new Promise((done) => requestAnimationFrame(() => done(true))),"
    " new Promise((done) => setTimeout(() => done(false), 3000))])"
)


def view_is(page: Page, condition: str) -> None:
    """Wait until that holds of the training view; asks every 0.1 s whether or not the browser draws frames."""
    end = time.monotonic() + SECONDS
    while not page.evaluate(f"() => {{ const view = {VIEW}; return Boolean(view && ({condition})); }}"):
        if time.monotonic() > end:
            known = "Object.entries(window.__trainingViews ?? {}).map(([k, v]) => [k, v.run, v.epoch, v.frame])"
            seen = [page.evaluate(what) for what in (known, "document.visibilityState", _FRAMES)]
            pytest.fail(f"the view did not come to {condition}; views, visibility, whether frames come: {seen}")
        page.wait_for_timeout(100)


def test_watching_follows_the_epochs_and_the_slider_goes_back(visit, folder):
    page = visit("/train")
    start(page, "watched", 90_000)
    wait(lambda: len(frame_epochs(folder / "watched")) >= 4, SECONDS)
    view_is(page, "view.run.includes('watched') && view.epochs.length >= 4")
    before = page.evaluate(f"{VIEW}.epochs.length")
    view_is(page, f"view.epochs.length > {before} && view.frame > 1")
    runs.cancel("watched")
    run_state(page, "watched", "Cancelled after")
    idle(page)
    slider = page.locator(".lx-tv input[type=range]")
    slider.focus()
    slider.press("Home")
    view_is(page, "view.epoch === 1 && view.frame === 1 && !view.drifting")
    frame = read_frame(folder / "watched", 1)
    shown = np.array(page.evaluate(f"{VIEW}.points")).reshape(-1, 2)
    assert shown == pytest.approx(frame.points.numpy(), abs=0.01)
    first = read_history(folder / "watched")[0]
    expect(page.locator(".lx-tv")).to_contain_text(f"{abs(first['test']['elbo']):.2f}")
    slider.press("End")
    view_is(page, "view.epoch > 1 && view.frame > 1 && !view.drifting")
    assert np.abs(np.array(page.evaluate(f"{VIEW}.points")).reshape(-1, 2) - shown).max() > 0.1


def test_a_killed_process_is_said_resumes_from_the_screen_and_is_cancelled_in_another_tab(visit, folder):
    page, other = visit("/train"), visit()
    start(page, "victim", 90_000)
    run_state(page, "victim", "left")
    os.kill(RunFiles(folder / "victim").status().pid, signal.SIGKILL)
    run_state(page, "victim", "Interrupted")
    resume = button(page, "train_resume").first
    expect(resume).to_be_visible(timeout=SLOW)
    resume.click()
    run_state(page, "victim", "left")
    assert runs.run("victim").state == "running"
    button(other, "train_cancel").click()
    for tab in (page, other):
        run_state(tab, "victim", "Cancelled after")
    assert runs.run("victim").state == "cancelled"
    assert load("runs/victim", device="cpu").sample(1).shape == (1, 1, 28, 28)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A zip of two classes of pictures, one of which is broken."""
    file = tmp_path / "shapes.zip"
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(file, "w") as archive:
        for label, low in (("dark", 0), ("light", 128)):
            for i in range(40):
                picture = tmp_path / "picture.png"
                Image.fromarray(generator.integers(low, low + 100, (20, 24), dtype=np.uint8)).save(picture)
                archive.write(picture, f"{label}/{i}.png")
        archive.writestr("dark/broken.png", b"\x89PNG no more")
    return file


def test_a_folder_that_is_dropped_keeps_its_classes(visit, pictures, tmp_path):
    """Streamlit would name the files by their own names alone, which are the same in both classes."""
    with zipfile.ZipFile(pictures) as archive:
        archive.extractall(tmp_path / "shapes")
    page = visit("/train")
    key(page, "train_own").locator("summary").click(timeout=SLOW)
    key(page, "own_way").get_by_text("Upload a folder").click(timeout=SLOW)
    zone = key(page, "own_directory").locator('[data-testid="stFileUploaderDropzone"]')
    zone.scroll_into_view_if_needed(timeout=SLOW)
    idle(page, SLOW)
    box = zone.bounding_box()
    assert box is not None
    drop = {"items": [], "files": [str(tmp_path / "shapes")], "dragOperationsMask": 1}
    talk = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + 20, "y": box["y"] + 20}
        talk.send("Input.dispatchDragEvent", {"type": kind, **place, "data": drop})
    preview = key(page, "own_preview")
    for name in ("dark", "light"):
        expect(preview.get_by_text(name, exact=True).first).to_be_visible(timeout=SLOW)
    expect(key(page, "own_name").locator("input")).to_have_value("shapes")


def test_a_persons_own_zip_becomes_a_data_set_that_trains(visit, folder, pictures, tmp_path):
    page = visit("/train")
    expander = key(page, "train_own").locator("summary")
    expect(expander).to_be_visible(timeout=SLOW)
    idle(page, SLOW)
    expander.click()
    idle(page, SLOW)  # to open it reruns the page
    broken = tmp_path / "broken.zip"
    broken.write_bytes(pictures.read_bytes()[:700])
    upload = key(page, "own_upload").locator("input[type=file]")
    upload.set_input_files(broken)
    expect(page.locator('[data-testid="stAlert"]').filter(has_text="zip").first).to_be_visible(timeout=SLOW)
    upload.set_input_files(pictures)
    expect(key(page, "own_preview")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("broken.png").first).to_be_visible(timeout=SLOW)
    idle(page, SLOW)
    button(page, "own_add").click()
    box = key(page, "train_dataset").get_by_role("combobox")
    expect(box).to_have_value(re.compile("shapes"), timeout=SLOW)
    start(page, "own", 2)
    expect(button(page, "train_open").first).to_be_visible(timeout=SLOW)
    info = runs.run("own")
    assert (info.state, info.dataset) == ("finished", "own:shapes")
    model = load("runs/own", device="cpu")
    assert model.classes == ["dark", "light"]
    assert model.image_shape[0] == 1
    assert torch.isfinite(model.latents.mean).all()
