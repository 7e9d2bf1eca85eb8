"""Takes in a model that was trained elsewhere: codes, maps and measures of a data set, as a checkpoint among others."""

from __future__ import annotations

import inspect
import json
import platform
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer import datasets
from explorer.checkpoints.exporting import onnx_graph
from explorer.checkpoints.folder import CheckpointInfo, find, is_slug, read, runs_folder, save, trash
from explorer.checkpoints.model import Model, load
from explorer.checkpoints.pairs import ABOUT, Pair, checked, read_pair
from explorer.datasets import ImageDataset, own
from explorer.errors import CheckpointError
from explorer.evaluation.measures import measure
from explorer.evaluation.subject import Progress, Subject
from explorer.files.journal import NEW, new_folder
from explorer.files.owner import NOBODY, Owner, write_owner
from explorer.files.trash import sweep
from explorer.latents import Latents, map_latents
from explorer.models import Adopted
from explorer.models.evaluation import Evaluation, evaluate
from explorer.models.functions import offer

ENCODING = "Encoding the images"
"""What is done once the graphs have been opened."""


@dataclass(frozen=True)
class AdoptedModel:
    """A checkpoint that was made of a model from elsewhere, and sentences on what a person should look into."""

    info: CheckpointInfo
    notes: list[str]


def adopt_folder(
    folder: Path,
    dataset: str | None = None,
    *,
    name: str | None = None,
    owner: Owner = NOBODY,
    root: Path | None = None,
    progress: Progress | None = None,
) -> AdoptedModel:
    """Makes a checkpoint of a folder of ONNX files and `adopt.json`: see `explorer.checkpoints.pairs`.

    Args:
        folder: the folder.
        dataset: whose test images it is shown with, and measured on; None for what `adopt.json` says.
        name: of the checkpoint; None for the folder's.
        owner: whose the checkpoint becomes.
        root: where data sets lie.
        progress: hears what is done, and how far a long measure is.

    Raises:
        CheckpointError: the folder cannot be adopted; one sentence that says why.
        DatasetError: the data set is missing or damaged.
        ValueError: the name is none, or taken.
        OSError: the checkpoint cannot be written.
    """
    pair = read_pair(folder)
    path = _free(name or proposed_name(folder.resolve().name))
    return _adopt(pair, path, dataset, owner, root, progress or (lambda step, done, of: None))


def _adopt(pair: Pair, path: Path, dataset: str | None, owner: Owner, root: Path | None, say: Progress) -> AdoptedModel:
    source = dataset or pair.about.get("dataset")
    if not source:
        raise CheckpointError(f"say whose images it draws, by --dataset or as dataset in {ABOUT}")
    test = datasets.load(source, "test", root=root)
    names = pair.about.get("classes") or test.classes
    network = pair.network(test.image_shape, len(names))
    say(ENCODING, 0, None)
    c, h, w = network.config.image_shape
    test = _named(datasets.load(source, "test", root=root, size=(h, w), channels=c), names)
    only = pair.about.get("only")
    index = torch.arange(len(test)) if only is None else test.positions_of(only)
    test = test.subset(index)
    found = evaluate(network, test.images, test.labels)
    if not (found.posterior.mean.isfinite().all() and found.mse.isfinite().all()):
        raise CheckpointError(f"its codes or images are no finite numbers: is the range in {ABOUT} that of the model?")
    clear_up()
    try:
        with new_folder(path) as fresh:
            checkpoint = _parts(network, found, test, names, index, only)
            save(fresh, **checkpoint)
            subject = Subject.of(load(fresh, device="cpu"), root=root, progress=say)
            checkpoint["metrics"]["measures"] = measure(subject).to_json()
            save(fresh, **checkpoint)
            write_owner(fresh, owner)
            if pair.network_name == "python":
                (fresh / "model.safetensors").chmod(0o600)  # who reads it can ask the process
    except FileExistsError:
        raise _taken(path) from None
    return AdoptedModel(find(f"runs/{path.name}"), doubts(found, test))


def clear_up() -> None:
    """Deletes what processes that were killed have left of models that they were adopting. Never raises."""
    sweep(runs_folder(), NEW, 1.0)  # the lock of a living one keeps it, a moment after the folder is there


