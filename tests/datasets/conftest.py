"""Every test of a data set begins with an empty cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from explorer import datasets


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    datasets.clear_cache()
    yield
    datasets.clear_cache()
