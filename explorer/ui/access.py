"""What the person at this browser may see and do: runs, models and data sets, asked for by every screen here.

On a server with one person all of it is `explorer.runs`, `cache.all_checkpoints` and `explorer.datasets` as they are.
"""

from __future__ import annotations

from typing import Any

from explorer import datasets
from explorer import runs as every
from explorer.checkpoints.folder import CheckpointInfo
from explorer.datasets import DatasetInfo, own
from explorer.errors import DatasetError, RunError
from explorer.files.hosting import hosting
from explorer.files.owner import Owner
from explorer.runs import RunInfo
from explorer.training.presets import TrainConfig
from explorer.ui import cache, people
from explorer.ui.cache import STORED
from explorer.ui.people import Person

_OWN = "own:"


# --- runs ----------------------------------------------------------------------------------------------------------


def runs() -> list[RunInfo]:
    """Lists the runs that the person may see, newest first."""
    person = people.here()
    return [info for info in every.runs() if person.sees(info.owner)]


def active() -> tuple[list[RunInfo], int]:
    """Lists the person's own runs that run, then those that wait; and counts the others' ones."""
    found = every.active()
    mine = [info for info in found if is_mine(info)]
    return mine, len(found) - len(mine)


def run(name: str) -> RunInfo:
    """Finds a run. Raises RunError where there is none that the person may see."""
    info = every.run(name)
    if not people.here().sees(info.owner):
        raise _no_such(name)
    return info


def _no_such(name: str) -> RunError:
    return RunError(f"There is no run {name[:80]!r}: it was renamed or deleted.")


def is_mine(info: RunInfo | CheckpointInfo) -> bool:
    """Says whether the person made a run or a model; on a server with one person that is every one."""
    return not people.is_shared() or people.here().owner.ident == info.owner.ident


def may_change(info: RunInfo) -> bool:
    """Says whether the person may cancel, resume, rename and delete a run."""
    return people.here().changes(info.owner)


def submit(config: TrainConfig, name: str) -> RunInfo:
    """Queues a run of the person's own. Raises as `runs.submit` does, also for data that the person may not see."""
    if config.dataset and config.dataset.startswith(_OWN) and not _sees(config.dataset.removeprefix(_OWN)):
        raise DatasetError(f"{config.dataset} is not on this machine.")
    return every.submit(config, name, people.here().owner)


def cancel(name: str) -> None:
    """Stops a run. Raises RunError, also for one that the person may not stop."""
    every.cancel(_changeable(name))


def resume(name: str, epochs: int | None = None) -> None:
    """Resumes a run. Raises RunError, also for one that the person may not resume, or ValueError."""
    every.resume(_changeable(name), epochs)


def rename(name: str, new: str) -> None:
    """Gives a run another name. Raises RunError, also for one that the person may not rename."""
    every.rename(_changeable(name), new)


def delete(name: str) -> str:
    """Deletes a run; `runs.restore` takes what this returns. Raises RunError, also where the person may not."""
    return every.delete(_changeable(name))


def archive(name: str, person: Person) -> bytes:
    """Packs a run for somebody: another may have its name by now, or it may be shared no longer. Raises RunError."""
    if not person.sees(every.run(name).owner):
        raise _no_such(name)
    return every.archive(name)


def open_run(packed: bytes, label: str) -> RunInfo:
    """Takes in the run of a zip as the person's own. Raises RunError, also where it is on data they may not see."""
    info = every.open_archive(packed, label, people.here().owner, why_not=why_not_open)
    cache.all_checkpoints.clear()
    return info


def may_adopt() -> bool:
    """Says whether the person may take in a model that was trained elsewhere: its graphs run in this server."""
    return not people.is_shared() or people.here().is_host


def why_not_open(config: dict[str, Any]) -> str:
    """Why a model may not be opened on a server that several people share. A zip says what it likes."""
    if not people.is_shared():
        return ""
    name = config["dataset"]["name"]
    if data_set(name) is None:  # or one could come by the pictures of a path, or of others
        return f"its data set {name} is somebody's own, and not here for you"
    return "" if "recipe" in config else "a host of this server alone takes in models that were trained elsewhere"


def share(name: str, shared: bool) -> None:
    """Lets others see a run, or no longer. Raises RunError, also for one that the person may not change."""
    every.share(_changeable(name), shared)
    cache.all_checkpoints.clear()


def _changeable(name: str) -> str:
    if not may_change(run(name)):
        raise RunError(f"{name} is not yours: whoever made it can change it, and so can a host of this server.")
    return name


# --- models --------------------------------------------------------------------------------------------------------


def checkpoints() -> list[CheckpointInfo]:
    """Lists the checkpoints that the person may see, newest first."""
    person = people.here()
    return [info for info in cache.all_checkpoints() if person.sees(info.owner)]


def usable() -> dict[str, CheckpointInfo]:
    """Lists those of them that can be opened, by id."""
    return {info.id: info for info in checkpoints() if not info.problem}


# --- data sets -----------------------------------------------------------------------------------------------------


def data_sets() -> list[DatasetInfo]:
    """Lists the data sets that the person may see, there or not."""
    return [info for info in datasets.available() if _sees_data(info.name)]


def data_set(name: str) -> DatasetInfo | None:
    """Looks one of them up, without a look at the others; None where the person may see no such one."""
    info = datasets.info(name)
    return info if info and _sees_data(name) else None


def choices_of_data(stored: str) -> dict[str, str]:
    """What can be mapped, with its name on the screen: what is stored with the model, then the data sets here."""
    found = {STORED: stored}
    return found | {info.name: f"{info.name} (encoded now)" for info in data_sets() if info.present}


def may_fetch() -> bool:
    """Says whether the person may have the server download a data set that it knows."""
    settings = hosting()
    return not people.is_shared() or people.here().is_host or (settings is not None and settings.downloads)


def own_names() -> list[str]:
    """Lists the data sets of people's own that the person may see, without `own:`."""
    return [name for name in own.names() if _sees(name)]


def may_change_data(name: str) -> bool:
    """Says whether the person may remove or share `own:NAME`."""
    return people.here().changes(own.owner(name))


def remove_data(name: str) -> str:
    """Removes `own:NAME`; `own.restore` takes what this returns. Raises DatasetError, also where the person may not."""
    return own.remove(_changeable_data(name))


def share_data(name: str, shared: bool) -> None:
    """Lets others see `own:NAME`, or no longer. Raises DatasetError, also where the person may not."""
    own.share(_changeable_data(name), shared)


def _changeable_data(name: str) -> str:
    if not may_change_data(name):
        raise DatasetError(f"{_OWN}{name} is not yours: whoever added it can change it, and so can a host.")
    return name


def _sees_data(name: str) -> bool:
    return not name.startswith(_OWN) or _sees(name.removeprefix(_OWN))


def _sees(name: str) -> bool:
    return not people.is_shared() or people.here().sees(own.owner(name))


def caption(owner: Owner) -> str:
    """Says whose something is, as lists show it: empty for the person's own that nobody else sees."""
    person = people.here()
    if not people.is_shared() or owner.ident == person.ident:
        return "shared" if owner.shared and people.signs_in() else ""
    if not owner.ident:
        return "everybody's"
    return owner.name or "another browser's"
