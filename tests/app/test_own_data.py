"""The panel for a person's own images under Streamlit's test runner: in, looked at, added, refused, taken away."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import datasets
from explorer.datasets import own
from explorer.ui import assets
from tests.app.screens import TIMEOUT
from tests.hostile import png as large_png

FOLDER = "By its path"
CASES = Path(__file__).parents[1] / "cases"


def script() -> None:
    import streamlit as st

    from explorer.ui.own_data.panel import own_data_panel

    with st.sidebar:
        st.text(st.session_state.get("chosen", "none"))
    own_data_panel(lambda name: st.session_state.update(chosen=name))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app listens on this computer only, is opened on it, and has no data sets of a person's own yet."""
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    browser = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
    monkeypatch.setattr(type(st.context), "headers", browser)
    listen_on(monkeypatch, "localhost")
    return tmp_path / "data"


def listen_on(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    options = {"server.address": address, "server.maxUploadSize": 200}
    get = st.get_option
    monkeypatch.setattr(st, "get_option", lambda key: options[key] if key in options else get(key))


def png(seed: int, side: int = 30, height: int | None = None) -> bytes:
    out, shape = io.BytesIO(), (height or side, side, 3)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def cells(count: int = 10) -> dict[str, bytes]:
    return {f"cells/{name}/{n}.png": png(n + 100 * i) for i, name in enumerate(("good", "sick")) for n in range(count)}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def page() -> AppTest:
    return AppTest.from_function(script, default_timeout=TIMEOUT).run()


def uploaded(content: bytes, name: str = "Blood cells.zip", *, waiting: bool = True) -> AppTest:
    at = page()
    at.file_uploader(key="own_upload").upload(name, content, "application/zip")
    at.run()
    if waiting and "own_looked" in at.session_state and at.session_state["own_looked"][1].running:
        at.session_state["own_looked"][1].join(TIMEOUT)
        at.run()
    return at


def finished(at: AppTest) -> AppTest:
    """After a click on Add: the run in which the page notices the end."""
    if "own_job" in at.session_state and at.session_state["own_job"] is not None:
        at.session_state["own_job"].join(TIMEOUT)
        at.run()
    return at


def added(at: AppTest) -> AppTest:
    return finished(at.button(key="own_add").click().run())


def said(elements: object) -> str:
    """What is on the screen: without the marks that keep Markdown from being read."""
    return " ".join(re.sub(r"\\(\W)", r"\1", element.value) for element in elements)  # type: ignore[attr-defined]


def keys(at: AppTest) -> set[str]:
    return {button.key for button in at.button}


def test_at_first_it_says_what_to_hand_in():
    at = page()
    assert not at.exception
    assert "one folder per class" in said(at.markdown)
    assert "healthy" in at.code[0].value
    assert "up to 200 MB" in said(at.caption)
    assert "own_add" not in keys(at)


def test_from_an_upload_to_a_data_set(data):
    at = uploaded(zipped(cells() | {"cells/good/broken.png": b"x"}))
    assert not at.exception
    assert at.text_input(key="own_name").value == "blood-cells"
    assert "cells/good/broken.png" in said(at.warning)
    at = added(at)
    assert not at.exception
    assert not at.error
    assert "own:blood-cells is ready: 16 images to train on, 4 to test on." in said(at.success).replace("*", "")
    assert "broken.png" in said(at.success)
    assert at.text[0].value == "own:blood-cells"
    assert datasets.load("own:blood-cells", "train").image_shape == (3, 32, 32)
    assert "20 images · 32 × 32 RGB · 2 classes" in said(at.caption)
    at.button(key="own_more").click().run()
    assert not at.success
    assert at.file_uploader(key="own_upload").value is None


def test_size_colour_and_name_are_followed():
    at = uploaded(zipped(cells()))
    at.selectbox(key="own_size").select("128 × 128").run()
    at.selectbox(key="own_channels").select("gray").run()
    assert "128 × 128" in " ".join(element.value for element in at.html)
    at.text_input(key="own_name").input("Large.1").run()
    at = added(at)
    assert datasets.load("own:Large.1").image_shape == (1, 128, 128)


def test_images_that_are_no_squares_may_keep_their_shape():
    at = uploaded(zipped({f"cells/{n}.png": png(n, 30, 20) for n in range(10)}))
    assert "30 × 20" in at.selectbox(key="own_size").options
    at.selectbox(key="own_size").select("30 × 20").run()
    assert "30 × 20" in " ".join(element.value for element in at.html)
    at = added(at)
    assert datasets.load("own:blood-cells").image_shape == (3, 20, 30)
    assert "own:blood-cells" in at.text[0].value
    assert "10 images · 30 × 20 RGB" in said(at.caption)


def test_a_folder_by_its_name(tmp_path):
    for name, content in cells().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    at = page()
    at.segmented_control(key="own_way").set_value(FOLDER).run()
    assert not at.file_uploader
    at.text_input(key="own_folder").input(f'"{tmp_path / "cells"}"').run()
    assert at.text_input(key="own_name").value == "cells"
    at = added(looked_at(at))
    assert at.text[0].value == "own:cells"


def looked_at(at: AppTest) -> AppTest:
    """After something was handed in or chosen: the run in which the preview is there."""
    at.run()
    if at.session_state["own_looked"][1].running:
        at.session_state["own_looked"][1].join(TIMEOUT)
        at.run()
    return at


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_a_folder_that_is_uploaded(address, monkeypatch):
    listen_on(monkeypatch, address)
    at = page()
    at.segmented_control(key="own_way").set_value("Upload a folder").run()
    files = cells() | {"cells/@eaDir/0.png/thumbnail.png": png(1), "cells/labels.txt": b"x"}
    at.file_uploader(key="own_directory").set_value([(name, data, "image/png") for name, data in files.items()])
    at = added(looked_at(at))
    assert not at.error
    found = own.details("cells")
    assert (found.classes, sum(found.counts.values())) == (["good", "sick"], 20)
    assert "Left out: 1 picture in folders of a system" in said(at.success)


def test_what_to_take_of_stacks_is_asked_where_there_are_some():
    at = uploaded(zipped(cells()))
    assert not {box.key for box in at.selectbox} & {"own_frames", "own_channel"}
    at = uploaded((CASES / "stacks_of_12_frames.zip").read_bytes(), "stacks.zip")
    assert "6 of 6 files have several frames, 72 in all; only the first of each is used." in said(at.warning)
    at.selectbox(key="own_frames").select("all")
    at = added(looked_at(at))
    assert not at.exception
    assert own.details("stacks").counts == {"train": 48, "test": 24}


def test_a_table_that_lies_elsewhere():
    at = uploaded(zipped(cells()))
    names = [f"{name}/{i}.png" for name in ("good", "sick") for i in range(10)]
    rows = "".join(f"cells/{name},{i // 3},{i}\n" for i, name in enumerate(names))
    at.file_uploader(key="own_table").upload("ages.csv", f"file,patient,age\n{rows}".encode(), "text/csv")
    at = looked_at(at)
    assert at.selectbox(key="own_role_group").value == "patient"
    at = added(at)
    assert not at.exception
    assert own.details("blood-cells").group == "patient"
    assert set(datasets.load("own:blood-cells", "test").items.columns) == {"patient", "age"}


def test_a_folder_that_has_changed_is_looked_at_again(tmp_path):
    at = page()
    at.segmented_control(key="own_way").set_value(FOLDER).run()
    at.text_input(key="own_folder").input(str(tmp_path / "cells")).run()
    assert "There is nothing at" in said(at.error)
    for name, content in cells().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    at.run()
    assert at.error
    at.button(key="own_again").click().run()
    assert not at.error
    assert "own_add" in keys(at)


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b", "/dev/null", "."])
def test_folders_that_are_none(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    at = page()
    at.segmented_control(key="own_way").set_value(FOLDER).run()
    at.text_input(key="own_folder").input(path).run()
    assert not at.exception
    assert len(at.error) == 1


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.168.1.5"])
def test_who_is_elsewhere_names_no_folders(address, monkeypatch):
    listen_on(monkeypatch, address)
    at = page()
    assert not at.exception
    assert FOLDER not in at.segmented_control(key="own_way").options
    assert "it opens no folder that somebody names" in said(at.caption)
    assert "python -m explorer data add FOLDER_OR_ZIP --name NAME" in said(at.caption)
    assert at.file_uploader(key="own_upload")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "neither a folder nor an intact .zip"),
        (b"PK\x03\x04 nonsense", "neither a folder nor an intact .zip"),
        (zipped(cells())[:-30], "neither a folder nor an intact .zip"),
        (zipped({"a.txt": b"x"}), "holds no images"),
        (zipped({"a.png": png(1)}), "a single image"),
        (zipped(cells() | {"../../x.png": png(1)}), "leads out of it"),
        (zipped({"a/1.png": b"x", "a/2.png": b"x"}), "None of 2 images"),
    ],
)
def test_broken_uploads_get_a_sentence(content, sentence):
    at = uploaded(content, "[x](http://e.com) <b>.zip")
    assert not at.exception
    assert len(at.error) == 1
    assert sentence in said(at.error)
    assert "[x](http" not in at.error[0].value  # it is no link
    assert "tmp" not in at.error[0].value
    assert "own_add" not in keys(at)
    at.file_uploader(key="own_upload").upload("good.zip", zipped(cells()), "application/zip")
    at.run()
    assert not at.error
    assert added(at).text[0].value == "own:good"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "  ", "ü"])
