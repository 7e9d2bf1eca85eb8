"""Declares what a checkpoint's files must hold, and that its parts fit together.

Hashes that agree only say that nobody changed a file after its hash was taken. So whatever a screen reads is checked
here, once: `check_folder`, for lists, looks at the JSON files and at the headers of the tensors, which costs a few
milliseconds; `check_weights` and `check_latents` look at the numbers, when a checkpoint is opened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.errors import CheckpointError
from explorer.files import json_schema as must_be
from explorer.files.regular import json_object, read_json
from explorer.files.tensors import Header, read_header
from explorer.latents.items import Items
from explorer.models import FAMILIES, LatentModel, ModelConfig, build
from explorer.models.base import MOST_GROUPS

SCHEMA = 1
_MOST_CLASSES = 65_536
_MOST_INDEX = 1 << 24  # images of a split: screens keep a row for each
_MOST_CODES = 1 << 28  # numbers, N x D
_LARGEST = 1e15  # of a code: sums of squares of thousands are far from float32's end
_LOGVAR = -1e4, 80.0  # whose exponentials are finite in float32
_KL_APART = 0.02
_APART = 1e-3  # as a share: how far figures of the same may be from each other

_COUNT, _NATS = must_be.whole(0, 10**9), must_be.number()
_SETTING = must_be.either(
    must_be.nothing_or(must_be.flag), must_be.number(), must_be.listed(_COUNT, 100), must_be.text(100)
)
_CONFIG = must_be.table(
    {
        "created": must_be.moment,
        "status": must_be.text(100),
        "message": must_be.text(4000),
        "family": must_be.text(100),
        "model": must_be.table({}),  # of which `ModelConfig` knows more
        "preset": must_be.text(100),
        "recipe": must_be.mapping(_SETTING),
        "dataset": must_be.table(
            {
                "name": must_be.text(5000),
                "train_images": _COUNT,
                "test_images": _COUNT,
                "train_sha256": must_be.text(64),
                "test_sha256": must_be.text(64),
                "only": must_be.text(),
            },
            needed=("name",),
        ),
        "preprocessing": must_be.table({"size": must_be.listed(_COUNT, 2), "channels": _COUNT}),
        "classes": must_be.nothing_or(must_be.listed(must_be.text(), _MOST_CLASSES, unique=True)),
        "seed": must_be.whole(0, 2**63 - 1),
        "device": must_be.text(100),
        "precision": must_be.text(100),
        "threads": _COUNT,
        "weights": must_be.text(100),
        "epochs_done": _COUNT,
        "plan": must_be.listed(_COUNT, 10_000),
        "parts": must_be.listed(
            must_be.table({**dict.fromkeys(("stage", "until", "kept"), _COUNT), "waited": must_be.flag}), 10_000
        ),
        "seconds": must_be.number(0),
        "versions": must_be.mapping(must_be.text(100)),
    },
    needed=("created", "model", "dataset"),
)
_MEASURES = must_be.mapping(
    must_be.either(must_be.mapping(must_be.either(_COUNT, must_be.text(5000))), _NATS)  # `absent` and `measured_on`
)
_METRICS = must_be.table(
    {
        "elbo": must_be.nothing_or(_NATS),
        "reconstruction": _NATS,
        "kl": must_be.nothing_or(_NATS),
        "loss": must_be.nothing_or(must_be.any_number),  # whatever the beta
        "mse": must_be.nothing_or(must_be.number(0)),
        "active_units": _COUNT,
        "n": _COUNT,
        "kl_by_latent": must_be.listed(_NATS, MOST_GROUPS),
        "figures": must_be.mapping(_NATS),
        "measured_on": must_be.mapping(must_be.either(_COUNT, must_be.text(5000))),
        "measures": _MEASURES,
    },
    needed=("reconstruction",),
)
_METRIC = must_be.nothing_or(must_be.any_number)  # a loss may diverge
_LINE = must_be.table(
    {
        "epoch": must_be.whole(1, 10**9),
        **dict.fromkeys(("train", "test"), must_be.nothing_or(must_be.mapping(_METRIC))),
        **dict.fromkeys(("seconds", "images_per_second", "learning_rate", "beta", "noise_variance"), _METRIC),
        "kl_by_latent": must_be.listed(_METRIC, MOST_GROUPS),
        "figures": must_be.mapping(_METRIC),
        "warning": must_be.text(1000),
    },
    needed=("epoch",),
)


def _share(name: str, value: Any) -> None:
    """A figure of a map's quality; NaN, which older versions stored for what is undefined, is left out by screens."""
    if value == value:
        must_be.number(-1.0, 1.001)(name, value)


