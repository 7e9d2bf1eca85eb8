"""Damaged checkpoint and run folders, one fault each, with hashes that agree as a rule.

    rng = random.Random(seed)
    shutil.copytree(sound, folder)
    print(damage(folder, rng))

The same folder and the same state of `rng` give the same fault. A folder beside it, if there is one, lends its files to
some of the faults.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load, save

_JSON = ("config.json", "metrics.json", "run.json", "state.json", "frames/index.json")
_TENSORS = ("model.safetensors", "latents.safetensors", "optimizer.safetensors")
_SUMS = "SHA256SUMS"
_MOST_HASHED = 1 << 28  # bytes: a file of terabytes, most of it a hole, is not read to vouch for it

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 4, 0.5, 7.25, 10**6, 2**31 - 1, 2**63, -(2**63), 10**399, -(10**399)),
    *(1e308, -1e308, 1e-320, float("nan"), float("inf"), float("-inf")),
    *("", "x", "0", "7", "nan", "é" * 300, "y" * 1_000_000, "a\nb", "\x00", "\u202e", "<b>b</b>", "../..", "**b**"),
    *([], [[]], [0], [1, 2], [None], ["x"], [1] * 100_000, {}, {"x": 1}, {"": {}}, [{}]),
)
"""What takes the place of a value of a JSON file, whatever it was."""


def damage(folder: Path, rng: Random, kind: str | None = None) -> str:
    """Puts one fault into a checkpoint or run folder, and says in a line which.

    Args:
        folder: the folder of a sound checkpoint or run, which is changed.
        rng: what the fault is drawn by.
        kind: a name in `KINDS`; by default one is drawn.
    """
    kind = kind or rng.choice(list(KINDS))
    said = KINDS[kind](folder, rng)
    if rng.random() < 0.1:
        return f"{kind}: {said}, and the hashes are left"
    vouch(folder)
    return f"{kind}: {said}"


def vouch(folder: Path) -> None:
    """Makes the hashes of a checkpoint agree with its files, as somebody would who means the change."""
    sums = folder / _SUMS
    if not sums.is_file() or sums.stat().st_size > _MOST_HASHED:
        return
    lines = []
    for line in sums.read_text("utf-8", "replace").splitlines():
        name = line.partition("  ")[2]
        file = folder / Path(name).name
        if file.is_file() and file.stat().st_size < _MOST_HASHED:
            line = f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}"
        lines.append(line)
    sums.write_text("\n".join(lines) + "\n", "utf-8")


def _files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]


def _any_file(folder: Path, rng: Random) -> Path:
    names = (*_JSON, *_TENSORS, "history.jsonl", _SUMS)
    return rng.choice(_files(folder, names))


def _bytes(folder: Path, rng: Random) -> str:
    """Some bytes of a file flipped, inserted or left out, or its end cut off."""
    file = _any_file(folder, rng)
    data = bytearray(file.read_bytes())
    # Headers and short values matter more than the millionth weight.
    place = rng.randrange(min(len(data), rng.choice((64, 4096, len(data)))) or 1)
    how = rng.choice(("flipped", "overwritten", "inserted", "left out", "cut off"))
    count = rng.choice((1, 2, 8, 100))
    if how == "flipped":
        data[place : place + 1] = bytes([data[place] ^ (1 << rng.randrange(8))]) if data else b""
    elif how == "overwritten":
        data[place : place + count] = rng.randbytes(count)
    elif how == "inserted":
        data[place:place] = rng.randbytes(count)
    elif how == "left out":
        del data[place : place + count]
    else:
        del data[place:]
    file.write_bytes(data)
    return f"{file.name} has bytes {how} at {place}"


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values within a JSON value; of a long list only some."""
    found = [before] if before else []
    items = value.items() if isinstance(value, dict) else enumerate(value[:5]) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*before, key))
    return found


def _edit_json(folder: Path, rng: Random, edit: Callable[[Any, Any, Random], str]) -> str:
    """Changes one value of a JSON file, of a line of the history, or of the metadata of the codes."""
    file = rng.choice(_files(folder, (*_JSON, "history.jsonl", "latents.safetensors")))
    if file.name == "latents.safetensors":
        tensors, metadata = _read(file)
        name = rng.choice(sorted(metadata))
        holder: Any = {name: json.loads(metadata[name])}
    elif file.name == "history.jsonl":
        lines = file.read_text("utf-8").splitlines()
        row = rng.randrange(len(lines))
        holder = json.loads(lines[row])
    else:
        holder = json.loads(file.read_text("utf-8"))
    path = rng.choice(_paths(holder))
    inside = holder
    for key in path[:-1]:
        inside = inside[key]
    said = edit(inside, path[-1], rng)
    if file.name == "latents.safetensors":
        metadata |= {str(k): json.dumps(v) for k, v in holder.items()}
        file.write_bytes(save(tensors, metadata))
    elif file.name == "history.jsonl":
        lines[row] = json.dumps(holder)
        file.write_text("\n".join(lines) + "\n", "utf-8")
    else:
        file.write_text(json.dumps(holder), "utf-8")
    return f"{file.name}: {'.'.join(map(str, path))} {said}"