def test_a_name_that_is_none(name):
    at = uploaded(zipped(cells()))
    at.text_input(key="own_name").input(name).run()
    at = added(at)
    assert not at.exception
    assert len(at.error) == 1
    assert own.names() == []
    at.text_input(key="own_name").input("fine").run()
    assert added(at).text[0].value == "own:fine"


def test_a_taken_name():
    added(uploaded(zipped(cells()), "cells.zip"))
    at = uploaded(zipped(cells(12)), "cells.zip")
    assert at.text_input(key="own_name").value == "cells-2"
    at.text_input(key="own_name").input("cells").run()
    at = added(at)
    assert "There is a data set own:cells already; choose another name" in said(at.error)
    assert "own_add" in keys(at)


def test_the_same_zip_twice():
    added(uploaded(zipped(cells()), "cells.zip"))
    at = added(uploaded(zipped(cells()), "again.zip"))
    assert "again.zip is already here as own:cells" in said(at.info)
    assert at.text[0].value == "none"
    at.button(key="own_existing").click().run()
    assert at.text[0].value == "own:cells"
    assert not at.info


def test_the_list_and_its_undo(data):
    at = added(uploaded(zipped(cells()), "cells.zip"))
    at.button(key="own_remove_cells").click().run()
    assert not at.exception
    assert own.names() == []
    assert "Removed own:cells" in said(at.markdown)
    at.button(key="own_undo").click().run()
    assert own.names() == ["cells"]
    assert "own_undo" not in keys(at)
    (data / "own" / "cells" / "info.json").write_text("{")
    at.run()
    assert "own:cells is damaged: info.json is damaged; remove it and add it again." in said(at.error)
    assert "own_use_cells" not in keys(at)
    at.button(key="own_remove_cells").click().run()
    (data.parent / "other.zip").write_bytes(zipped(cells(11)))
    own.create("cells", data.parent / "other.zip")
    at.button(key="own_undo").click().run()
    assert "There is another data set own:cells by now" in said(at.error)
    at.button(key="own_use_cells").click().run()
    assert at.text[0].value == "own:cells"
    assert not at.error


