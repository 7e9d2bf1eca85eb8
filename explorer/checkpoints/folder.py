"""A checkpoint is a folder: safetensors and JSON, hashed, written together, never unpickled.

| file | what |
|---|---|
| `config.json` | schema version, family, sizes, likelihood, data set, classes, preset, recipe, seed, versions |
| `model.safetensors` | the weights |
| `metrics.json` | final test metrics and where they were measured |
| `history.jsonl` | a line an epoch, written as it ends |
| `latents.safetensors` | the test set: posterior, labels, index, group, terms of the ELBO and the 2-D maps |
| `mapped.safetensors` | of a person's own data set, the same of all its images, those of the training set first |
| `optimizer.safetensors` | only if the run can go on: optimiser, random state, position |
| `SHA256SUMS` | of all the others, as `sha256sum -c` reads it; of the history if the run cannot go on |
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors.torch import save as tensor_bytes
from torch import Tensor

from explorer.checkpoints.schema import SCHEMA, check_config, check_folder, history_line, unreadable
from explorer.errors import CheckpointError, about_weights
from explorer.files import journal, tensors
from explorer.files.json_schema import quoted
from explorer.files.locks import lock
from explorer.files.owner import FILE as OWNER
from explorer.files.owner import NOBODY, Owner, read_owner
from explorer.files.regular import open_regular, read_json, read_regular
from explorer.files.shipped import shipped
from explorer.files.tensors import MOST_BYTES
from explorer.files.trash import Trash
from explorer.models import FAMILIES, LatentModel
from explorer.models.registry import NETWORKS

SHIPPED = shipped("checkpoints")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SUMS = "SHA256SUMS"
_NEEDED = ("config.json", "model.safetensors", "metrics.json", "latents.safetensors")
_RESUME, MAPPED = "optimizer.safetensors", "mapped.safetensors"
MOST_SUMS = 1 << 20  # bytes
MOST_HISTORY = 256 << 20
FILES = (*_NEEDED, "history.jsonl", MAPPED, _RESUME, SUMS)
"""What a checkpoint may consist of."""
_ATTEMPTS = 6  # at reading while another process saves
_EPOCH = datetime.fromtimestamp(0, UTC)
_UNFINISHED = {"failed": "diverged", "cancelled": "stopped", "running": "unfinished"}  # by a run's status


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint as lists show it. `problem` says in one sentence why it cannot be opened, else None.

    `id` is what `load` and URLs take: the folder's name for a shipped one, `runs/NAME` for a person's own. `owner` is
    whose it is, and `latent` how many numbers a code has.
    """

    id: str
    path: Path
    shipped: bool
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    created: datetime = _EPOCH
    problem: str | None = None
    owner: Owner = NOBODY
    latent: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def content(self) -> str:
        """Names its content. Raises OSError."""
        return hashlib.sha256(read_regular(self.path / SUMS, MOST_SUMS)).hexdigest()[:20]

    @property
    def unfinished(self) -> str:
        """How the training of an unfinished model stands, or how it ended; empty for a finished one."""
        how = _UNFINISHED.get(str(self.config.get("status")), "")
        done, planned = self.config.get("epochs_done"), (self.config.get("recipe") or {}).get("epochs")
        known = isinstance(done, int) and isinstance(planned, int)
        return f"{how} after {done:,} of {planned:,} epochs" if how and known else how

    @property
    def trained_on(self) -> str:
        """The data, and the class where it is one alone."""
        data = self.config["dataset"]
        return ", ".join(filter(None, (data["name"], data.get("only"))))

    @property
    def traits(self) -> str:
        """In a line: family, latent size, beta but 1, squared error of the test images, how far its training got.

        No ELBO: in a list, those of other data or likelihoods would stand beside it as if they could be compared.
        """
        model, mse, active = self.config["model"], self.metrics.get("mse"), self.metrics.get("active_units")
        kind = f"{NETWORKS.label(model['network'])} {FAMILIES.label(model['family'])}"
        latents = "1 latent" if self.latent == 1 else f"{self.latent:,} latents"
        if isinstance(active, int) and active < self.latent:
            latents += f", {active:,} active"
        beta = self.config.get("recipe", {}).get("beta", 1)
        weight = f"beta {beta:g}" if isinstance(beta, int | float) and beta != 1 else ""
        quality = f"squared error {mse:.4f}" if isinstance(mse, int | float) else ""
        return " · ".join(filter(None, [kind, latents, weight, quality, self.unfinished]))

    @property
    def summary(self) -> str:
        """One line: what it was trained on, and its traits; or why it cannot be opened."""
        return self.problem or f"{self.trained_on} · {self.traits}"


_sound: dict[tuple[str, Path, bool], tuple[object, CheckpointInfo]] = {}  # with the signature it was read at


def runs_folder() -> Path:
    """Where a person's own checkpoints are: $EXPLORER_RUNS, else `runs` in the working directory."""
    return Path(os.environ.get("EXPLORER_RUNS") or "runs")


def trash() -> Trash:
    """Where a person's own checkpoints are for a day after they were deleted."""
    return Trash(runs_folder() / ".trash", seconds=24 * 3600.0)