def _replaced(inside: Any, key: Any, rng: Random) -> str:
    inside[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return f"is {json.dumps(inside[key])[:60]}"


def _reshaped(inside: Any, key: Any, rng: Random) -> str:
    how = rng.choice(("gone", "renamed", "in a list", "twice", "as text", "off by one", "in another case"))
    value = inside[key]
    if how == "gone":
        del inside[key]
    elif how == "renamed" and isinstance(inside, dict):
        inside[f"{key}2"] = inside.pop(key)
    elif how == "twice" and isinstance(value, list):
        inside[key] = value * 2
    elif how == "off by one" and isinstance(value, int | float):
        inside[key] = value + rng.choice((-1, 1))
    elif how == "in another case" and isinstance(value, str):
        inside[key] = value.swapcase()
    elif how == "as text":
        inside[key] = json.dumps(value)
    else:
        inside[key] = [value]
    return f"is {how}"


def _json_value(folder: Path, rng: Random) -> str:
    """A value of another type or beyond all limits."""
    return _edit_json(folder, rng, _replaced)


def _json_shape(folder: Path, rng: Random) -> str:
    """A value that is missing, has another name, or is slightly another."""
    return _edit_json(folder, rng, _reshaped)


def _json_text(folder: Path, rng: Random) -> str:
    """A file that is no JSON object at all, or one that is nested without end."""
    file = rng.choice(_files(folder, (*_JSON, "history.jsonl")))
    text = rng.choice(("", "{", "[]", "null", "7", '"x"', "[" * 100_000, '{"a":' * 100_000, "\x00" * 99, "{}\n" * 9999))
    file.write_text(text)
    return f"{file.name} is {text[:10]!r}, {len(text)} characters"


def _read(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    with safe_open(file, framework="np") as stored:
        metadata = dict(stored.metadata() or {})
    return load(file.read_bytes()), metadata


def _edit_tensor(folder: Path, rng: Random, edit: Callable[[dict[str, np.ndarray], str, Random], str]) -> str:
    file = rng.choice(_files(folder, _TENSORS))
    if rng.random() < 0.5:
        file = folder / "latents.safetensors"
    tensors, metadata = _read(file)
    name = rng.choice(sorted(tensors))
    said = edit(tensors, name, rng)
    file.write_bytes(save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata))
    return f"{file.name}: {name} {said}"


def _values(tensors: dict[str, np.ndarray], name: str, rng: Random) -> str:
    array = tensors[name] = tensors[name].copy()
    flat = array.reshape(-1)
    if not len(flat):
        return "is empty anyway"
    odd: tuple[float, ...] = (np.nan, np.inf, -np.inf, 1e38, -1e38, 0.0)
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        odd = (-1, -2, limits.max, limits.min, len(flat), 10**4, int(flat[0]))
    value = rng.choice(odd)
    where = rng.choice((slice(0, 1), slice(-1, None), slice(len(flat) // 2, None), slice(None)))
    with np.errstate(all="ignore"):
        flat[where] = np.asarray(value).astype(array.dtype)
    return f"is {value} at {where}"


def _shapes(tensors: dict[str, np.ndarray], name: str, rng: Random) -> str:
    array = tensors[name]
    types = ("as float64", "as int64", "as uint8")
    how = rng.choice(("shorter", "longer", "empty", "flat", "turned", "one deeper", *types))
    if how == "shorter":
        array = array[:-1] if array.ndim else array
    elif how == "longer":
        array = np.concatenate([array, array[:1]]) if array.ndim else array[None]
    elif how == "empty":
        array = array[:0] if array.ndim else array[None][:0]
    elif how == "flat":
        array = array.reshape(-1)
    elif how == "turned":
        array = array.T
    elif how == "one deeper":
        array = array[None]
    else:
        with np.errstate(all="ignore"):
            array = array.astype(how.removeprefix("as "))
    tensors[name] = array
    return f"is {how}"


def _names(tensors: dict[str, np.ndarray], name: str, rng: Random) -> str:
    how = rng.choice(("gone", "renamed", "doubled", "the values of another", "exchanged for another"))
    other = rng.choice(sorted(tensors))
    if how == "gone":
        del tensors[name]
    elif how == "renamed":
        tensors[f"{name}2"] = tensors.pop(name)
    elif how == "doubled":
        tensors[f"{name}2"] = tensors[name]
    elif how == "the values of another":
        tensors[name] = tensors[other]
    else:
        tensors[name], tensors[other] = tensors[other], tensors[name]
    return f"is {how} ({other})"


def _tensor_values(folder: Path, rng: Random) -> str:
    """Numbers that are not finite, negative, or out of all range."""
    return _edit_tensor(folder, rng, _values)


def _tensor_shape(folder: Path, rng: Random) -> str:
    """A tensor of another length, rank or type than the others."""
    return _edit_tensor(folder, rng, _shapes)


def _tensor_names(folder: Path, rng: Random) -> str:
    """A tensor that is missing, or in another's place."""
    return _edit_tensor(folder, rng, _names)


def _swapped(folder: Path, rng: Random) -> str:
    """A file of the folder in the place of another, or that of another folder."""
    file = _any_file(folder, rng)
    beside = [place / file.name for place in sorted(folder.parent.iterdir()) if place != folder]
    beside = [other for other in beside if other.is_file() and other.read_bytes() != file.read_bytes()]
    if beside and rng.random() < 0.6:
        other = rng.choice(beside)
        file.write_bytes(other.read_bytes())
        return f"{file.name} is that of {other.parent.name}"
    other = _any_file(folder, rng)
    one, two = file.read_bytes(), other.read_bytes()
    file.write_bytes(two)
    other.write_bytes(one)
    return f"{file.name} and {other.name} are exchanged"


def _no_file(folder: Path, rng: Random) -> str:
    """What is no regular file: a pipe, a device that never ends, a folder, a link to itself, a hole of terabytes."""
    file = _any_file(folder, rng)
    if rng.random() < 0.2:
        file = folder / rng.choice(("cancel", "log.txt", "run.json", "state.json", ".commit/.plan"))
        file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    how = rng.choice(("a pipe", "a device", "a folder", "a link to itself", "a link to nothing", "a hole", "gone"))
    if how == "a pipe":
        os.mkfifo(file)
    elif how == "a device":
        file.symlink_to("/dev/zero")
    elif how == "a folder":
        file.mkdir()
    elif how == "a link to itself":
        file.symlink_to(file)
    elif how == "a link to nothing":
        file.symlink_to(folder / "nowhere")
    elif how == "a hole":
        with open(file, "wb") as stream:
            stream.truncate(1 << 40)
    return f"{file.name} is {how}"


def _extreme(folder: Path, rng: Random) -> str:
    """What has taken a screen or a server down before."""
    how = rng.choice(
        ("ELBO of 400 digits", "100,000 widths", "NaN weights", "label of 2^31-1", "index of 2^31-1", "group of -1")
    )
    if how in ("ELBO of 400 digits", "100,000 widths"):
        file = folder / ("metrics.json" if how.startswith("ELBO") else "config.json")
        holder = json.loads(file.read_text("utf-8"))
        if how.startswith("ELBO"):
            holder["elbo"] = 10**399
        else:
            holder["model"]["encoder"] = [1] * 100_000
        file.write_text(json.dumps(holder), "utf-8")
        return how
    file = folder / ("model.safetensors" if how.startswith("NaN") else "latents.safetensors")
    tensors, metadata = _read(file)
    if how.startswith("NaN"):
        tensors = {k: np.full_like(v, np.nan) if v.dtype.kind == "f" else v for k, v in tensors.items()}
    else:
        name = {"label": "labels", "index": "index", "group": "group"}[how.split()[0]]
        rows = len(tensors["index"])
        array = np.array(tensors.get(name, np.zeros(rows, np.int32)))
        array[rng.randrange(rows)] = -1 if name == "group" else 2**31 - 1
        tensors[name] = array
        if name == "group":
            metadata.setdefault("groups", json.dumps(["one", "two"]))
    file.write_bytes(save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata))
    return how


KINDS: dict[str, Callable[[Path, Random], str]] = {
    "bytes": _bytes,
    "JSON value": _json_value,
    "JSON shape": _json_shape,
    "JSON text": _json_text,
    "tensor values": _tensor_values,
    "tensor shape": _tensor_shape,
    "tensor names": _tensor_names,
    "swapped files": _swapped,
    "no file": _no_file,
    "extreme": _extreme,
}
"""The kinds of faults, by name."""
