"""Whose run is next: people take turns on a device, however many runs one of them asks for.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) with runs as its packets. A run gets a round when it is queued:
the one that the queue is in, or the one after its person's last. Lower rounds go first, and within a round who asked
first. So somebody with k runs ahead waits for k + 2 runs of every other person at most, and a person who was away
gets no more than the others for it.
"""

from __future__ import annotations

from collections.abc import Iterable


def next_round(own: Iterable[int], active: Iterable[int], past: Iterable[int]) -> int:
    """Gives the round of a run that is queued now.

    Args:
        own: the rounds of its person's runs that wait, run or have run.
        active: of all runs that wait or run.
        past: of all runs there are.
    """
    now = min(active, default=1 + max(past, default=0))
    return max([now, *(1 + last for last in own)])
