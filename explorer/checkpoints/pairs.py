"""A model from elsewhere as a folder: `encoder.onnx`, `decoder.onnx`, and `adopt.json`, which says what they take.

| name in `adopt.json` | what |
|---|---|
| `dataset` | whose images it is shown with, as `data list` names them |
| `range` | the values of black and white as the model has them: `[0, 1]` where it is not given |
| `likelihood`, `noise_variance` | p(x\\|z), where it is known: without one there is no ELBO |
| `prior` | `"normal"`, or null where codes do not follow N(0, I) |
| `classes` | names of the classes, in the order of a conditional decoder's |
| `outputs` | the names of the encoder's mean and log variance, where it has further outputs |
| `only` | the class of the data set that it was trained on alone |
| `binarise` | true for a Bernoulli likelihood of pixels drawn on or off by their gray |
| `layout`, `image_shape` | `"NCHW"` or `"NHWC"`, and channels, height and width, where the graphs do not tell |
"""

from __future__ import annotations

import json
import math
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch

from explorer.checkpoints.model import Model
from explorer.errors import CheckpointError, DatasetError, about_weights
from explorer.files import json_schema as must_be
from explorer.files.regular import json_object, read_json, read_regular
from explorer.files.zips import Member, copy_member, members, open_zip, read_member
from explorer.models import Adopted, AdoptedConfig
from explorer.models.adopted import LAYOUTS
from explorer.models.base import NORMAL
from explorer.models.graphs import Graph, at_once, parse, tensors
from explorer.models.registry import LIKELIHOODS

FILES = ("encoder.onnx", "decoder.onnx")
ABOUT = "adopt.json"
HOW = "docs/adopt-a-model.md"
MOST_GRAPH = (2 << 30) - 1  # bytes: protobuf's own limit
_MOST_FILES, _MOST_ABOUT = 1_000, 1 << 20  # in a zip; bytes of adopt.json there

_LIKELIHOODS = [name for name, one in LIKELIHOODS.items() if not one.learns_noise and one().parameters(1) == 1]


def _one_of(*names: str) -> must_be.Check:
    def check(name: str, value: Any) -> None:
        if value not in names:
            raise must_be.refusal(name, f"one of {', '.join(names)}", value)

    return check


_ABOUT = must_be.table(
    {
        "dataset": must_be.text(5000),
        "range": must_be.listed(must_be.number(), 2, least=2),
        "classes": must_be.nothing_or(must_be.listed(must_be.text(), 65_536, unique=True)),
        "likelihood": must_be.nothing_or(_one_of(*_LIKELIHOODS)),
        "noise_variance": must_be.number(1e-9),
        "prior": must_be.nothing_or(_one_of("normal")),
        "outputs": must_be.listed(must_be.text(), 2, least=1),
        "layout": _one_of(*LAYOUTS),
        "image_shape": must_be.listed(must_be.whole(1, 1024), 3, least=3),
        "binarise": must_be.flag,
        "only": must_be.text(),
    }
)


