"""Figures for a paper: files that other programs read, with what the screen shows and a caption."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from explorer import figures
from explorer.cells.figures import calibration, hues, layer_scales, place_on_map, roc
from explorer.figures import paper

CAPTION = "Codes of 30 items; model “Größe” – 中"
SVG = "{http://www.w3.org/2000/svg}"
POINTS = np.random.default_rng(0).normal(size=(30, 2))
CLASSES = np.arange(30) % 3
NAMES = ["_a $x_1$", "b & <c>", "细胞"]


def class_map():
    figure = figures.map_figure(POINTS, classes=CLASSES, axes=("latent 0", "latent 1"))
    entries = [(i, name, color) for i, (name, color) in enumerate(zip(NAMES, figures.palette(3), strict=True))]
    return paper.with_legend(figure, entries)


def texts(svg: bytes) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_map_is_vectors_with_every_point_and_name():
    svg = paper.draw([class_map()], "svg", caption=CAPTION)
    assert {*NAMES, "latent 0", "latent 1"} <= set(texts(svg))
    fills = re.findall(r"<use [^>]*fill: (#\w+)", svg.decode())
    # each class has its ten points and its mark in the legend
    assert {color: fills.count(color) for color in figures.palette(3)} == dict.fromkeys(figures.palette(3), 11)
    assert not list(ET.fromstring(svg).iter(f"{SVG}image"))


@pytest.mark.parametrize("format", paper.FORMATS)
def test_every_format_has_the_caption_and_is_the_same_file_each_time(format):
    first, again = (paper.draw([class_map()], format, caption=CAPTION) for _ in range(2))
    assert first == again
    if format == "png":
        picture = Image.open(io.BytesIO(first))
        assert picture.info["Description"] == CAPTION
        assert round(picture.info["dpi"][0]) == 300
        assert picture.width > 1000
    elif format == "svg":
        assert CAPTION in first.decode()
    else:
        assert first.startswith(b"%PDF")
        assert b"/Subject" in first


def test_pictures_come_pixel_by_pixel_with_the_names_of_their_axes():
    pixels = np.random.default_rng(1).integers(0, 255, (2 * 8, 3 * 8, 3), dtype=np.uint8)
    sheet = paper.Pictures(Image.fromarray(pixels), 3, 2, ["-1", "0", "1"], ["up", "down"], ("z0", "z1"))
    svg = paper.draw([sheet], "svg")
    assert {"-1", "0", "1", "up", "down", "z0", "z1"} <= set(texts(svg))
    (image,) = ET.fromstring(svg).iter(f"{SVG}image")
    data = image.get("{http://www.w3.org/1999/xlink}href").partition("base64,")[2]
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    times = drawn.shape[0] // 16
    assert drawn.shape == (16 * times, 24 * times, 3)
    assert (drawn.reshape(16, times, 24, times, 3) == pixels[:, None, :, None]).all()


def test_what_a_column_is_called_is_no_markup():
    figure = figures.map_figure(POINTS, values=POINTS[:, 0], value_name="<a href='x'>age</a>")
    assert "<" not in figure.data[0].marker.colorbar.title.text
    assert "<a href='x'>age</a>" in texts(paper.draw([figure], "svg"))


def test_many_points_are_a_picture_in_a_file_of_vectors():
    many = figures.map_figure(np.random.default_rng(2).normal(size=(30_000, 2)), values=np.arange(30_000.0))
    svg = paper.draw([many], "svg")
    assert len(svg) < 2_000_000
    assert list(ET.fromstring(svg).iter(f"{SVG}image"))


def test_every_figure_of_the_screens_can_be_drawn():
    history = [{"epoch": i, "test": {"elbo": -100.0 + i}, "train": {"elbo": -101.0 + i}} for i in range(1, 5)]
    shown = [
        figures.map_figure(POINTS, values=POINTS[:, 0], value_name="KL, nats"),
        figures.class_histogram(NAMES, [1, 2, 3]),
        figures.learning_curves({"one": history, "two": history}, "elbo", ("test", "train")),
        place_on_map(POINTS, None, (0.0, 0.0), "here", color="#444444"),
        hues({"real": [0.1] * 10, "generated": [0.1] * 10}),
        calibration([(0.1, 0.12, 30), (0.9, 0.95, 100)]),
        roc({"one": ([0, 0.1, 1], [0, 0.8, 1])}),
        layer_scales(["first", "second"], {"Xavier": [(0.1, 1), (0.2, 2)]}, moments=("start", "end"), what="spread"),
    ]
    svg = paper.draw(shown, "svg")
    assert {
        "KL, nats",
        "ELBO, nats an image",
        "one, train",
        "magenta",
        "50%",
        "Xavier, end",
        "second",
        "0.1",
        "guessing",
    } <= set(texts(svg))


CONTROLS = "a\x08b\x00c\ud800d\ufffe"  # what XML cannot hold


@pytest.mark.parametrize("format", paper.FORMATS)
def test_names_with_control_characters_leave_a_sound_file(format):
    points = np.zeros((2, 2))
    plot = paper.with_legend(figures.map_figure(points, classes=np.array([0, 0])), [(0, CONTROLS, "#000000")])
    sheet = paper.Pictures(Image.new("L", (8, 8)), 1, 1, across=[CONTROLS], down=[CONTROLS], axes=(CONTROLS, CONTROLS))
    made = paper.draw([plot, sheet], format, caption=CONTROLS)
    if format == "svg":
        assert texts(made).count("a?b?c?d?") == 5
