"""Xavier against Kaiming first weights of `cells-linear`, on healthy cells: `python -m benchmarks.initialisation`.

Trains both from each seed on the training patients, checks that they saw the same batches, measures scales layer by
layer, sharpness as `cells.py` does and the ELBO on the test patients, and writes what the Cells screen shows to
`explorer/cells/`: `initialisation.json`, and the decoder of the one that does not ship, `initialisation.safetensors`.
The runs go to the folder that is named, else to a temporary one; those that are there already are not trained again.

What ships, `cells-healthy-linear`, is Xavier's run of seed 0: it is measured in place of the one trained here, whose
ELBO must be the same but for the order in which a machine adds numbers.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn

import explorer
from benchmarks.cells import decibels, edge, gray_of, only, spectrum, spots
from benchmarks.layer_scales import kept, scales
from explorer import Model, TrainConfig, load, train
from explorer.cells.initialisation import STORED, Comparison, Course, Outcome, Sharpness, first_network
from explorer.checkpoints.folder import read_history, read_tensors
from explorer.models.evaluation import to_float

PRESET, CLASS, SHIPPED = "cells-linear", "healthy", "cells-healthy-linear"
INITS = ("xavier", STORED)
SEEDS = (0, 1, 2)
DRAWN = 2000
SCALE_IMAGES = 512
SAME = 3.0  # nats of 6,000 between two runs that differ by rounding alone
OUT = Path(explorer.__file__).parent / "cells"
_BATCHES = "batches.sha256"


def trained(folder: Path, init: str, seed: int) -> Model:
    """The run of an initialisation and a seed, with the digest of all images that it saw beside it."""
    path = folder / f"cells-{init}-{seed}"
    if not (path / _BATCHES).is_file():
        digest = hashlib.sha256()

        def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if isinstance(module, nn.Flatten) and module.training:  # where images enter a dense encoder
                digest.update((255 * inputs[0]).round().to(torch.uint8).numpy().tobytes())

        settings = {"init": init}
        config = TrainConfig(
            preset=PRESET, only=CLASS, seed=seed, device="cpu", half=True, umap=False, settings=settings
        )
        hook = nn.modules.module.register_module_forward_pre_hook(look)
        try:
            train(config, path)
        finally:
            hook.remove()
        (path / _BATCHES).write_text(digest.hexdigest())
    return load(path, device="cpu")


class Reference:
    """Real cells of the test patients, and how sharp others are next to them."""

    def __init__(self, train_cells: Tensor, test_cells: Tensor) -> None:
        """Both float [N, 3, H, W] in [0, 1]."""
        self.cells = test_cells
        grays = gray_of(test_cells)
        self.power = spectrum(grays)
        self.own = Sharpness(edge(grays), spots(grays), decibels(spectrum(gray_of(train_cells)), self.power))

    def sharpness(self, images: Tensor) -> Sharpness:
        grays = gray_of(images)
        return Sharpness(edge(grays), spots(grays), decibels(spectrum(grays), self.power))

    def result(self, model: Model, init: str, seed: int) -> Outcome:
        """`metrics` are those of the checkpoint: the ELBO of float16 weights, measured at the end of training."""
        metrics = model.info.metrics
        generated, reconstructed = model.sample(DRAWN, seed=0), model.reconstruct(self.cells)
        return Outcome(
            init, seed, metrics["elbo"], metrics["mse"], self.sharpness(generated), self.sharpness(reconstructed)
        )


def course(model: Model, seed: int, images: Tensor) -> Course:
    """The run behind a model, and its scales over images [N, 3, H, W] in [0, 1]."""
    config = model.info.config
    first = first_network(model.config, seed)
    shown = ("epoch", "learning_rate", "train", "test")
    return Course(
        history=[{name: row[name] for name in shown} for row in read_history(model.info.path)],
        start=scales(first, images),
        end=scales(model.network, images),
        kept=kept(first, model.network),
        created=config["created"],
        device=config["device"],
        threads=config["threads"],
        versions=config["versions"],
    )


def compare(folder: Path) -> Comparison:
    """Train, check and measure. Raises RuntimeError when the runs are not what they are compared as."""
    train_set, test_set = (explorer.dataset("malaria", split=split) for split in ("train", "test"))
    reference = Reference(only(train_set, CLASS), only(test_set, CLASS))
    chosen = torch.randperm(len(where := train_set.positions_of(CLASS)), generator=torch.Generator().manual_seed(0))
    images = to_float(train_set.images[where[chosen[:SCALE_IMAGES]]], torch.device("cpu"))
    shipped = load(SHIPPED, device="cpu")
    batches: dict[str, str] = {}
    results: list[Outcome] = []
    courses: dict[str, Course] = {}
    for seed in SEEDS:
        for init in INITS:
            model = trained(folder, init, seed)
            seen = (model.info.path / _BATCHES).read_text()
            if batches.setdefault(str(seed), seen) != seen:
                raise RuntimeError(f"the two runs of seed {seed} saw other batches")
            if seed == SEEDS[0]:
                model = same(model, shipped) if init != STORED else model
                courses[init] = course(model, seed, images)
                if init == STORED:
                    store_decoder(model)
            results.append(reference.result(model, init, seed))
            print(results[-1])
    data = shipped.info.config["dataset"]
    return Comparison(
        preset=PRESET,
        only=CLASS,
        dataset={name: data[name] for name in ("name", "train_images", "test_images", "train_sha256", "test_sha256")},
        seed=SEEDS[0],
        model=shipped.config,
        checkpoint=SHIPPED,
        checkpoint_sha256=hashlib.sha256((shipped.info.path / "model.safetensors").read_bytes()).hexdigest(),
        decoder_sha256=hashlib.sha256((OUT / "initialisation.safetensors").read_bytes()).hexdigest(),
        batches_sha256=batches,
        scale_images=SCALE_IMAGES,
        drawn=DRAWN,
        real=reference.own,
        courses=courses,
        results=results,
    )


def same(model: Model, shipped: Model) -> Model:
    """The shipped model, once it is clear that it is this run."""
    for name in ("preset", "recipe", "dataset", "seed", "model", "classes", "weights"):
        if model.info.config[name] != shipped.info.config[name]:
            raise RuntimeError(f"{SHIPPED} was trained otherwise: see {name} in its config")
    apart = abs(model.info.metrics["elbo"] - shipped.info.metrics["elbo"])
    print(f"{SHIPPED} against the same run on this machine: {apart:.3f} nats apart")
    if not apart <= SAME:
        raise RuntimeError(f"{SHIPPED} is {apart:.1f} nats from the same run on this machine")
    return shipped


def store_decoder(model: Model) -> None:
    """The decoder's tensors as the checkpoint has them: float16 weights, batch norm's statistics as they were."""
    weights = read_tensors(model.info.path / "model.safetensors")
    own = {name.removeprefix("decoder."): value for name, value in weights.items() if name.startswith("decoder.")}
    (OUT / "initialisation.safetensors").write_bytes(tensor_bytes(own, {"init": STORED, "preset": PRESET}))


def to_json(found: Comparison) -> str:
    """Numbers to six digits, so that a change in the last bit is none in the file."""
    rounded = json.loads(json.dumps(asdict(found)), parse_float=lambda digits: float(f"{float(digits):.6g}"))
    return json.dumps(rounded, indent=1) + "\n"


def report(found: Comparison) -> None:
    """The figures, as the README quotes them."""
    print(f"{'':8} {'seed':>4} {'ELBO':>9} {'MSE':>8} {'edge':>14} {'spots':>12} {'spectrum, dB':>14}")
    own = found.real
    print(f"{'real':8} {'':4} {'':9} {'':8} {own.edge:14.3f} {own.spots:12.2f} {own.spectrum:14.1f}")
    for r in found.results:
        a, b = r.generated, r.reconstructed
        print(
            f"{r.init:8} {r.seed:4} {r.elbo:9.1f} {r.mse:8.5f} {a.edge:6.3f} / {b.edge:5.3f} "
            f"{a.spots:5.2f} / {b.spots:4.2f} {a.spectrum:6.1f} / {b.spectrum:5.1f}"
        )
    for init in INITS:
        print(f"left of the first weights, {init}:", " ".join(f"{value:.3f}" for value in found.courses[init].kept))
    for moment in ("start", "end"):
        print(f"{moment}: pre-activation, gradient by layer")
        rows = [getattr(found.courses[init], moment) for init in INITS]
        for layers in zip(*rows, strict=True):
            values = "   ".join(f"{layer.activation:9.4f} {layer.gradient:9.4f}" for layer in layers)
            print(f"  {layers[0].name:14} {values}")
    xavier, kaiming = (np.array([row["test"]["elbo"] for row in found.courses[init].history]) for init in INITS)
    gap = kaiming - xavier
    print("Kaiming's test ELBO less Xavier's by epoch:", " ".join(f"{value:+.1f}" for value in gap))


def main(folder: Path | None = None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        found = compare(folder or Path(temporary))
    (OUT / "initialisation.json").write_text(to_json(found), "utf-8")
    report(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