def test_progress_and_cancel(monkeypatch):
    go_on = threading.Event()
    create = own.create

    def slow(*args, progress, **options):
        progress(25, 100)
        assert go_on.wait(TIMEOUT)
        progress(30, 100)
        return create(*args, progress=progress, **options)

    monkeypatch.setattr(own, "create", slow)
    at = uploaded(zipped(cells()))
    at.button(key="own_add").click().run()
    assert not at.exception
    assert at.button(key="own_add").disabled
    job = at.session_state["own_job"]
    at.button(key="own_cancel").click().run()
    assert at.button(key="own_cancel").disabled
    go_on.set()
    job.join(TIMEOUT)
    at.run()
    assert not at.exception
    assert own.names() == []
    assert not at.button(key="own_add").disabled  # the upload is still there
    assert added(at).text[0].value == "own:blood-cells"


def test_many_classes_and_none():
    many = {f"class number {n}/{i}.png": png(n + i) for n in range(30) for i in range(2)}
    at = uploaded(zipped(many))
    assert not at.exception
    assert "and 18 more classes" in " ".join(element.value for element in at.html)
    at = uploaded(zipped({f"{n}.png": png(n) for n in range(5)}))
    assert not at.exception
    assert "No classes: there are no folders around the images." in said(at.caption)


