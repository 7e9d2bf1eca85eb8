"""Pieces of HTML: pictures without loss, text that stays text."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import torch
from PIL import Image

from explorer.images import pictures
from explorer.ui import html


def test_a_picture_is_lossless_and_says_what_it_shows():
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    made = html.image(Image.fromarray(pixels), "decoded", alt="the image", code="1,-2", index=None, item=0)
    source = re.search(r'src="data:image/png;base64,([^"]+)"', made)[1]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))), pixels)
    assert 'data-code="1,-2"' in made
    assert 'data-item="0"' in made
    assert "data-index" not in made
    assert 'alt="the image"' in made
    assert "<figcaption>decoded</figcaption>" in made


class Tags(HTMLParser):
    """The elements of a piece of HTML, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_text_cannot_become_markup():
    evil = '"><script>alert(1)</script>'
    made = html.image(Image.new("L", (2, 2)), evil, alt=evil, code=evil)
    assert Tags(made).found == ["figure", "img", "figcaption"]
    made = html.facts([(evil, evil, evil)])
    assert "script" not in Tags(made).found
    assert len(Tags(made).found) == len(Tags(html.facts([("a", "b", "c")])).found)


def test_a_difference_says_what_its_colours_mean():
    made = html.difference(torch.zeros(1, 4, 4), torch.ones(1, 4, 4), "difference")
    words = re.search("<figcaption>(.*)</figcaption>", made)[1]
    for word, colour in (("brighter", pictures.BRIGHTER), ("darker", pictures.DARKER)):
        assert f"rgb{colour}" in words.split(word)[0]
    assert "orange where the reconstruction is brighter" in made


def test_facts():
    made = html.facts([("ELBO", "−100.0 nats", "a lower bound"), ("KL", "3.0 nats", "of the prior")])
    assert [made.index(word) for word in ("ELBO", "−100.0 nats", "KL", "3.0 nats")] == sorted(
        made.index(word) for word in ("ELBO", "−100.0 nats", "KL", "3.0 nats")
    )
    assert made.count("a lower bound") == 2  # on hover, and unfolded


def bars_of(made: str) -> list[tuple[str, float]]:
    return [(side, float(height)) for side, height in re.findall(r"(top|bottom):50%;height:([\d.]+)%", made)]


def test_a_code_as_bars():
    made = html.code_bars(torch.tensor([1.0, -2.0, 0.0]))
    assert bars_of(made) == [("bottom", 25.0), ("top", 50.0), ("top", 1.0)]
    assert "code: 1.00, −2.00, 0.00" in made
    assert "latent 1: −2.000" in made
    assert "data-faint" not in made


def test_bars_of_a_far_code_stay_inside():
    made = html.code_bars(torch.tensor([-40.0, 10.0]))
    assert bars_of(made) == [("top", 50.0), ("bottom", 12.5)]
    assert "from −40.0 to 40.0" in made


def test_many_latents_and_idle_ones():
    made = html.code_bars(torch.ones(6), torch.tensor([0.0, 0.0099, 0.0101, 1, 2, 3]))
    assert "code: 6 latents" in made
    assert made.count("data-faint") == 2
    assert len(bars_of(made)) == 6