def is_slug(name: str) -> bool:
    """Whether a name can be a checkpoint's: letters, digits, dot, dash and underscore, at most 64."""
    return _SLUG.fullmatch(name) is not None


def save(
    path: Path,
    *,
    config: dict[str, Any],
    metrics: dict[str, Any],
    history: list[dict[str, Any]],
    model: dict[str, Tensor],
    latents: dict[str, Tensor],
    latents_metadata: dict[str, str] | None = None,
    mapped: tuple[dict[str, Tensor], dict[str, str]] | None = None,
    resume: dict[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint's files together, or leave what was there; other files of the folder stay.

    `history.jsonl` is only vouched for if the run cannot go on: else it grows between saves.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    files = {
        "config.json": _json({"schema": SCHEMA, **config}),
        "metrics.json": _json(metrics),
        "model.safetensors": tensor_bytes({k: v.detach().cpu().contiguous() for k, v in model.items()}),
        "latents.safetensors": tensor_bytes({k: v.contiguous() for k, v in latents.items()}, latents_metadata),
    }
    if mapped is not None:
        files[MAPPED] = tensor_bytes({k: v.contiguous() for k, v in mapped[0].items()}, mapped[1])
    lines = history_bytes(history)
    if resume is not None:
        files[_RESUME] = tensor_bytes({k: v.detach().cpu().contiguous() for k, v in resume.items()})
    else:
        files["history.jsonl"] = lines
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files |= {"history.jsonl": lines, SUMS: sums.encode()}
    path.mkdir(parents=True, exist_ok=True)
    journal.commit(path, files, remove={_RESUME, MAPPED} - set(files))


def save_measures(path: Path, measures: dict[str, Any]) -> None:
    """Writes what was measured of a checkpoint into its metrics.json, and its hash, together.

    Raises:
        CheckpointError: a process trains it, or it is damaged by now.
        OSError: the disk is full or the folder cannot be written.
    """
    held = lock(path, wait=0)
    if held is None:
        raise CheckpointError(f"{path.name} is being trained: its measures are saved once it rests")
    with held:
        verify(path)
        data = _json({**read_json(path / "metrics.json"), "measures": measures})
        lines = read_regular(path / SUMS, MOST_SUMS).decode().splitlines()
        fresh = f"{hashlib.sha256(data).hexdigest()}  metrics.json"
        sums = "".join(f"{fresh if line.endswith('  metrics.json') else line}\n" for line in lines)
        journal.commit(path, {"metrics.json": data, SUMS: sums.encode()})


def discard_checkpoint(path: Path) -> None:
    """Deletes a checkpoint's files together, if there are any; other files of the folder stay. Raises OSError."""
    journal.commit(path, {}, remove=[*_NEEDED, MAPPED, _RESUME, SUMS])


def history_bytes(history: list[dict[str, Any]]) -> bytes:
    """The lines of a history as history.jsonl has them."""
    return "".join(json.dumps(line) + "\n" for line in history).encode()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def recover(path: Path) -> None:
    """Finish a save that was cut short, if this process may."""
    with contextlib.suppress(OSError, ValueError):  # read-only, or no path at all
        journal.recover(path)


def verify(path: Path) -> None:
    """Raise CheckpointError, with the reason, unless every file is there and is what was written."""
    try:
        text = read_regular(path / SUMS, MOST_SUMS).decode()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{SUMS} is missing or unreadable, so nothing vouches for the files") from error
    for name in (*_NEEDED, *([MAPPED] if (path / MAPPED).exists() else []), *sums):
        if Path(name).name != name:
            raise CheckpointError(f"{SUMS} names a file outside the folder")
        if name not in sums:
            raise CheckpointError(f"{SUMS} does not vouch for {name}")
        file = path / name
        try:
            status = file.stat()
            digest = _digest(str(file), status.st_mtime_ns, status.st_size)
        except OSError as error:
            raise unreadable(name, error) from error
        if digest != sums[name]:
            raise CheckpointError(f"{name} is damaged: it is not what was written")


@lru_cache(maxsize=65_536)
def _digest(path: str, mtime_ns: int, size: int) -> str:
    """SHA-256 of a file; its time and size are only there so that a changed file is read again. Raises OSError."""
    limit = MOST_BYTES if path.endswith(".safetensors") else MOST_HISTORY
    if size > limit:
        raise OSError(errno.EFBIG, f"it has {size >> 20:,} MB, more than the limit of {limit >> 20:,}", path)
    with open_regular(Path(path)) as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def read_config(path: Path) -> tuple[dict[str, Any], LatentModel]:
    """The config of a checkpoint, checked, and its network without memory. Raises CheckpointError."""
    try:
        config = read_json(path / "config.json")
    except OSError as error:
        raise unreadable("config.json", error) from error
    except ValueError as error:
        raise CheckpointError(f"config.json is damaged: {error}") from error
    return config, check_config(config)


def read(path: Path, *, name: str | None = None, shipped: bool = False) -> CheckpointInfo:
    """Look at one folder. Never raises for what is in it: `problem` says what is wrong.

    That takes its JSON files, the headers of its tensors, and the hashes of all files, which are taken once as long as
    a file stays as it is. The numbers of its tensors are looked at when it is opened (`explorer.checkpoints.model`).
    """
    ident = name or (path.name if shipped else f"runs/{path.name}")
    for attempt in range(_ATTEMPTS):
        recover(path)
        before = signature(path)
        key = (ident, path, shipped)
        # A list of a thousand runs is asked for every few seconds. A problem may pass, so only what is sound is kept.
        known = _sound.get(key)
        if known is not None and known[0] == before:
            return known[1]
        info = replace(_read(ident, path, shipped), owner=read_owner(path))
        if before == signature(path) and not journal.pending(path):
            break
        time.sleep(0.02 * attempt)  # a save is just being moved into place: what was read is of two saves
    if not info.problem:
        _sound[key] = (before, info)
    return info


def signature(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file of the checkpoint is written, or when it comes to belong to somebody else."""
    found = []
    for name in (*FILES, OWNER):
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(path / name)
            found.append((name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _read(ident: str, path: Path, shipped: bool) -> CheckpointInfo:
    try:
        config, network = read_config(path)
        if config.get("status") == "failed" and not config.get("epochs_done"):  # as versions up to 0.1 kept it
            raise CheckpointError("its training diverged before the first epoch had ended: there is no model")
        metrics = check_folder(path, config, network)
        verify(path)
        created = datetime.fromisoformat(config["created"])
        if created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        return CheckpointInfo(ident, path, shipped, config, metrics, created, latent=network.latent)
    except CheckpointError as error:
        return CheckpointInfo(ident, path, shipped, problem=f"{error}.")
    except Exception as error:  # a foreign folder may hold anything, and must not take the list down
        return CheckpointInfo(
            ident, path, shipped, problem=f"it cannot be read ({type(error).__name__}: {quoted(str(error))})."
        )


def checkpoints() -> list[CheckpointInfo]:
    """Every checkpoint, shipped and own, newest first; damaged ones too, with their `problem`."""
    found = [read(p, shipped=True) for p in _folders(SHIPPED)]
    found += [read(p) for p in _folders(runs_folder())]
    return sorted(found, key=lambda info: (info.created, info.id), reverse=True)


def shipped_names() -> set[str]:
    """The names of the models that come with the program."""
    return {path.name for path in _folders(SHIPPED)}


def _folders(root: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(root))
    except OSError:  # there is none, or it is another user's
        return []
    return [
        root / name for name in names if is_slug(name) and os.path.isdir(root / name) and not _only_begun(root / name)
    ]


def _only_begun(path: Path) -> bool:
    """Whether this is a run that has not saved a checkpoint yet."""
    # Not Path.exists, which raises in a folder that is another user's.
    return os.path.exists(path / "run.json") and not os.path.exists(path / "config.json") and not journal.pending(path)


def find(name: str | Path) -> CheckpointInfo:
    """The checkpoint of that id, or at that path when it has a separator that no id has.

    A string with `..` in it is refused, as it may come from anywhere: a path that climbs is a `Path`.

    Raises:
        CheckpointError: there is none, or it cannot be used; the message says why.
    """
    text = str(name)
    bare = text.removeprefix("runs/")
    if isinstance(name, str) and ".." in Path(name).parts:
        raise _no_such(text)
    if is_slug(bare):
        shipped = SHIPPED / text
        path = shipped if is_slug(text) and (shipped.is_dir()) else runs_folder() / bare
        info = read(path, shipped=path == shipped)
    else:
        path = Path(name)
        info = read(path, name=text)
    if not os.path.isdir(path):  # which, unlike Path.is_dir, takes a name of any length
        if os.path.isfile(name) and (reason := about_weights(text)):
            raise CheckpointError(f"{text[:200]!r} could not be read: {reason}")
        if os.path.isfile(name):
            raise CheckpointError(f"{text[:200]!r} is a file: a checkpoint is a folder, with a config.json in it")
        raise _no_such(text)
    if info.problem:
        raise CheckpointError(f"checkpoint {text!r} cannot be opened: {info.problem}")
    return info


def _no_such(text: str) -> CheckpointError:
    known = ", ".join(c.id for c in checkpoints()) or "none"
    return CheckpointError(f"there is no checkpoint {text[:200]!r}; there are: {known}")


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU and in memory of their own. Raises CheckpointError."""
    return read_tensors_and_metadata(file)[0]


def read_tensors_and_metadata(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """As `read_tensors`, with the text beside them. Raises CheckpointError."""
    try:
        return tensors.read_tensors(file)
    except OSError as error:
        raise unreadable(file.name, error) from error
    except ValueError as error:
        raise CheckpointError(f"{file.name} is damaged: {error}") from error


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of history.jsonl, oldest first; what is no line of one is left out, such as a last one cut short."""
    try:
        data = read_regular(path / "history.jsonl", MOST_HISTORY)
    except (OSError, ValueError):
        return []
    return [line for text in data.splitlines() if (line := history_line(text)) is not None]