@dataclass(frozen=True)
class Pair:
    """The two graphs with all their weights, and what `adopt.json` says; or two functions, as `offer` gives them."""

    encoder: bytes
    decoder: bytes
    about: dict[str, Any]
    network_name: str = "onnx"

    def network(self, usual: tuple[int, int, int], classes: int) -> Adopted:
        """Makes the model for images whose usual shape is (C, H, W), where the graphs leave that open.

        Args:
            classes: how many the images have: a decoder that is told the class is told one of these.

        Raises:
            CheckpointError: the graphs cannot be run, or are no encoder and decoder of images.
        """
        try:
            return self._network(usual, classes)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"the pair cannot be adopted: {error}") from error

    def _network(self, usual: tuple[int, int, int], classes: int) -> Adopted:
        about = self.about
        encode, decode = (Graph(graph, self.network_name) for graph in (self.encoder, self.decoder))
        if len(encode.inputs) != 1 or len(decode.inputs) > 2:
            raise ValueError(
                "an encoder takes images alone, a decoder codes, and the class of each where it is told one"
            )
        if len(decode.inputs) == 2 and not classes:
            raise ValueError("the decoder is told the class, and the images have none")
        mean, logvar = _outputs(encode, about)
        layout, shape = _image(list(encode.inputs[0].shape or ()), about, usual)
        blank = np.zeros((2, *(shape if layout == "NCHW" else (*shape[1:], shape[0]))), np.float32)
        codes = encode(blank)[mean]
        low, high = map(float, about.get("range", (0, 1)))
        scale = (high - low) ** 2 or 1.0  # what is wrong with the range is said below
        likelihood = about.get("likelihood") or "unknown"
        config = AdoptedConfig(
            family=Adopted.family,
            network=self.network_name,
            latent=math.prod(codes.shape[1:]),
            encoder=(),
            decoder=(),
            likelihood=likelihood,
            output="sigmoid" if LIKELIHOODS[likelihood].binary else "linear",
            binarise=about.get("binarise", False),
            noise_variance=about.get("noise_variance", 0.5) / scale,
            image_shape=shape,
            classes=classes if len(decode.inputs) == 2 else 0,
            encoder_bytes=len(self.encoder),
            decoder_bytes=len(self.decoder),
            has_prior=logvar >= 0 and about.get("prior", "normal") is not None,
            mean_output=mean,
            logvar_output=logvar,
            code_shape=codes.shape[1:] or (1,),
            layout=layout,
            low=low,
            high=high,
        )
        network = Adopted(config).eval()
        network.encoder = torch.frombuffer(bytearray(self.encoder), dtype=torch.uint8)
        network.decoder = torch.frombuffer(bytearray(self.decoder), dtype=torch.uint8)
        network.decode(torch.from_numpy(codes).reshape(len(codes), -1).float())  # says what is wrong with it
        most = torch.zeros(at_once(config.pixels), *shape)  # in the process that adopts, which has bounded memory
        network.decode(network.posterior(most).mean)
        return network


