"""Data sets at a click: on every screen that lacks originals, with progress, cancelled, gone on with, refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import datasets
from explorer.files import hosting
from explorer.ui import getting
from explorer.ui.jobs import Job
from tests.app.screens import APP, TIMEOUT, explore, keys, own_space, page, press, sound, texts
from tests.background import until
from tests.small_files import Server

IMAGES = "/mnist/train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Iterator[Path]:
    """No data but the installation's, and a mirror of a folder of data sets that has nothing yet."""
    monkeypatch.setenv("EXPLORER_MIRROR", server.url)
    monkeypatch.setattr(getting, "_jobs", {})
    with own_space(tmp_path, monkeypatch):
        yield tmp_path
        for job in getting._jobs.values():
            job.cancel()
            job.join(TIMEOUT)


def ended(at: AppTest) -> AppTest:
    """The page once nothing is downloaded any more."""
    until(lambda: not getting.under_way(), 60)
    return sound(at.run())


@pytest.mark.data
def test_from_the_first_visit_to_the_originals(server, data_root, space):
    for file in (data_root / "mnist").glob("*.gz"):
        server.files[f"/mnist/{file.name}"] = file.read_bytes()
    server.tags[IMAGES] = '"one"'
    gate = server.held[IMAGES] = threading.Event()
    at = explore()
    assert at.selectbox(key="map_data").value == "mnist-5k"  # images that are here
    assert at.query_params["index"] == "0"
    assert "original" in texts(at.get("html"))
    assert "The images of mnist are not on this machine" in texts(at.caption)
    assert at.button(key="get_map_mnist").label == "Get it (12 MB)"

    press(at, "get_map_mnist")
    until(lambda: getting._jobs["mnist"].done > 2**20)
    sound(at.run())
    assert {"get_map_mnist_cancel", "get_sidebar_mnist_cancel"} <= keys(at)
    press(at, "get_map_mnist_cancel")
    gate.set()
    assert "get_map_mnist" in keys(ended(at))
    assert not (space / "no-data" / IMAGES[1:]).exists()

    ended(press(at, "get_map_mnist"))
    assert len(server.ranges) == 1  # it went on from where it was
    assert "get_map_mnist" not in keys(at)
    assert at.selectbox(key="map_data").value == "test"
    assert at.query_params["index"] == "0"
    assert "original" in texts(at.get("html"))
    assert len(datasets.load("mnist", "train")) == 60_000


def test_every_screen_that_lacks_originals_has_the_button():
    mnist = {"model": "mnist-mlp-2d", "index": "11"}
    at = page("explore", **mnist)
    assert at.selectbox(key="map_data").value == "test"  # an address that names no data means the model's own
    assert {"get_decoded", "get_map_mnist"} <= keys(at)
    assert {"get_map_mnist"} <= keys(page("arithmetic", **mnist))
    at = page("reconstruct", **mnist, source="test")
    assert {"get_reconstruct", "test_instead"} <= keys(at)
    assert at.button(key="get_reconstruct").label == "Get it (12 MB)"
    assert "get_cells" in keys(page("cells", part="upload"))
    at = explore()
    at.selectbox(key="more_data_set").select("fashion-mnist").run()
    assert at.button(key="get_more").label == "Get it (31 MB)"
    at.selectbox(key="more_data_set").select("textures").run()
    assert "get_more" not in keys(sound(at))
    assert "Put pictures of textures" in texts(at.sidebar.caption)


def test_a_model_of_other_data_is_shown_on_its_own():
    at = explore()
    at.selectbox(key="explore_model").select("fashion-mlp-2d").run()
    assert at.selectbox(key="map_data").value == "test"


def test_a_failure_names_the_ways_round_it(server, monkeypatch):
    server.files[IMAGES] = b"something else"
    at = ended(press(explore(), "get_map_mnist"))
    said = texts(at.error).replace("\\", "")
    assert "its MD5 differs" in said
    for name in ("HTTPS_PROXY", "EXPLORER_MIRROR or EXPLORER_MIRROR_MNIST", "SSL_CERT_FILE", "put its four IDX files"):
        assert name in said
    assert "get_map_mnist" in keys(at)
    monkeypatch.setattr(getting, "free_bytes", lambda folder: 1_005_000_000)
    at = ended(press(at, "get_map_mnist"))
    assert "12 MB do not fit beside the 1 GB that must stay free" in texts(at.error)


def test_data_that_an_address_asks_for_are_shown_once_they_are_here(server, mnist_files, space):
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.query_params["model"], at.query_params["data"] = "mnist-mlp-2d", "fashion-mnist"
    assert "get_map_fashion-mnist" in keys(sound(at.run()))
    assert at.selectbox(key="map_data").value == "test"
    mnist_files(space / "no-data" / "fashion-mnist")
    assert "get_map_fashion-mnist" not in keys(sound(at.run()))
    assert at.selectbox(key="map_data").value == "fashion-mnist"


@pytest.mark.parametrize("allowed", [False, True])
def test_a_shared_server_downloads_where_its_host_says_so(allowed, tmp_path, monkeypatch):
    file = tmp_path / "hosting.toml"
    file.write_text(f'url = "https://latent.example.org"\ndownloads = {str(allowed).lower()}\n')
    monkeypatch.setenv(hosting.VARIABLE, str(file))
    at = explore()
    assert ("get_map_mnist" in keys(at)) == allowed
    assert ("A host of this server can get it" in texts(at.caption)) == (not allowed)
    gate = threading.Event()
    getting._jobs["mnist"] = Job(lambda job: gate.wait(TIMEOUT), "Getting mnist", "mnist could not be downloaded")
    assert ("get_map_mnist_cancel" in keys(sound(at.run()))) == allowed, "who may not begin it may not end it"
    gate.set()
