"""What browsers send to components: whatever it is, it becomes bytes that are what they should be, or one sentence."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from explorer.ui.components.draw.component import SIDE, drawing_of
from explorer.ui.components.latent_map.component import Click, Selected, click_of, selection_of
from explorer.ui.components.payloads import PayloadError, content, index, moment, number
from explorer.ui.components.picture_drop.component import pasted_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def png(mode: str = "RGBA", size: tuple[int, int] = (SIDE, SIDE), kind: str = "PNG") -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(out, kind)
    return out.getvalue()


def sent(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bomb() -> bytes:
    """A PNG of 0.1 MB that says SIDE x SIDE in its header and has 20 MB of pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(20 << 20), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_drawing_is_the_png_that_was_sent(mode):
    data = png(mode)
    assert drawing_of({"png": sent(data)}) == data
    assert drawing_of({"png": ""}) == b""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "damaged on its way"),
        (["aGk="], "damaged on its way"),
        ("no base64!", "damaged on its way"),
        ("aGk", "damaged on its way"),
        ("äöü=", "damaged on its way"),
        ("A" * (2 << 20), "more than the 1 MB"),
        (sent(b"\x89PNG\r\n\x1a\n"), "not a PNG image of 280 x 280 pixels"),
        (sent(b"MZ" + bytes(300)), "not a PNG image of 280 x 280 pixels"),
        (sent(png(size=(28, 28))), "not a PNG image of 280 x 280 pixels"),
        (sent(png("RGB", kind="BMP")), "not a PNG image of 280 x 280 pixels"),
        (sent(png()[:3000]), "cut off or damaged"),
    ],
)
def test_what_is_no_drawing_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(PayloadError, match=sentence) as refused:
        drawing_of({"png": text})
    said = str(refused.value)
    assert said.startswith("The drawing ")
    assert said.endswith(".")
    assert said.count(". ") == 0


def test_a_drawing_larger_than_it_says_is_cut_at_what_it_says():
    data = bomb()
    assert len(data) < 1 << 20
    assert drawing_of({"png": sent(data)}) == data  # Pillow reads 280 rows of it


def test_pasted_files_keep_their_bytes_and_lose_their_folders():
    names = ["C:\\photos\\a.png", "../../etc/passwd", "b\u202e\x00\n.png", "", None, "\ud800", "x" * 500]
    files = pasted_of({"pictures": [{"name": name, "data": sent(bytes([i]))} for i, name in enumerate(names)]})
    assert [file.data for file in files] == [bytes([i]) for i in range(len(names))]
    expected = ["a.png", "passwd", "b.png", "pasted picture", "pasted picture", "pasted picture", "x" * 120]
    assert [file.name for file in files] == expected


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        (None, "damaged on their way"),
        ([], "damaged on their way"),
        ([{"name": "a", "data": ""}, 3], "damaged on their way"),
        ([{"name": "a.png"}], "^a.png could not be read: it was damaged on its way.$"),
        ([{"name": "a.png", "data": "A" * (28 << 20)}], "^a.png has more than the 20 MB"),
        ([{"data": "A" * (14 << 20)}] * 2, "have more than the 20 MB"),
        ([{"data": ""}] * 51, "51 pictures were pasted, more than the 50"),
    ],
)
def test_what_cannot_have_been_pasted_is_refused_in_one_sentence(pictures, sentence):
    with pytest.raises(PayloadError, match=sentence):
        pasted_of({"pictures": pictures})


def test_a_click_is_a_point_or_a_place():
    assert click_of({"x": 1, "y": -2.5, "id": 7}) == Click(1.0, -2.5, 7)
    assert click_of({"x": 1, "y": -2.5, "id": None}) == Click(1.0, -2.5, None)


@pytest.mark.parametrize("answer", [{}, {"x": 1}, {"x": 1, "y": "2"}, {"x": 1, "y": float("nan")}, {"x": True, "y": 2}])
def test_a_click_without_a_place_is_refused(answer):
    with pytest.raises(PayloadError, match="try again"):
        click_of(answer)


def test_a_selection_is_what_was_outlined_or_none():
    outline = [[0, 1], [2, 3.5], [4, 5]]
    found = selection_of({"ids": [3, 1], "kind": "box", "outline": outline, "revision": "r", "t": 9})
    assert found == Selected([3, 1], "box", outline, "r", 9)
    assert selection_of({"cleared": True}) is None
    many = {"ids": base64.b64encode(bytes([0b10000001, 0, 0b01000000])).decode(), "outline": outline}
    assert selection_of(many).ids == [0, 7, 17]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ids": [1]},
        {"ids": "a", "outline": []},
        {"ids": ["1"], "outline": []},
        {"ids": [-1], "outline": []},
        {"ids": [1], "outline": [[1]]},
    ],
)
def test_a_damaged_selection_is_refused(answer):
    with pytest.raises(PayloadError, match="select again"):
        selection_of(answer)


@settings(max_examples=150, deadline=None)
@given(JSON, st.binary(max_size=200))
def test_anything_else_is_refused_too(value, data):
    for read, payload in (
        (drawing_of, {"png": value}),
        (drawing_of, {"png": sent(b"\x89PNG\r\n\x1a\n" + data)}),
        (pasted_of, {"pictures": value}),
        (pasted_of, {"pictures": [{"name": value, "data": value}]}),
        (click_of, {"x": 0, "y": value, "id": value}),
        (selection_of, {"ids": [value], "outline": [[0, value]], "kind": value, "revision": value, "t": value}),
        (selection_of, {"ids": [], "outline": value}),
        (lambda payload: index(payload, "i"), {"i": value}),
        (lambda payload: number(payload, "x"), {"x": value}),
    ):
        with contextlib.suppress(PayloadError):
            read(payload)
    t = moment({"t": value})
    assert type(t) is int
    assert 0 <= t < 2**53
    assert content(sent(data), "It", 200) == data