@contextmanager
def pair_folder(path: Path, label: str) -> Iterator[Path]:
    """Gives the folder of a model from elsewhere: the one at `path`, or what a zip of it holds, unpacked for a while.

    Args:
        path: of the folder or the zip.
        label: what sentences call it.

    Raises:
        CheckpointError: it is neither, is damaged or too large, or names a place outside; one sentence.
    """
    _refuse_weights(path)
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="latent-explorer-pair-") as place:
        folder = Path(place, "pair")
        folder.mkdir()
        with _zipped(path, label) as (archive, found):
            for parts, info in found:
                file = folder.joinpath(*parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                with open(file, "xb") as out:
                    copy_member(archive, info, out)
        yield folder


def named_dataset(path: Path, label: str) -> str:
    """Reads in `adopt.json`, in a folder or a zip of it, whose images the model draws; empty where it does not say.

    Raises:
        CheckpointError: as `pair_folder`, or `adopt.json` or a graph is missing or not what it must be.
    """
    _refuse_weights(path)
    if not path.is_file():
        _check_files(path.name, {file.name for file in path.iterdir()} if path.is_dir() else set())
        return str(_about(path).get("dataset", ""))
    with _zipped(path, label) as (archive, found):
        files = {parts[0]: info for parts, info in found if len(parts) == 1}
        _check_files(label, files)
        if files[ABOUT].file_size > _MOST_ABOUT:
            raise CheckpointError(f"{ABOUT} is too large")
        return str(checked(lambda: json_object(read_member(archive, files[ABOUT]))).get("dataset", ""))


@contextmanager
def _zipped(path: Path, label: str) -> Iterator[tuple[ZipFile, list[Member]]]:
    """Opens a zip of such a folder, with the files of that folder alone, by their paths within it."""
    if reason := about_weights(label):
        raise CheckpointError(f"{label} could not be read: {reason}")
    try:
        with open_zip(path, label, _MOST_FILES) as archive:
            found, _ = members(archive, label, 2 * MOST_GRAPH)
            tops = {parts[:-1] for parts, _ in found if parts[-1] in (*FILES, ABOUT)}
            weights = [parts[-1] for parts, _ in found if about_weights(parts[-1])]
            if len(tops) != 1:
                for name in weights[:1]:
                    raise CheckpointError(f"{name} could not be read: {about_weights(name)}")
                raise CheckpointError(f"{label} must hold {FILES[0]}, {FILES[1]} and {ABOUT}, once and in one folder")
            (top,) = tops
            yield archive, [(parts[len(top) :], info) for parts, info in found if parts[: len(top)] == top]
    except (DatasetError, RuntimeError, NotImplementedError, BadZipFile, EOFError, OSError, zlib.error) as error:
        raise CheckpointError(
            f"{label} cannot be read as a zip: put {FILES[0]}, {FILES[1]} and {ABOUT} into a folder, and zip it again"
        ) from error


def _check_files(label: str, names: Collection[str]) -> None:
    """Raises CheckpointError where one of the three files is missing."""
    if missing := [name for name in (*FILES, ABOUT) if name not in names]:
        for name in sorted(names):
            if reason := about_weights(name):
                raise CheckpointError(f"{name} could not be read: {reason}")
        raise CheckpointError(f"{missing[0]} is missing in {label}: {HOW} shows how to export the pair")


def read_pair(folder: Path) -> Pair:
    """Reads the folder of a model from elsewhere, with the weights that its graphs keep in further files.

    Raises:
        CheckpointError: a file is missing or not what it must be, or a graph asks for one outside the folder.
    """
    _refuse_weights(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {str(folder)[:200]!r}: it holds {FILES[0]}, {FILES[1]} and {ABOUT}")
    _check_files(folder.name, {file.name for file in folder.iterdir()})
    about = _about(folder)
    encoder, decoder = (_graph(folder, name) for name in FILES)
    return Pair(encoder, decoder, about)


def _about(folder: Path) -> dict[str, Any]:
    return checked(lambda: read_json(folder / ABOUT))


def checked(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `adopt.json` says. Raises CheckpointError where it cannot be used."""
    try:
        about = read()
        _ABOUT("", about)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{ABOUT} cannot be used: {error}") from error
    if about.get("likelihood") == "gaussian" and "noise_variance" not in about:
        raise CheckpointError(f"{ABOUT} must give noise_variance for a gaussian likelihood")
    return about


def describe(model: Model) -> bytes:
    """What `adopt.json` says of a model that goes out as such a pair."""
    network, data = model.network, model.info.config["dataset"]
    about: dict[str, Any] = {"dataset": data["name"], "image_shape": list(model.image_shape)}
    if "only" in data:
        about["only"] = data["only"]
    if model.classes:
        about["classes"] = model.classes
    if not network.has_prior or network.prior_name != NORMAL:
        about["prior"] = None
    likelihood, scale = model.config.likelihood, 1.0
    if isinstance(network, Adopted):
        config, names = network.config, [output.name for output in Graph(network.encoder).outputs]
        about |= {"range": [config.low, config.high], "layout": config.layout}
        about["outputs"] = [names[i] for i in (config.mean_output, config.logvar_output) if i >= 0]
        scale = (config.high - config.low) ** 2
    elif network.likelihood.learns_noise:
        likelihood = "gaussian"
    if likelihood in _LIKELIHOODS:
        about["likelihood"] = likelihood
    if likelihood == "gaussian":
        about["noise_variance"] = network.noise_variance_value * scale
    if model.config.binarise:
        about["binarise"] = True
    return (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()


def _refuse_weights(path: Path) -> None:
    """Raises CheckpointError, which says what to do, for a file of weights as PyTorch or Keras save them."""
    if (reason := about_weights(path.name)) and not path.is_dir():
        raise CheckpointError(f"{path.name} could not be read: {reason}")


def _graph(folder: Path, name: str) -> bytes:
    """A graph's bytes with the weights that lie in other files of the folder."""
    try:
        message = parse(read_regular(folder / name, MOST_GRAPH))
        apart = [tensor for tensor in tensors(message) if tensor.external_data or tensor.data_location]
        files: dict[str, bytes] = {}
        total = 0
        for tensor in apart:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            location = entries.get("location", "")
            if location not in files:
                files[location] = read_regular(_inside(folder, location), MOST_GRAPH)
            start = int(entries.get("offset") or 0)
            length = int(entries.get("length") or len(files[location]) - start)
            total += length
            if start < 0 or length < 0 or start + length > len(files[location]) or total > MOST_GRAPH:
                raise ValueError(f"{location} does not hold the weights that it asks for")
            tensor.raw_data = files[location][start : start + length]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
        return bytes(message.SerializeToString())
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror or error}") from error
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{name} cannot be adopted: {error}") from error


def _inside(folder: Path, location: str) -> Path:
    """The file of that name in the folder. Raises ValueError for one outside."""
    parts = Path(location.replace("\\", "/")).parts
    file = folder / location
    if not parts or Path(location).is_absolute() or ".." in parts or ":" in parts[0]:
        raise ValueError(f"it asks for weights outside its folder, in {must_be.quoted(location)}")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"it asks for weights outside its folder, by the link {must_be.quoted(location)}")
    return file


def _outputs(encode: Graph, about: dict[str, Any]) -> tuple[int, int]:
    """Which of the encoder's outputs are mean and log variance, -1 for none."""
    names = [output.name for output in encode.outputs]
    if given := about.get("outputs"):
        if unknown := [name for name in given if name not in names]:
            raise ValueError(f"the encoder has no output {unknown[0]!r}: it has {', '.join(names)}")
        return names.index(given[0]), names.index(given[1]) if len(given) > 1 else -1
    if len(names) == 1:
        return 0, -1
    plain = [name.lower().replace("_", "").replace("-", "") for name in names]
    logvars = [i for i, name in enumerate(plain) if "logvar" in name or "logsigma2" in name]
    means = [i for i, name in enumerate(plain) if "mean" in name or name.endswith("mu")]
    if len(logvars) == len(means) == 1:
        return means[0], logvars[0]
    if len(names) == 2:
        return 0, 1
    raise ValueError(
        f"the encoder has the outputs {', '.join(names)}: say in {ABOUT} which are mean and log variance, such as "
        f'"outputs": ["{names[0]}", "{names[1]}"]'
    )


def _image(shape: list[Any], about: dict[str, Any], usual: tuple[int, int, int]) -> tuple[str, tuple[int, int, int]]:
    """The layout of images, and their shape (C, H, W), by the encoder's input, else as they usually are."""
    sides = [side if isinstance(side, int) else None for side in shape[1:]]
    layout = about.get("layout")
    if layout is None:
        layout = "NHWC" if len(sides) == 3 and sides[2] in (1, 3) and sides[0] not in (1, 3) else "NCHW"
    if "image_shape" in about:
        c, h, w = about["image_shape"]
        return layout, (c, h, w)
    if len(sides) == 1 and sides[0] not in (None, math.prod(usual)):  # a vector of other images than these
        for channels in (1, 3):
            side = math.isqrt(sides[0] // channels)
            if channels * side * side == sides[0]:
                return layout, (channels, side, side)
        raise ValueError(f'say in {ABOUT} which images are {sides[0]:,} numbers, such as "image_shape": [1, 20, 30]')
    if len(sides) == 2:
        sides = [1, *sides]
    if len(sides) != 3:
        return layout, usual
    if layout == "NHWC":
        sides = [sides[2], sides[0], sides[1]]
    c, h, w = (side or own for side, own in zip(sides, usual, strict=True))
    return layout, (c, h, w)
