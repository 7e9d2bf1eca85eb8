"""What the page of these tests shows, and what a test compares it with: pictures that tell which one they are."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

TILE = (20, 16)  # width, height
COLUMNS = 8


def picture(place: float, kind: int = 0) -> np.ndarray:
    """A blob [H, W], uint8, that moves and grows with `place` in 0 to 1; `kind` says along which edge."""
    x, y = np.meshgrid(np.linspace(0, 1, TILE[0]), np.linspace(0, 1, TILE[1]))
    cx, cy = (0.2 + 0.6 * place, 0.35 + 0.3 * (kind % 2))
    apart = ((x - cx) / (0.12 + 0.12 * place)) ** 2 + ((y - cy) / (0.3 - 0.1 * place)) ** 2
    return np.rint(20 + 30 * kind + 200 * np.exp(-apart)).clip(0, 255).astype(np.uint8)


def walk(count: int, kind: int = 0) -> np.ndarray:
    """The pictures of a walk [N, H, W]."""
    return np.stack([picture(i / max(1, count - 1), kind) for i in range(count)])


def shares(count: int) -> list[float]:
    """Dense at both ends, empty in the middle."""
    return (0.7 * np.abs(np.cos(np.linspace(0, np.pi, count))) ** 2).tolist()


def sheet(count: int, kind: int = 0) -> bytes:
    """The walk's pictures as one PNG, row by row."""
    pictures = walk(count, kind)
    rows = -(-count // COLUMNS)
    canvas = np.zeros((rows * COLUMNS, TILE[1], TILE[0]), np.uint8)
    canvas[:count] = pictures
    canvas = canvas.reshape(rows, COLUMNS, TILE[1], TILE[0]).swapaxes(1, 2).reshape(rows * TILE[1], -1)
    return png(canvas)


def png(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def of_code(values: list[float]) -> np.ndarray:
    """The "decoder" of the sliders: one bright column a value, as high as the value in -3 to 3 says."""
    pixels = np.zeros((24, 4 * len(values)), np.uint8)
    for i, value in enumerate(values):
        pixels[: round(24 * (min(3.0, max(-3.0, value)) + 3) / 6), 4 * i : 4 * i + 4] = 255 - 20 * i
    return pixels


def points(count: int = 400) -> np.ndarray:
    """Places on the map [N, 2]: five clusters."""
    rng = np.random.default_rng(0)
    centres = 3 * np.stack([np.cos(np.arange(5) * 1.2566), np.sin(np.arange(5) * 1.2566)], 1)
    return centres[np.arange(count) % 5] + 0.6 * rng.standard_normal((count, 2))


def crowd(count: int = 30_000) -> tuple[np.ndarray, np.ndarray]:
    """More places than plotly draws smoothly, float32 [N, 2], and their classes [N]; the last lies apart."""
    where = points(count)
    where[-1] = (0.0, 0.0)
    return where.astype(np.float32), np.arange(count) % 5


TEXTS = (
    "![x](http://127.0.0.1:9/x.png) and [a link](http://127.0.0.1:9/)",
    "see http://evil.example/a?b=c or HTTPS://evil.example, www.evil.example or WWW.evil.example and me@evil.example",
    "mailto:me@evil.example, xmpp:me@evil.example, <http://evil.example>, //evil.example",
    "**bold** __bold__ *em* _em_ ~~gone~~ `code` $x^2$ # head | a | b |",
    ":red[red] :material/close: :streamlit: :smile: :+1: &lt;b&gt; &copy; <b>x</b>",
    "a -> b <- c -- d >= e",
    "- no list",
    "+ no list",
    "1. no list",
    "12) no list",
    "# no heading",
    "--- ",
    "===",
    "> no quotation",
    "a [^1] note \\ and {x}",
)
"""What Markdown would make something else of."""
