"""Fair turns in the queue, for every order in which people ask and runs end."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from explorer.runs.turns import next_round


@dataclass
class Asked:
    """A run of somebody: its round, its number in the order of asking, and who had what before it began."""

    person: int
    round: int
    number: int
    ahead: int  # runs of the same person that had not ended when it was asked for
    served: dict[int, int]  # runs of others that have begun since then


def simulate(events: list[int | None]) -> list[Asked]:
    """Runs in the order in which they began; an event is a person who asks for a run, or None where a run ends."""
    runs: list[Asked] = []
    waiting: list[Asked] = []
    begun: list[Asked] = []
    running: Asked | None = None

    def begin() -> None:
        nonlocal running
        running = min(waiting, key=lambda run: (run.round, run.number), default=None)
        if running is not None:
            waiting.remove(running)
            begun.append(running)
            for other in waiting:
                other.served[running.person] = other.served.get(running.person, 0) + 1

    for event in [*events, *[None] * len(events)]:
        if event is None:
            begin()
            continue
        active = [*waiting, *([running] if running else [])]
        ahead = [run for run in active if run.person == event]
        given_round = next_round(
            [run.round for run in runs if run.person == event],
            [run.round for run in active],
            [run.round for run in runs],
        )
        made = Asked(event, given_round, len(runs), len(ahead), {})
        runs.append(made)
        waiting.append(made)
        if running is None:
            begin()
    return begun


people = st.lists(st.one_of(st.integers(0, 4), st.none()), max_size=60)


@given(people)
def test_every_run_begins(events):
    assert len(simulate(events)) == sum(event is not None for event in events)


@given(people)
def test_nobody_waits_for_more_runs_of_another_than_of_their_own_and_two(events):
    for run in simulate(events):
        assert all(count <= run.ahead + 2 for person, count in run.served.items() if person != run.person)


@given(people)
def test_a_persons_runs_begin_in_the_order_in_which_they_were_asked_for(events):
    for person in range(5):
        numbers = [run.number for run in simulate(events) if run.person == person]
        assert numbers == sorted(numbers)


@given(st.lists(st.none() | st.just(0), max_size=40))
def test_one_person_alone_has_a_queue_of_first_come(events):
    begun = simulate(events)
    assert [run.number for run in begun] == list(range(len(begun)))


def test_who_asks_for_many_waits_for_who_asks_for_one():
    begun = simulate([0, 0, 0, 1, 1, 2])
    assert [run.person for run in begun] == [0, 1, 2, 0, 1, 0]


def test_who_was_away_is_owed_nothing():
    begun = simulate([0, None, 0, None, 0, None, 1, 1, 0, 0])
    assert [run.person for run in begun[3:]] == [1, 0, 1, 0]
