"""Memory that threads share while each holds the bytes of a file: many small ones at once, large ones by turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """So many bytes for all who ask for some."""

    def __init__(self, size: int) -> None:
        self.size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Hold `count` bytes, as soon as they are free. Who asks for more than there are in all gets all of them."""
        count = min(max(count, 0), self.size)
        with self._changed:
            self._changed.wait_for(lambda: count <= self._free)
            self._free -= count
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()


files = Room(256 << 20)
"""For what is read of files in folders and zips, of the whole process: `with room.files.taken(entry.size): ...`."""