_QUALITY = must_be.mapping(must_be.mapping(_share))

_FLOAT, _WHOLE = ("F16", "F32"), ("I32", "I64")
_LATENTS: dict[str, tuple[tuple[str, ...], tuple[str | int, ...]]] = {
    "mean": (_FLOAT, ("N", "K")),
    "logvar": (_FLOAT, ("N", "K")),
    "kept_latents": (_WHOLE, ("K",)),
    "mean_average": (_FLOAT, ("D",)),
    "logvar_average": (_FLOAT, ("D",)),
    "kl": (_FLOAT, ("N",)),
    "reconstruction": (_FLOAT, ("N",)),
    "index": (_WHOLE, ("N",)),
    "codebook": (_FLOAT, ("C", "E")),
    "entries": (("U8", "I32"), ("N", "L")),
    "kl_by_group": (_FLOAT, ("G",)),
    "labels": (_WHOLE, ("N",)),
    "group": (_WHOLE, ("N",)),
    "items": (("U8",), ("B",)),
    "map_umap": (_FLOAT, ("N", 2)),
    "map_pca": (_FLOAT, ("N", 2)),
    "map_pca_mean": (_FLOAT, ("D",)),
    "map_pca_components": (_FLOAT, (2, "D")),
}
"""The tensors of latents.safetensors: types and shape, for N images, D latents, K of them stored, G groups.

Codes that are made of C entries of a codebook, of E numbers each, are stored by which L entries they are.
"""
_MAY_LACK = {
    "codebook",
    "entries",
    "kl_by_group",
    "labels",
    "group",
    "items",
    "map_umap",
    "map_pca",
    "map_pca_mean",
    "map_pca_components",
}
_TOGETHER = ("map_pca", "map_pca_mean", "map_pca_components")


def check_config(config: dict[str, Any]) -> LatentModel:
    """Checks a config.json, and gives the network that it describes, on the meta device: it has no memory.

    Raises:
        CheckpointError: it is not a checkpoint's, or its parts do not fit together.
    """
    schema = config.get("schema")
    if type(schema) is not int or schema < 1:
        raise CheckpointError("config.json is not a Latent Explorer checkpoint's: it has no schema version")
    if schema > SCHEMA:
        raise CheckpointError(
            f"it was written by a newer version (schema {must_be.quoted(schema)}; this one reads up to {SCHEMA})"
        )
    model, dataset = config.get("model"), config.get("dataset")
    if not isinstance(model, dict) or not isinstance(dataset, dict) or not isinstance(dataset.get("name"), str):
        raise CheckpointError("config.json is incomplete: its model or data set is missing")
    if model.get("family") not in FAMILIES:
        raise CheckpointError(f"its model family {must_be.quoted(model.get('family'))} is unknown to this version")
    try:
        _CONFIG("", config)
        settings = ModelConfig.from_json(model)
        with torch.device("meta"):
            network = build(settings)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"config.json is damaged: {error}") from error
    recipe, classes = config.get("recipe") or {}, config.get("classes") or []
    others = [name for name, value in settings.to_json().items() if name in recipe and recipe[name] != _listed(value)]
    if config.get("family", settings.family) != settings.family:
        others.append("family")
    if others:
        raise CheckpointError(f"config.json is damaged: {others[0]} of its recipe is not that of its model")
    if "recipe" in config and settings.family not in list(FAMILIES):  # those that cannot be chosen
        raise CheckpointError("config.json is damaged: its model was trained elsewhere, and has a recipe")
    if network.reads_classes(settings) and settings.classes != len(classes):
        raise CheckpointError(
            f"config.json is damaged: its model is told {settings.classes:,} classes, and {len(classes):,} are named"
        )
    if (only := dataset.get("only")) is not None and only not in classes:
        raise CheckpointError("config.json is damaged: the class that it was trained on is none of its classes")
    channels, *sides = settings.image_shape
    prepared = config.get("preprocessing") or {}
    if prepared.get("channels", channels) != channels or prepared.get("size", sides) != sides:
        raise CheckpointError("config.json is damaged: its images are prepared in another shape than its model's")
    return network


