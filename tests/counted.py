"""Work that is counted: how long it takes says how busy the machine is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def bytes_read(work: Callable[[], object]) -> int:
    """The bytes that this process reads from files while it does some work."""
    if not (said := Path("/proc/self/io")).is_file():
        pytest.skip("only Linux counts what a process reads")

    def count() -> int:
        return int(said.read_text().split()[1])

    before = count()
    work()
    return count() - before