def proposed_name(label: str) -> str:
    """A name for the model of a folder or a zip, which may be taken."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label.removesuffix(".zip")).lstrip("._-")[:64] or "adopted"


def adopt(
    encode: Callable[..., Any],
    decode: Callable[..., Any],
    images: str | Tensor | np.ndarray,
    labels: Tensor | np.ndarray | Sequence[int] | None = None,
    *,
    name: str,
    classes: Sequence[str] | None = None,
    root: Path | None = None,
    **about: Any,
) -> Model:
    """Makes a checkpoint of a model that was trained elsewhere: the app lists it with the others.

    PyTorch modules go out as ONNX, and the model is complete. Any other functions run in this process for as long as it
    does: the app asks it, and shows map and stored codes without it. Adopted again under its name, such a model takes
    the place of the former.

    Args:
        encode: images, float32 [N, C, H, W], to a tuple of mean and log variance, or to a code [N, ...]; a module, a
            method of one, or a function of NumPy arrays.
        decode: likewise codes to images; their shape may be flat. One that must be given a second argument gets the
            class of each code, int64 [N].
        images: a data set's name; or uint8 [N, C, H, W], which become the data set `own:NAME`.
        labels: of such images the classes, as positions in `classes`.
        name: of the checkpoint, and of that data set.
        classes: the names of the classes; None for numbers.
        root: where data sets lie.
        about: what else `adopt.json` may say, such as `range=(-1, 1)` or `likelihood="bernoulli"`: see
            `explorer.checkpoints.pairs`.

    Raises:
        ValueError: the name is none, or taken.
        CheckpointError: they cannot be exported, or are no encoder and decoder of such images.
        DatasetError: the data set is missing, or the images cannot be one.
        OSError: files cannot be written.
    """
    parts, conditional = (_module(encode), _module(decode)), _takes_class(decode)
    if None in parts:
        _make_way(name, own_images=not isinstance(images, str), root=root)
    path = _free(name)
    source = images if isinstance(images, str) else _kept(name, torch.as_tensor(images), labels, classes, root)
    told = {key: list(value) if isinstance(value, tuple) else value for key, value in about.items()}
    said = {"dataset": source, **told}
    try:
        if parts[0] is not None and parts[1] is not None:
            with tempfile.TemporaryDirectory() as folder:
                _write_pair(Path(folder), parts[0], parts[1], said, root, told=conditional)
                adopt_folder(Path(folder), name=name, root=root)
        else:
            pair = _functions(encode, decode, checked(lambda: said), root, told=conditional)
            _adopt(pair, path, None, NOBODY, root, lambda step, done, of: None)
    except BaseException:
        if not isinstance(images, str):  # else its name is taken when it is tried again
            own.remove(source.removeprefix("own:"), root)
        raise
    return load(f"runs/{name}", device="cpu")


def _takes_class(decode: Callable[..., Any]) -> bool:
    """Whether a decoder must be given a second argument: it is the class of each code."""
    try:
        parameters = inspect.signature(getattr(decode, "forward", decode)).parameters.values()
    except (TypeError, ValueError):  # one that is not written in Python
        return False
    needed = [one for one in parameters if one.default is one.empty]
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in needed) == 2


def _functions(
    encode: Callable[..., Any], decode: Callable[..., Any], about: dict[str, Any], root: Path | None, *, told: bool
) -> Pair:
    """A pair of functions that this process answers for."""
    shape = _shape(about, root)
    low, _ = about.get("range", (0, 1))
    try:
        found = encode(np.full((2, *shape), low, np.float32))
    except Exception as error:  # whatever a person's function raises
        why = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"encode fails for images of {[2, *shape]}: {type(error).__name__}: {why}") from error
    outputs = ["mean", "logvar"] if isinstance(found, tuple) and len(found) == 2 else ["mean"]
    return Pair(*offer(encode, decode, outputs, told=told), about, "python")


def _shape(about: dict[str, Any], root: Path | None) -> tuple[int, ...]:
    """The shape of an image as the encoder takes it."""
    c, h, w = about.get("image_shape") or datasets.load(about["dataset"], "test", root=root).image_shape
    return (h, w, c) if about.get("layout") == "NHWC" else (c, h, w)


def _make_way(name: str, *, own_images: bool, root: Path | None) -> None:
    """Puts a model of functions under this name into the trash, with its own images: its cell runs again."""
    path = runs_folder() / name
    if is_slug(name) and path.is_dir() and read(path).config.get("model", {}).get("network") == "python":
        trash().put(path)
        if own_images and name in own.names(root):
            own.remove(name, root)


def _write_pair(
    folder: Path, encode: nn.Module, decode: nn.Module, about: dict[str, Any], root: Path | None, *, told: bool
) -> None:
    """Writes encoder and decoder as ONNX, and `adopt.json`."""
    example = torch.zeros(2, *_shape(about, root))
    with torch.no_grad():
        code = encode(example)
    mean = code[0] if isinstance(code, tuple | list) else code
    (folder / "encoder.onnx").write_bytes(onnx_graph("encoder", encode, (example,)))
    codes = (torch.zeros_like(mean), torch.zeros(2, dtype=torch.long))[: 1 + told]
    (folder / "decoder.onnx").write_bytes(onnx_graph("decoder", decode, codes))
    (folder / ABOUT).write_text(json.dumps(about))


def _module(call: Callable[..., Any]) -> nn.Module | None:
    """A module that does what a module, or a method of one, does; None for any other function."""
    if isinstance(call, nn.Module):
        return call.eval()
    owner = getattr(call, "__self__", None)
    if not isinstance(owner, nn.Module):
        return None
    part = nn.Module()
    part.owner, part.forward = owner.eval(), call
    return part


def _kept(
    name: str,
    images: Tensor,
    labels: Tensor | np.ndarray | Sequence[int] | None,
    classes: Sequence[str] | None,
    root: Path | None,
) -> str:
    """Keeps images as a data set of a person's own, and gives its name."""
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(f"images are uint8 [N, C, H, W], not {images.dtype} {list(images.shape)}")
    own.Wanted(size=(images.shape[2], images.shape[3]), channels=images.shape[1])  # refuses what cannot be
    numbers = None if labels is None else torch.as_tensor(labels).long()
    names = list(classes or map(str, range(int(numbers.max()) + 1))) if numbers is not None else []
    data = ImageDataset("the images", "all", images, numbers, names)
    own.derive(name, data, keep=torch.ones(len(images), dtype=torch.bool), classes={}, root=root)
    return f"own:{name}"