def check_folder(path: Path, config: dict[str, Any], network: LatentModel) -> dict[str, Any]:
    """Checks the other files of a checkpoint, of tensors only the headers, and gives its metrics.

    Raises:
        CheckpointError: a file is not what it must be, or they do not fit together.
    """
    try:
        metrics = read_json(path / "metrics.json")
        _METRICS("", metrics)
    except OSError as error:
        raise unreadable("metrics.json", error) from error
    except ValueError as error:
        raise CheckpointError(f"metrics.json is damaged: {error}") from error
    for name, there in (("elbo", network.has_elbo), ("kl", network.has_prior)):
        if (metrics.get(name) is None) == there:
            kind = FAMILIES.label(network.family)
            raise CheckpointError(f"metrics.json is damaged: its {name} is not one of a model of its kind, {kind}")
    fit = metrics["reconstruction"]
    if network.has_elbo and not _close(metrics["elbo"], fit - metrics["kl"], abs(fit) + abs(metrics["kl"])):
        raise CheckpointError("metrics.json is damaged: its ELBO is not its reconstruction less its KL")
    if metrics.get("active_units", 0) > network.latent:
        raise CheckpointError("metrics.json is damaged: more latents are active than its model has")
    if len(metrics.get("kl_by_latent", network.groups)) != len(network.groups):
        raise CheckpointError("metrics.json is damaged: kl_by_latent is of another number of latents than its model's")
    _check_weights_header(_header(path / "model.safetensors"), network)
    n = _check_latents_header(_header(path / "latents.safetensors"), "latents.safetensors", config, network)
    if (path / "mapped.safetensors").exists():
        _check_latents_header(_header(path / "mapped.safetensors"), "mapped.safetensors", config, network)
    counts = {"metrics.json": metrics.get("n", n), "config.json": config["dataset"].get("test_images", n)}
    for file, count in counts.items():
        if count != n:
            raise CheckpointError(
                f"its files do not fit together: latents.safetensors has {n:,} images, {file} {count:,}"
            )
    return metrics


