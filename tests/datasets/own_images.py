"""Images of two classes to hand in, and what must hold of whatever is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer import datasets
from explorer.datasets import own
from explorer.errors import DatasetError


def cells(picture: Callable[..., bytes], good: int = 6, sick: int = 6, prefix: str = "") -> dict[str, bytes]:
    """Two classes that differ by their red; the number of an image is its green."""
    tree = {f"{prefix}good/{n}.png": picture((10, n, 0), (32, 32)) for n in range(good)}
    return tree | {f"{prefix}sick/{n}.png": picture((200, n, 0), (32, 32)) for n in range(sick)}


def refused(path: Path, match: str, **options: object) -> None:
    """Neither looked at nor made; nothing is left behind."""
    for ask in (lambda: own.preview(path, **options), lambda: own.create("it", path, **options)):  # type: ignore[arg-type]
        with pytest.raises(DatasetError, match=match) as caught:
            ask()
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
    place = datasets.data_root() / "own"
    assert not place.exists() or os.listdir(place) == []
