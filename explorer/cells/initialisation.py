"""Xavier against Kaiming: how large signals and gradients are in each layer, and what became of the two.

The comparison that the Cells screen shows is stored beside this module. `benchmarks.initialisation` made it, with the
scales that `benchmarks.layer_scales` measures.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load as tensors_of
from torch import Tensor

from explorer.models import LatentModel, ModelConfig, build

STORED = "kaiming"  # whose decoder `initialisation.safetensors` is; the other's is that of `Comparison.checkpoint`
_global_generator = threading.Lock()


@dataclass(frozen=True)
class LayerScale:
    """How large signal and gradient are in one layer.

    Attributes:
        name: such as `encoder 1`, `mean`, `decoder 2`, `output`.
        fan_in, fan_out: inputs and outputs of a unit as the initialisation counts them. `mean` and `log variance` are
            the halves of one layer.
        activation: standard deviation of the pre-activations (before batch norm and nonlinearity) over images, units
            and places.
        gradient: root mean square over the layer's weights, without biases, of the gradient of the training loss, in
            nats an image a unit of weight.
    """

    name: str
    fan_in: int
    fan_out: int
    activation: float
    gradient: float


def first_network(config: ModelConfig, seed: int) -> LatentModel:
    """Makes the network that a run of that seed begins with, on the CPU and in evaluation mode."""
    with _global_generator, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(config).eval().requires_grad_(False)


def draw(count: int, latent: int, *, seed: int) -> Float[Tensor, "n d"]:
    """Draws codes from the prior N(0, I), those that `Model.draw` gives for the seed."""
    return torch.randn(count, latent, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def decode(network: LatentModel, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
    """Decodes codes into images in [0, 1]."""
    return network.decode(codes)


@dataclass(frozen=True)
class Sharpness:
    """How sharp cells are, as `benchmarks.cells` measures and explains it.

    `edge` is the steepness of the outline, a share of the cell's gray a pixel; `spots` what there is of small dark
    things, in gray levels of 255; `spectrum` how far the power at all scales is from that of real cells, in decibels.
    """

    edge: float
    spots: float
    spectrum: float


@dataclass(frozen=True)
class Outcome:
    """What a run came to, on the test patients: ELBO in nats an image, squared error, sharpness."""

    init: str
    seed: int
    elbo: float
    mse: float
    generated: Sharpness
    reconstructed: Sharpness

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        sharp = {name: Sharpness(**data[name]) for name in ("generated", "reconstructed")}
        return cls(**{**data, **sharp})


@dataclass(frozen=True)
class Course:
    """How a run went: the lines of its history, scales before the first step and after the last, what is left of each
    layer's first weights (`kept`), and what it ran on."""

    history: list[dict[str, Any]]
    start: list[LayerScale]
    end: list[LayerScale]
    kept: list[float]
    created: str
    device: str
    threads: int
    versions: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Course:
        layers = {name: [LayerScale(**layer) for layer in data[name]] for name in ("start", "end")}
        return cls(**{**data, **layers})


@dataclass(frozen=True)
class Comparison:
    """Runs of one preset that differ in their first weights alone.

    Attributes:
        preset, only, dataset: what was trained, on which class of which data set (as a checkpoint's config has it).
        seed: of the runs in `courses`; `results` has others too.
        model: the config of the network, for the first of `courses`.
        checkpoint: the trained model of the first of `courses`, which ships.
        checkpoint_sha256, decoder_sha256: of its weights, and of the file with the other's decoder.
        batches_sha256: by seed, of all images that training saw, in their order: the same for every initialisation.
        scale_images: how many training images `scales` was measured over.
        drawn: how many generated cells `Outcome.generated` was measured over.
        real: sharpness of the test patients' cells; their spectrum is compared with that of training patients' cells.
        courses: by initialisation.
        results: of every run.
    """

    preset: str
    only: str
    dataset: dict[str, Any]
    seed: int
    model: ModelConfig
    checkpoint: str
    checkpoint_sha256: str
    decoder_sha256: str
    batches_sha256: dict[str, str]
    scale_images: int
    drawn: int
    real: Sharpness
    courses: dict[str, Course]
    results: list[Outcome]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Comparison:
        """Raises KeyError or TypeError when it is not what `benchmarks.initialisation` wrote."""
        parts = {
            "model": ModelConfig.from_json(data["model"]),
            "real": Sharpness(**data["real"]),
            "courses": {init: Course.from_json(course) for init, course in data["courses"].items()},
            "results": [Outcome.from_json(result) for result in data["results"]],
        }
        return cls(**{**data, **parts})

    def result(self, init: str, seed: int | None = None) -> Outcome:
        """Finds what became of a run; `seed` is that of `courses` if not given. Raises KeyError."""
        wanted = self.seed if seed is None else seed
        for result in self.results:
            if (result.init, result.seed) == (init, wanted):
                return result
        raise KeyError((init, wanted))

    def first(self, init: str) -> LatentModel:
        """Makes the network of an initialisation before its first step."""
        return first_network(replace(self.model, init=init), self.seed)


@cache
def comparison() -> Comparison:
    """Reads the stored comparison: `cells-linear` on healthy cells from Xavier and from Kaiming weights."""
    return Comparison.from_json(json.loads(files("explorer.cells").joinpath("initialisation.json").read_text("utf-8")))


def stored_decoder(config: ModelConfig) -> LatentModel:
    """Reads the trained network of `STORED`, of which only the decoder has weights."""
    with torch.device("meta"):
        network = build(config)
    weights = tensors_of(files("explorer.cells").joinpath("initialisation.safetensors").read_bytes())
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    network.get_submodule("decoder").load_state_dict(floats, assign=True)
    return network.eval().requires_grad_(False)
