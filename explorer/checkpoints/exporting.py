"""A model for use elsewhere: encoder and decoder apart as PyTorch programs or ONNX, and the weights by name."""

from __future__ import annotations

import copy
import importlib.util
import json
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn

from explorer.checkpoints.model import Model, load
from explorer.checkpoints.pairs import ABOUT, describe
from explorer.errors import CheckpointError
from explorer.models import Adopted, LatentModel


class _Encoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.network.posterior(images)
        return posterior.mean, posterior.logvar


class _ConditionalDecoder(nn.Module):
    """The decoder of a conditional model, which takes the class of each code as well."""

    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        return self.network.decode(codes, labels)


class _Decoder(nn.Module):
    def __init__(self, network: LatentModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        return self.network.decode(codes)


_Part = type[_Encoder] | type[_Decoder] | type[_ConditionalDecoder]


def _half(part: _Part, network: LatentModel, example: tuple[Tensor, ...]) -> nn.Module:
    """A `part` of a network without the modules that it does without, so that a file holds no more than its half."""
    module = part(copy.deepcopy(network).to(memory_format=torch.contiguous_format))  # which all readers of it know
    for name, child in list(module.network.named_children()):
        delattr(module.network, name)
        try:
            with torch.no_grad():
                module(*example)
        except AttributeError:
            setattr(module.network, name, child)
    return module


def _halves(model: Model) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Encoder and decoder, each with an example of what it takes."""
    if isinstance(model.network, Adopted):
        raise CheckpointError(f"{model.info.id} was adopted as a pair of ONNX files: export it as ONNX")
    codes, labels = torch.zeros(2, model.latent), torch.zeros(2, dtype=torch.int64)
    parts: dict[str, tuple[_Part, tuple[Tensor, ...]]] = {
        "encoder": (_Encoder, (torch.zeros(2, *model.image_shape),)),
        "decoder": (_ConditionalDecoder, (codes, labels)) if model.conditional else (_Decoder, (codes,)),
    }
    return {name: (_half(part, model.network, example), example) for name, (part, example) in parts.items()}


def export(name: str | Path, out: Path) -> list[Path]:
    """Writes `encoder.pt2` and `decoder.pt2`, torch.export programs for a batch of any size.

    `torch.export.load("decoder.pt2").module()(codes)` decodes float32 [N, D] to [N, C, H, W] in [0, 1]; the
    encoder takes float32 [N, C, H, W] in [0, 1] and gives mean and logvar [N, D]. The decoder of a conditional model
    is called with codes and labels, int64 [N].

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        OSError: the folder cannot be written.
    """
    halves = _halves(load(name, device="cpu"))
    out.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1)
    files = []
    for half, (module, example) in halves.items():
        program = torch.export.export(module, example, dynamic_shapes=tuple({0: batch} for _ in example))
        files.append(out / f"{half}.pt2")
        torch.export.save(program, files[-1])
    return files


def export_onnx(name: str | Path, out: Path) -> list[Path]:
    """Writes the pair that `python -m explorer adopt` takes: see `explorer.checkpoints.pairs`.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged, or ONNX has no words for it.
        OSError: the folder cannot be written.
    """
    model = load(name, device="cpu")
    network = model.network
    if isinstance(network, Adopted):
        if network.config.network == "python":
            raise CheckpointError(f"{model.info.id} is functions of a Python process, which no file can hold")
        graphs = {half: getattr(network, half).numpy().tobytes() for half in ("encoder", "decoder")}
    else:
        graphs = {half: onnx_graph(half, *parts) for half, parts in _halves(model).items()}
    return _written(out, {**{f"{half}.onnx": data for half, data in graphs.items()}, ABOUT: describe(model)})


def onnx_graph(half: str, module: nn.Module, example: tuple[Tensor, ...]) -> bytes:
    """The ONNX graph of a module that is an `encoder` or a `decoder`, for a batch of any size.

    Raises:
        CheckpointError: onnxscript is missing, or ONNX has no words for what the module does.
    """
    if importlib.util.find_spec("onnxscript") is None:
        raise CheckpointError("PyTorch writes ONNX by the package onnxscript: pip install onnxscript")
    inputs, outputs = _NAMES[half]
    with torch.no_grad():
        results = len(made) if isinstance(made := module(*example), tuple) else 1
    batch = torch.export.Dim("batch", min=1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about itself
        file = Path(folder) / "graph.onnx"
        try:
            torch.onnx.export(
                module,
                example,
                file,
                input_names=inputs[: len(example)],
                output_names=outputs[:results],
                dynamic_shapes=tuple({0: batch} for _ in example),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # PyTorch has many, most of them a page long
            raise CheckpointError(f"PyTorch cannot write the {half} as ONNX ({type(error).__name__})") from error
        return file.read_bytes()


_NAMES = {"encoder": (["images"], ["mean", "logvar"]), "decoder": (["codes", "labels"], ["pictures"])}


def export_safetensors(name: str | Path, out: Path) -> list[Path]:
    """Writes `model.safetensors` with the weights in float32, `config.json`, and `load.py`, which loads them.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        OSError: the folder cannot be written.
    """
    model = load(name, device="cpu")
    weights = {k: v.contiguous() for k, v in model.network.state_dict().items()}
    config = json.dumps(model.info.config, indent=1) + "\n"
    files = {"model.safetensors": tensor_bytes(weights), "config.json": config.encode(), "load.py": _LOAD.encode()}
    return _written(out, files)


def _written(out: Path, files: dict[str, bytes]) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    return [out / name for name in files]


_LOAD = '''"""Loads the network: `posterior(images)` has mean and logvar, `decode(codes)` gives images in [0, 1]."""

import json
from safetensors.torch import load_file
from explorer.models import ModelConfig, build

network = build(ModelConfig.from_json(json.load(open("config.json"))["model"]))
network.load_state_dict(load_file("model.safetensors"))
network.eval()
'''
