"""Keeps loaded data sets, so that an app with many sessions parses each of them once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from explorer.datasets.base import ImageDataset
from explorer.datasets.on_disk import bytes_in_memory

MAX_ENTRIES = 16
MAX_BYTES = 1 << 30  # of images; the newest stays even if it alone is larger


class DatasetCache:
    """The data sets used last, at most `max_entries` of them with `max_bytes` of images in all. Thread-safe."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._entries: OrderedDict[Hashable, ImageDataset] = OrderedDict()
        self._loading: dict[Hashable, threading.Lock] = {}  # held by the one thread that loads this
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], ImageDataset]) -> ImageDataset:
        """Returns what is kept under `key`, else what `load` returns.

        Threads that ask for the same key at once wait for one of them to load it. If that one fails, the next
        tries for itself: the failure may have been its own, such as a session that went away.
        """
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                if key in self._entries:
                    self._entries.move_to_end(key)
                    return self._entries[key]
            dataset = load()
            with self._lock:
                self._entries[key] = dataset
                self._evict()
            return dataset

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()

    def _evict(self) -> None:
        total = sum(bytes_in_memory(dataset.images) for dataset in self._entries.values())
        while len(self._entries) > 1 and (len(self._entries) > self.max_entries or total > self.max_bytes):
            _, oldest = self._entries.popitem(last=False)
            total -= bytes_in_memory(oldest.images)
        self._loading = {key: lock for key, lock in self._loading.items() if key in self._entries or lock.locked()}
