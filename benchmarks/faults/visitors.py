"""Fifty sessions at once, each with a code of its own: every one is shown the picture of its code, and of no other."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from benchmarks.browser import memory
from benchmarks.serving import browsing
from explorer.checkpoints.model import load

_SESSIONS = 50
_PROFILES = 10  # a process has no more than sixteen WebGL contexts
_MODEL = "mnist-mlp-2d"
_PATIENCE_MS = 600_000
_MOST_MEMORY = 1.5  # GB of the server
_SHOWN = """() => {
  const image = document.querySelector(".st-key-decoded img[data-code]");
  return image && image.complete && image.naturalWidth ? [image.dataset.code, image.src] : null;
}"""


def prepare(place: Path) -> None:
    """Nothing: the server starts with the trial."""


def attempt(place: Path, rng: Random) -> str:
    """Opens all sessions before it looks at any, then gives each another code."""
    model = load(_MODEL, device="cpu")
    with browsing("--process-per-site") as (browser, server):
        profiles = [
            browser.new_context(bypass_csp=True, viewport={"width": 900, "height": 900}) for _ in range(_PROFILES)
        ]
        pages = [profiles[number % _PROFILES].new_page() for number in range(_SESSIONS)]
        for turn in range(2):
            codes = [[round(rng.uniform(-2, 2), 3) for _ in range(model.latent)] for _ in pages]
            for page, code in zip(pages, codes, strict=True):
                query = ",".join(map(str, code))
                page.goto(f"{server.url}/?model={_MODEL}&z={query}", wait_until="commit", timeout=_PATIENCE_MS)
            wrong = 0
            for page, code in zip(pages, codes, strict=True):
                said, source = page.wait_for_function(_SHOWN, polling=200, timeout=_PATIENCE_MS).json_value()
                told = [float(value) for value in said.split(",")]
                with Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))) as picture:
                    pixels = np.asarray(picture.convert("L"), np.float64)
                wanted = model.decode(torch.tensor([code]))[0, 0].numpy() * 255
                wrong += not np.allclose(told, code, atol=1e-3) or float(np.abs(pixels - wanted).max()) > 1.0
            assert not wrong, f"{wrong} of {_SESSIONS} sessions show another picture, in turn {turn}"
        used = memory(server.pid)
    assert used < _MOST_MEMORY, f"the server takes {used:.2f} GB"
    return f"{_SESSIONS} sessions, two codes each; the server takes {used:.2f} GB"