def test_nobody_can_guess_the_address_of_an_uploads_sample(monkeypatch):
    """Not even who has the same files, and could so find out that somebody else uploaded them."""
    store = assets._Store()
    monkeypatch.setattr(assets, "_store", store)
    content = zipped(cells())
    uploaded(content)
    first = {key for key in store._recipes if key.startswith("own-")}
    uploaded(content)
    assert first
    assert len({key for key in store._recipes if key.startswith("own-")}) == 2 * len(first)


def test_a_preview_is_a_job_that_can_be_cancelled_and_ends_with_its_visitor():
    slow = large_png(6_000, 6_000)
    at = uploaded(zipped({f"{'ab'[n % 2]}/{n}.png": slow for n in range(60)}), waiting=False)
    assert not at.exception
    job = at.session_state["own_looked"][1]
    assert job.running
    assert job._session is not None
    assert "own_add" not in {button.key for button in at.button}
    at.button(key="own_look_cancel").click().run()
    job.join(TIMEOUT)
    at.run()
    assert [info.value for info in at.info] == ["Cancelled: the images were not looked at."]
    at.button(key="own_look_again").click().run()
    again = at.session_state["own_looked"][1]
    assert again is not job
    assert again.running
    again.cancel()
    again.join(TIMEOUT)


def test_from_arrays_to_a_data_set(data):
    """What is guessed is shown, and a person may say otherwise."""
    arrays = {"x_train": np.zeros((8, 9, 9)), "y_train": np.arange(8) % 2, "stage_train": np.arange(8) % 4}
    arrays |= {"x_test": np.ones((4, 9, 9)), "y_test": np.arange(4) % 2, "stage_test": np.arange(4)}
    out = io.BytesIO()
    np.savez(out, **arrays)
    at = uploaded(out.getvalue(), "Cells.npz")
    assert not at.exception
    assert at.text_input(key="own_name").value == "cells"
    boxes = {role: at.selectbox(key=f"own_role_{role}") for role in ("image", "label", "group", "split")}
    assert {role: box.value for role, box in boxes.items()} == {"image": "x", "label": "y", "group": "", "split": ""}
    assert boxes["label"].options == ["none", "x (numbers 9 × 9)", "y (numbers)", "stage (numbers)"]
    assert at.toggle(key="own_role_turned").value is False
    at.selectbox(key="own_role_label").select("stage").run()
    again = io.BytesIO()
    np.savez(again, **{name: 1 - values for name, values in arrays.items()})
    at.file_uploader(key="own_upload").upload("Others.npz", again.getvalue(), "application/zip").run()
    assert looked_at(at).selectbox(key="own_role_label").value == "y"
    at.file_uploader(key="own_upload").upload("Cells.npz", out.getvalue(), "application/zip").run()
    looked_at(at).selectbox(key="own_role_label").select("stage").run()
    at = added(looked_at(at))
    assert "8 images to train on, 4 to test on" in said(at.success)
    assert datasets.load("own:cells", "train").classes == ["0", "1", "2", "3"]
    at.button(key="own_more").click().run()
    at.file_uploader(key="own_upload").upload("good.zip", zipped(cells()), "application/zip").run()
    assert "own_role_label" not in {box.key for box in at.selectbox}