def _parts(
    network: Adopted, found: Evaluation, test: ImageDataset, classes: list[str], index: Tensor, only: str | None
) -> dict[str, Any]:
    """What `save` takes of an adopted network, by which the images at `index` of a test set were encoded."""
    latents = replace(Latents.of(found, test.labels, test.group, test.items), index=index)
    latents = map_latents(latents, plane=network.has_plane, final=True)
    tensors, metadata = latents.to_tensors()
    channels, *sides = network.config.image_shape
    config: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": "finished",
        "family": network.family,
        "model": network.config.to_json(),
        "dataset": {
            "name": test.name,
            "test_images": len(test),
            **({"test_sha256": test.fingerprint} if only is None else {"only": only}),
        },
        "preprocessing": {"size": sides, "channels": channels},
        "classes": classes,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    metrics = {
        **found.metrics(),
        "kl_by_latent": found.kl_by_latent(),
        "measured_on": {"dataset": test.name, "split": "test", "device": "cpu", "seed": 0},
    }
    return {
        "config": config,
        "metrics": metrics,
        "history": [],
        "model": dict(network.state_dict()),
        "latents": tensors,
        "latents_metadata": metadata,
    }


def _free(name: str) -> Path:
    """The folder of a new checkpoint of that name. Raises ValueError where it is none, or taken."""
    if not is_slug(name):
        raise ValueError(f"{name!r} cannot be a model's name: use letters, digits, dot, dash and underscore")
    path = runs_folder() / name
    if path.exists():
        raise _taken(path)
    return path


def _taken(path: Path) -> ValueError:
    return ValueError(f"{path} is there already: choose another name")


def _named(test: ImageDataset, names: list[str]) -> ImageDataset:
    """The images with the classes as the model has them: by name where the names are the same, else in their order."""
    if test.labels is None or names == test.classes:
        return test
    if len(names) != len(test.classes):
        raise CheckpointError(f"{ABOUT} names {len(names):,} classes, and {test.name} has {len(test.classes):,}")
    by_name = set(names) == set(test.classes)
    order = [names.index(name) if by_name else place for place, name in enumerate(test.classes)]
    return replace(test, labels=torch.tensor(order)[test.labels], classes=names)


def doubts(found: Evaluation, test: ImageDataset) -> list[str]:
    """Sentences on what looks as if `adopt.json` said something wrong."""
    notes = []
    images = test.images.float() / 255
    if float(found.mse.mean()) > float((images - images.mean(0)).square().mean()):
        notes.append(
            f"its reconstructions are further from the images than the average image is: check range and layout in "
            f"{ABOUT}, and whether it was trained on such images"
        )
    if found.has_prior and float(found.posterior.logvar.min()) > 0:
        notes.append("its log variances are all positive: are they standard deviations?")
    return notes
