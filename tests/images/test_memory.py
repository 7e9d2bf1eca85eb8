"""Threads never hold more bytes than there is room for, and all of them get their turn."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from explorer.images.memory import Room


def test_no_more_is_held_than_there_is_room_for():
    room, lock = Room(100), threading.Lock()
    held, most = 0, 0

    def hold(count):
        nonlocal held, most
        with room.taken(count):
            with lock:
                held += count
                most = max(most, held)
            threading.Event().wait(0.001)
            with lock:
                held -= count

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, [30, 80, 10, 100, 1, 45, 0] * 10))
    assert 80 < most <= 100
    assert held == 0


def test_who_asks_for_more_than_there_is_gets_all_of_it():
    room, entered = Room(10), threading.Event()

    def enter():
        with room.taken(1):
            entered.set()

    with room.taken(1000):
        other = threading.Thread(target=enter, daemon=True)
        other.start()
        assert not entered.wait(0.05)
    assert entered.wait(60)


def test_it_is_given_back_after_an_error():
    room = Room(10)
    with pytest.raises(ZeroDivisionError), room.taken(10):
        1 / 0  # noqa: B018
    with room.taken(10):
        pass
