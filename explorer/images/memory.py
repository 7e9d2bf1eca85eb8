"""Memory that threads share while each reads a picture: many small ones at once, large ones by turns."""

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
        """Holds `count` bytes, as soon as they are free. Who asks for more than there are in all gets all of them."""
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


# Of the whole process. Who holds bytes of a file may ask for room to decode it, never the other way round.
files = Room(256 << 20)
"""For the bytes of files."""
decoding = Room(1 << 30)
"""For pictures while they are decoded: several photographs, or one of the largest."""
