"""The live view of a training run: curves, KL bars, pictures and a drifting map, with one slider through the epochs.

An update, which comes every second, is what has changed of the run. The slider moves everything in the browser, which
fetches the frames and keeps them: nothing is sent back to Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from explorer.ui.components.mounting import Component

__all__ = ["RunData", "Status", "training_view"]


@dataclass(frozen=True)
class Status:
    """The line above the view.

    `facts` are names and values. `share` is how much is done, 0 to 1; None shows no bar. `live` says whether more is
    to come: then the view follows the newest epoch at first. `so_far` are the running averages of an epoch that has
    not ended, shown until the first one has.
    """

    state: str
    text: str
    note: str = ""
    share: float | None = None
    live: bool = False
    facts: Sequence[tuple[str, str]] = ()
    so_far: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class RunData:
    """A run as the browser draws it. What is big is behind a URL, or is text that is made once a change.

    `recent` is JSON of the last epochs of the history by column, at most a hundred, and those before are the same
    behind `past_url`, which changes once in a hundred epochs. `frames` are names `EPOCH-DIGEST`, in order, with blanks
    between: each is a file at `frames_url`, as `.webp` the sheet of its pictures and as `.json` its points and KL.
    `reaches` are five numbers for each of them: what the map's axes and the bars take in. `probe` is what the frames
    share, with the `name` of its two files, the `groups` of latents (null where each is one) and the prior's `rings`;
    `classes` are [number, name, colour] of each class.
    """

    recent: str = ""
    past_url: str = ""
    frames: str = ""
    frames_url: str = ""
    reaches: str = ""
    probe: dict[str, Any] | None = None
    classes: list[list[Any]] | None = None


_COMPONENT = Component("training_view", "lx-tv", room="min-height: 60rem;")


def training_view(
    *,
    key: str,
    run: str,
    status: Status,
    data: RunData,
    epochs: int,
    plane: bool,
    has_prior: bool,
    meanings: Mapping[str, tuple[str, str]],
    free_bits: float = 0.0,
) -> None:
    """Shows a run, or brings what is shown up to date; the chosen epoch stays.

    Args:
        key: of its own on the page.
        run: names the run: for another one the view starts anew.
        status: where it stands.
        data: what there is to see of it.
        epochs: how many there will be.
        plane: whether codes are shown as they are on the map, or else as a projection.
        has_prior: whether there is a KL and an ELBO.
        meanings: the unit and help of each of the family's own figures.
        free_bits: nats that each latent may use for nothing: a line across the bars.
    """
    _COMPONENT.show(
        key,
        {
            "run": run,
            "status": asdict(status),
            "epochs": epochs,
            "plane": plane,
            "has_prior": has_prior,
            "meanings": dict(meanings),
            "free_bits": free_bits,
            **vars(data),
        },
    )
