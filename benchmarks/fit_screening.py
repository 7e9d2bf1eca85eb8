"""Fits what `explorer.screen` reads residuals by: `python -m benchmarks.fit_screening`. Fifteen minutes on two cores.

The detector is trained on the training patients' cells, whose residuals under the two shipped convolutional models it
sees and nothing else; the line from its scores to log odds is fitted on the validation patients, what is typical of a
cell on both. The test patients are not read here: `benchmarks.screening` measures on them.

Writes `detector.safetensors` and `cells.safetensors` in `explorer/cells/screening/`. The latter holds codes of some
training cells of each class under the model of their class, for the screen to show the nearest of. Needs the data set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from torch import Tensor

import explorer
from explorer.cells.screening.detector import Detector, pooled, read, residual_channels
from explorer.cells.screening.screener import MODELS
from explorer.cells.screening.typicality import cell_features
from explorer.datasets import ImageDataset

OUT = Path(explorer.__file__).parent / "cells" / "screening"
SEED = 0
EPOCHS = 12
BATCH = 128
RATE = 4e-3
DECAY = 1e-2
SMOOTHING = 0.04  # a few per cent of the labels of either class are wrong
STAIN = 0.15  # spread of the logarithm of the residuals' strength: slides are stained more or less
QUANTILES = 5000
PARTS = 8  # of the mixture: four to sixteen tell pictures that are no cells alike
NEIGHBOURS = 1500  # codes a class: 200 kB each

Looked = tuple[Tensor, Tensor]
"""The detector's input, float16 [N, K, H, W], and the typicality's features, float32 [N, F]."""


@torch.inference_mode()
def look(data: ImageDataset, models: list[explorer.Model]) -> Looked:
    """All cells of a split through the models. 2 GB for the training set."""
    channels, features = [], []
    for start in range(0, len(data), 64):
        x = data.images[start : start + 64].float() / 255
        codes = [m.network.posterior(x).mean for m in models]
        reconstructions = [m.network.decode(z) for m, z in zip(models, codes, strict=True)]
        channels.append(residual_channels(x, reconstructions).half())
        features.append(cell_features(x, reconstructions, codes))
    return torch.cat(channels), torch.cat(features)


def fit(channels: Tensor, labels: Tensor, *, seed: int = SEED, epochs: int = EPOCHS) -> Detector:
    """A detector trained on cells that are labelled as a whole: one cycle of AdamW; flips, quarter turns, staining."""
    torch.manual_seed(seed)
    detector = Detector().to(memory_format=torch.channels_last)
    bias = torch.nn.Parameter(torch.tensor(-4.0))  # log of how many places speak by chance; calibration replaces it
    steps = len(channels) // BATCH
    optimiser = torch.optim.AdamW([*detector.parameters(), bias], lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(channels))[: steps * BATCH].split(BATCH):
            e = channels[rows].float()
            e = e.flip(3) if torch.rand(()) < 0.5 else e
            e = torch.rot90(e, int(torch.randint(4, ())), (2, 3))
            e = torch.cat([e[:, :-1] * torch.exp(STAIN * torch.randn(len(e), 1, 1, 1)), e[:, -1:]], 1)
            wanted = labels[rows].float() * (1 - SMOOTHING) + SMOOTHING / 2
            e = e.contiguous(memory_format=torch.channels_last)
            loss = F.binary_cross_entropy_with_logits(pooled(detector(e)) + bias, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() / steps
        print(f"epoch {epoch + 1}/{epochs}: cross-entropy {total:.4f} nats", flush=True)
    return detector.eval()


@torch.inference_mode()
def scores(detector: Detector, channels: Tensor) -> Tensor:
    return torch.cat([read(detector, e.float())[1] for e in channels.split(256)])


def calibration(found: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The fields of `Calibration`, of the validation patients' scores and labels."""
    line = LogisticRegression(C=1e6).fit(found.numpy()[:, None], labels.numpy())
    share = labels.double().mean()
    return {
        "slope": torch.tensor(float(line.coef_[0, 0])),
        "intercept": torch.tensor(float(line.intercept_[0])),
        "prior": torch.log(share / (1 - share)).float(),
    }


def typicality(features: Tensor) -> dict[str, Tensor]:
    """The fields of `Typicality`, of features of training and validation cells: stains differ from slide to slide."""
    mean, scale = features.double().mean(0), features.double().std(0)
    standard = ((features.double() - mean) / scale).numpy()
    mixture = GaussianMixture(PARTS, random_state=SEED, reg_covar=1e-3, max_iter=60).fit(standard)
    tensors = {
        "mean": mean,
        "scale": scale,
        "weights": torch.from_numpy(mixture.weights_),
        "centres": torch.from_numpy(mixture.means_),
        "whitening": torch.from_numpy(mixture.precisions_cholesky_),
        "densities": torch.from_numpy(np.quantile(mixture.score_samples(standard), np.linspace(0, 1, QUANTILES))),
    }
    return {name: tensor.float().contiguous() for name, tensor in tensors.items()}


def neighbours(data: ImageDataset, models: list[explorer.Model]) -> tuple[dict[str, Tensor], list[str]]:
    """Codes of some training cells of each class under the model of that class, with their patients."""
    assert data.labels is not None
    assert data.group is not None
    names = sorted(set(data.group))
    tensors: dict[str, Tensor] = {}
    for label, (name, model) in enumerate(zip(data.classes, models, strict=True)):
        rows = torch.nonzero(data.labels == label).flatten()
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(SEED))[:NEIGHBOURS]].sort().values
        tensors[f"{name}.codes"] = model.encode(data.images[rows]).mean.half()
        tensors[f"{name}.patient"] = torch.tensor([names.index(data.group[r]) for r in rows], dtype=torch.int32)
        tensors[f"{name}.index"] = rows.to(torch.int32)
    return tensors, names


def main() -> None:
    models = [explorer.load(name, device="cpu") for name in MODELS]
    train, validation = (explorer.dataset("malaria", split=split) for split in ("train", "validation"))
    assert train.labels is not None
    assert validation.labels is not None
    codes, patients = neighbours(train, models)
    save_file(codes, OUT / "cells.safetensors", {"patients": " ".join(patients)})
    channels, of_train = look(train, models)
    detector = fit(channels, train.labels)
    del channels
    channels, of_validation = look(validation, models)
    fitted = calibration(scores(detector, channels), validation.labels)
    typical = typicality(torch.cat([of_train, of_validation]))
    tensors = {f"detector.{k}": v.contiguous() for k, v in detector.state_dict().items()}
    tensors |= {f"calibration.{k}": v for k, v in fitted.items()} | {f"typicality.{k}": v for k, v in typical.items()}
    save_file(tensors, OUT / "detector.safetensors")
    print(f"{sum(p.numel() for p in detector.parameters()):,} weights, slope {float(fitted['slope']):.3f}")


if __name__ == "__main__":
    main()
