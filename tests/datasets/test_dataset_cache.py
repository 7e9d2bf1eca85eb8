"""The cache: bounded, loads once however many ask, and keeps no failures."""

import threading

import pytest
import torch

from explorer.datasets import ImageDataset
from explorer.datasets.cache import DatasetCache
from explorer.errors import DatasetError


def _dataset(images: int = 1) -> ImageDataset:
    return ImageDataset("some", "test", torch.zeros(images, 1, 10, 10, dtype=torch.uint8), None, [])


def test_what_was_used_longest_ago_goes_first():
    cache = DatasetCache(max_entries=2)
    first = cache.get("a", _dataset)
    second = cache.get("b", _dataset)
    assert cache.get("a", _dataset) is first
    cache.get("c", _dataset)
    assert cache.get("a", _dataset) is first
    assert cache.get("b", _dataset) is not second


def test_bytes_are_bounded_but_the_newest_stays():
    cache = DatasetCache(max_bytes=1000)
    small = cache.get("small", lambda: _dataset(5))
    assert cache.get("small", _dataset) is small
    large = cache.get("large", lambda: _dataset(100))
    assert cache.get("large", _dataset) is large
    assert cache.get("small", lambda: _dataset(5)) is not small


def test_threads_that_ask_at_once_load_once():
    cache = DatasetCache()
    loads = []
    together = threading.Barrier(8)
    results = []

    def load() -> ImageDataset:
        loads.append(1)
        threading.Event().wait(0.05)
        return _dataset()

    def ask() -> None:
        together.wait()
        results.append(cache.get("a", load))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(result) for result in results}) == 1


def test_one_key_does_not_wait_for_another():
    cache = DatasetCache()
    begun, finish = threading.Event(), threading.Event()

    def slow() -> ImageDataset:
        begun.set()
        assert finish.wait(60)
        return _dataset()

    thread = threading.Thread(target=cache.get, args=("slow", slow))
    thread.start()
    assert begun.wait(60)
    cache.get("fast", _dataset)
    finish.set()
    thread.join()


def test_a_failure_is_not_kept_and_the_one_who_waits_tries_itself():
    cache = DatasetCache()
    begun, finish = threading.Event(), threading.Event()
    seen: list[object] = []

    def cancelled() -> ImageDataset:
        begun.set()
        assert finish.wait(60)
        raise KeyboardInterrupt

    def first() -> None:
        try:
            cache.get("a", cancelled)
        except BaseException as error:
            seen.append(type(error))

    def second() -> None:
        seen.append(cache.get("a", _dataset))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    finish.set()
    for thread in threads:
        thread.join()
    assert seen[0] is KeyboardInterrupt
    assert isinstance(seen[1], ImageDataset)

    def broken() -> ImageDataset:
        raise DatasetError("damaged")

    with pytest.raises(DatasetError):
        cache.get("b", broken)
    assert len(cache.get("b", _dataset)) == 1


def test_clear():
    cache = DatasetCache()
    before = cache.get("a", _dataset)
    cache.clear()
    assert cache.get("a", _dataset) is not before
