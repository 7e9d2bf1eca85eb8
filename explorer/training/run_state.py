"""Where a run stands: what `state.json` says, from the moment it is queued until it has ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from explorer.files import json_schema as must_be


class RunState(StrEnum):
    """Where a run stands, in the one word that files, lists and screens have for it.

    A run is `INTERRUPTED` that says that it is running while no process holds its lock; no file says so.
    """

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        return self in (RunState.QUEUED, RunState.RUNNING)


_MOST_WORDS = 2000  # characters of a message
_LATEST = 1e11  # seconds since 1970: some thousand years from now, which a calendar still knows

_COUNT, _TIME, _NATS = must_be.whole(0, 10**9), must_be.number(0), must_be.nothing_or(must_be.any_number)
_PROGRESS = must_be.table(
    {
        "phase": must_be.text(100),
        **dict.fromkeys(("epoch", "epochs", "step", "steps"), _COUNT),
        **dict.fromkeys(("elbo", "kl"), _NATS),
        "reconstruction": must_be.any_number,
        **dict.fromkeys(("images_per_second", "seconds_left"), _TIME),
    },
    needed=("phase",),
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run's training is: losses are averages over the epoch so far, in nats an image; times in seconds.

    `elbo` and `kl` are None for a model without a prior. `phase` is `starting`, `training`, `mapping` or `saving`.
    """

    phase: str
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    elbo: float | None = None
    reconstruction: float = 0.0
    kl: float | None = None
    images_per_second: float = 0.0
    seconds_left: float = 0.0

    @classmethod
    def from_json(cls, data: Any) -> Progress | None:
        """Reads what `asdict` gave; None for anything else."""
        try:
            _PROGRESS("progress", data)
        except ValueError:
            return None
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


@dataclass(frozen=True, kw_only=True)
class Status:
    """What `state.json` says of a run.

    `since` is when it came into its state, in seconds since 1970; of those that wait the smallest `round` is next
    (`explorer.runs.turns`), and of a round the smallest `turn`;
    `message` says in a sentence why it ended; `memory` is the process's peak in bytes, `test` the last test metrics,
    `seconds` the time spent on training; `retry` is false where another attempt would end as this one did.
    """

    state: RunState = RunState.INTERRUPTED
    since: float = 0.0
    turn: int = 0
    round: int = 0
    pid: int | None = None
    message: str = ""
    progress: Progress | None = None
    memory: int | None = None
    test: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    epochs_done: int = 0
    retry: bool = True

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Status:
        """Reads what `to_json` gave. What is missing, or is not what it should be, is left at its default."""
        state, message = data.get("state"), data.get("message")
        return cls(
            state=RunState(state) if state in list(RunState) else RunState.INTERRUPTED,
            since=_number(data.get("since"), _LATEST),
            # Up to version 0.1 it was a time, which a clock that was set back made too early.
            turn=int(_number(data.get("turn", data.get("queued_at")))),
            round=int(_number(data.get("round"))),
            pid=int(_number(data.get("pid"))) or None,
            message=message[:_MOST_WORDS] if isinstance(message, str) else "",
            progress=Progress.from_json(data.get("progress")),
            memory=int(_number(data.get("memory"))) or None,
            test=finite_metrics(data.get("test")),
            seconds=_number(data.get("seconds")),
            epochs_done=int(_number(data.get("epochs_done"))),
            retry=data.get("retry", True) is not False,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def finite_metrics(value: Any) -> dict[str, Any]:
    """The entries of a dictionary that are finite numbers; none of anything else."""
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if must_be.finite(v)}


def _number(value: Any, most: float = 1e15) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < most else 0.0