def unreadable(name: str, error: OSError) -> CheckpointError:
    """The error for a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"{name} is missing")
    return CheckpointError(f"{name} cannot be read: {error.strerror or error}")


def _header(file: Path) -> Header:
    try:
        return read_header(file)
    except OSError as error:
        raise unreadable(file.name, error) from error
    except ValueError as error:
        raise CheckpointError(f"{file.name} is damaged: {error}") from error


def _check_weights_header(header: Header, network: LatentModel) -> None:
    expected = network.state_dict()
    if set(header.tensors) != set(expected):
        odd = min(set(header.tensors) ^ set(expected))
        raise CheckpointError(f"model.safetensors is damaged: its weights do not fit its config ({odd[:100]})")
    for name, tensor in expected.items():
        kind, shape = header.tensors[name]
        kinds = (*_FLOAT, "BF16", "F64") if tensor.is_floating_point() else ("U8", *_WHOLE)
        if kind not in kinds or shape != tuple(tensor.shape):
            raise CheckpointError(f"model.safetensors is damaged: its weights do not fit its config ({name})")


def _check_latents_header(header: Header, file: str, config: dict[str, Any], network: LatentModel) -> int:
    """Checks names, types and shapes of the stored codes, and gives how many there are."""
    sizes: dict[str | int, int] = {"D": network.latent, "G": len(network.groups)}
    wrong = f"{file} is damaged:"
    for name, (kinds, dimensions) in _LATENTS.items():
        if name not in header.tensors:
            if name in _MAY_LACK:
                continue
            raise CheckpointError(f"{wrong} {name} is missing")
        kind, shape = header.tensors[name]
        if kind not in kinds:
            raise CheckpointError(f"{wrong} {name} is of type {kind[:10]}")
        if len(shape) == len(dimensions):
            for dimension, size in zip(dimensions, shape, strict=True):
                if isinstance(dimension, str):
                    sizes.setdefault(dimension, size)
        wanted = tuple(sizes.get(dimension, dimension) for dimension in dimensions)
        if shape != wanted:
            raise CheckpointError(f"{wrong} {name} has the shape {list(shape)}, not {list(wanted)}")
    n = sizes["N"]
    if not 1 <= n * network.latent <= _MOST_CODES or sizes["K"] > network.latent:
        raise CheckpointError(f"{wrong} it cannot hold {n:,} codes, {sizes['K']:,} of {network.latent:,} latents")
    if len({name in header.tensors for name in ("codebook", "entries")}) > 1:
        raise CheckpointError(f"{wrong} it has a codebook or entries of one, and not both")
    if "entries" in header.tensors and sizes["L"] * sizes["E"] != network.latent:
        raise CheckpointError(f"{wrong} its codes are not {sizes['L']:,} entries of {sizes['E']:,} numbers")
    if len({name in header.tensors for name in _TOGETHER}) > 1:
        raise CheckpointError(f"{wrong} of its map_pca a part is missing")
    if network.latent != 2 and "map_pca" not in header.tensors:
        raise CheckpointError(f"{wrong} map_pca is missing")
    if "labels" in header.tensors and not config.get("classes"):
        raise CheckpointError(f"{wrong} it has labels, and config.json no classes")
    try:
        quality = json.loads(header.metadata.get("quality", "{}"))
        groups = json.loads(header.metadata.get("groups", "[]"))
        _QUALITY("quality", quality)
        must_be.listed(must_be.text(), n, unique=True)("groups", groups)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{wrong} {error}") from error
    if ("group" in header.tensors) != bool(groups):
        raise CheckpointError(f"{wrong} its groups are not named")
    return n


def history_line(line: bytes) -> dict[str, Any] | None:
    """Reads a line of history.jsonl; None for what is none. Numbers may be NaN or infinite."""
    try:
        value = json_object(line)
        _LINE("", value)
    except ValueError:
        return None
    return value


def check_weights(weights: dict[str, Tensor]) -> None:
    """Checks the numbers of the weights. Raises CheckpointError."""
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"model.safetensors is damaged: {name} has values that are no finite numbers")
        last = name.rpartition(".")[2]
        if (last == "running_var" and (tensor < 0).any()) or (last == "noise_variance" and (tensor <= 0).any()):
            raise CheckpointError(f"model.safetensors is damaged: {name} has values that are no variances")


def check_latents(
    tensors: dict[str, Tensor],
    metadata: dict[str, str],
    config: dict[str, Any],
    metrics: dict[str, Any],
    file: str = "latents.safetensors",
) -> None:
    """Checks the numbers of the stored codes, whose header has been checked, and that their averages are the metrics'.

    `file` is where they are from; with metrics that lack an average nothing is compared with it.

    Raises:
        CheckpointError: a number cannot be, or belongs to nothing that is there.
    """
    wrong = f"{file} is damaged:"
    for name, (kinds, _) in _LATENTS.items():
        if kinds is not _FLOAT or name not in tensors:
            continue
        tensor = tensors[name]
        low, high = _LOGVAR if name.startswith("logvar") else (-_LARGEST, _LARGEST)
        if name.startswith("logvar") and torch.isneginf(tensor).all():
            continue  # of codes without a distribution
        if not ((tensor >= low) & (tensor <= high)).all():
            raise CheckpointError(f"{wrong} {name} has values that cannot be")
    groups = json.loads(metadata.get("groups", "[]"))
    limits = {
        "kept_latents": (len(tensors["mean_average"]), "latents"),
        "index": (_MOST_INDEX, "images at the most"),
        "entries": (len(tensors.get("codebook", ())), "entries of a codebook"),
        "labels": (len(config.get("classes") or []), "classes"),
        "group": (len(groups), "groups"),
    }
    for name, (limit, what) in limits.items():
        if name not in tensors or not tensors[name].numel():
            continue
        tensor = tensors[name]
        if not 0 <= int(tensor.min()) <= int(tensor.max()) < limit:
            span = f"{int(tensor.min()):,} to {int(tensor.max()):,}"
            raise CheckpointError(f"{wrong} {name} runs from {span}, and there are {limit:,} {what}")
    if "items" in tensors:
        try:
            count = len(Items.from_tensor(tensors["items"]))
        except ValueError as error:
            raise CheckpointError(f"{wrong} {error}") from error
        if count != len(tensors["index"]):
            raise CheckpointError(f"{wrong} it names {count:,} files of {len(tensors['index']):,} images")
    for name in ("kept_latents", "index"):
        if len(tensors[name].unique()) < len(tensors[name]):
            raise CheckpointError(f"{wrong} {name} names one twice")
    if "only" not in config["dataset"] and int(tensors["index"].max()) >= len(tensors["index"]):
        raise CheckpointError(f"{wrong} index names images that the test set has not")
    for name in ("reconstruction", "kl"):
        average = float(tensors[name].double().mean())
        if (stored := metrics.get(name)) is not None and not _close(average, stored, abs(stored)):
            raise CheckpointError(
                f"its files do not fit together: {name} is {stored:,.3f} in metrics.json, and {average:,.3f} on "
                "average in latents.safetensors"
            )


def check_kl(kl: Float[Tensor, " g"] | None, metrics: dict[str, Any]) -> None:
    """Checks that the KL of each group of latents, as it is stored or as codes have it, is that of the metrics.

    Raises:
        CheckpointError: it is another.
    """
    stored = metrics.get("kl_by_latent")
    if kl is None or stored is None:
        return
    told = torch.tensor(stored)
    if ((kl - told).abs() > _KL_APART * (1 + told.abs())).any():  # rounded, and codes may be stored in half precision
        raise CheckpointError("its files do not fit together: the KL of its codes is not that in metrics.json")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _close(one: float, other: float, scale: float) -> bool:
    return abs(one - other) <= _APART * (1 + scale)
