"""Where a cell holds what the generative models cannot draw: evidence read off residuals, place by place.

A parasite is a few pixels in an image of 12,288 values: sums over an image, such as the ELBO, drown it, and neither
model draws it. What is left of a cell when its reconstruction is taken away shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BACKGROUND = 0.15  # of full brightness, averaged over the channels: cells lie on a black square
_GAIN = 8.0  # residuals are a tenth of full brightness: to values of order one
OUTSIDE = -20.0  # nats: a place off the cell is no evidence


def residual_channels(
    images: Float[Tensor, "n 3 h w"], reconstructions: Sequence[Float[Tensor, "n 3 h w"]]
) -> Float[Tensor, "n k h w"]:
    """Computes what the detector sees: image minus reconstruction in RGB for each of M models, and the cell's mask.

    Zero off the cell; K = 3 M + 1 channels. Images and reconstructions are in [0, 1].
    """
    mask = (images.mean(1, keepdim=True) > BACKGROUND).to(images.dtype)
    left = [(images - reconstruction) * (_GAIN * mask) for reconstruction in reconstructions]
    return torch.cat([*left, mask], 1)


class Detector(nn.Module):
    """A small convolutional network on residuals, whose output is a map of local evidence.

    It is trained on whole images that are labelled as a whole: multiple-instance learning (Dietterich, Lathrop &
    Lozano-Pérez 1997), places pooled by log-sum-exp (Pinheiro & Collobert 2015, arXiv:1411.6228, eq. 6), so that one
    strong place is enough. A place sees 13 x 13 pixels around it: enough for a parasite and its rim, too little for
    the colour of the slide.

    Args:
        models: how many models' residuals it reads.
        width: channels of the first layer; twice as many after it.
    """

    def __init__(self, models: int = 2, width: int = 16) -> None:
        super().__init__()
        self.models = models
        widths = (3 * models + 1, width, 2 * width, 2 * width)
        kernels = (5, 3, 3)
        layers: list[nn.Module] = []
        for i, kernel in enumerate(kernels):
            stride = 2 if i == 0 else 1
            layers += [
                nn.Conv2d(widths[i], widths[i + 1], kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*layers)
        self.evidence = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, channels: Float[Tensor, "n k h w"]) -> Float[Tensor, "n h2 w2"]:
        """Local evidence for an infection in nats, at half the resolution; -20 off the cell."""
        inside = F.avg_pool2d(channels[:, -1:], 2) > 0.25
        return torch.where(inside, self.evidence(self.features(channels)), OUTSIDE)[:, 0]


def pooled(evidence: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Pools a cell's map of evidence into its score: log sum exp over its places, in nats, not calibrated."""
    return torch.logsumexp(evidence.flatten(1), 1)


def read(
    detector: nn.Module, channels: Float[Tensor, "n k h w"]
) -> tuple[Float[Tensor, "n h2 w2"], Float[Tensor, " n"]]:
    """Reads cells in any position by a detector: their maps of evidence and their scores, in nats.

    A cell has no upside and the detector's weights know of it only from training, so both are means over the four
    quarter turns of the image, as Krizhevsky, Sutskever & Hinton 2012 (section 4.1) average over crops and
    reflections. The score is the mean of the turned maps' scores, not the score of their mean: one that stands out
    in a single position counts.
    """
    layout = (
        torch.channels_last if channels.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    )
    maps, scores = [], []
    for turns in range(4):
        evidence = detector(torch.rot90(channels, turns, (2, 3)).contiguous(memory_format=layout))
        maps.append(torch.rot90(evidence, -turns, (1, 2)))
        scores.append(pooled(evidence))
    return torch.stack(maps).mean(0), torch.stack(scores).mean(0)


def residual_score(images: Float[Tensor, "n 3 h w"], reconstructions: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
    """Measures the largest smoothed local residual in a cell: how much more purple than its reconstruction a place is.

    Nothing in it was learnt from infected cells when the model behind it saw healthy ones alone. Purple is green
    that is missing where blue is not: Giemsa stains a parasite's chromatin so. The difference to the surroundings
    (a blur of 6 pixels) is smoothed by 1 pixel, and the outermost 2 pixels of the cell are left out, where an outline
    that is a pixel off leaves large residuals.
    """
    left = images - reconstructions
    mask = (images.mean(1, keepdim=True) > BACKGROUND).to(images.dtype)
    inside = -F.max_pool2d(-F.pad(mask, (2,) * 4), 5, 1)
    purple = (left[:, 2:3] - left[:, 1:2]) * inside
    local = (purple - _blur(purple, 6.0) / (_blur(inside, 6.0) + 1e-3)) * inside
    smooth = torch.where(inside > 0, _blur(local, 1.0), -torch.inf)
    return smooth.flatten(1).amax(1).clamp_min(0.0)


def _blur(x: Float[Tensor, "n 1 h w"], sigma: float) -> Float[Tensor, "n 1 h w"]:
    """Blurs by a Gaussian, zero beyond the border."""
    reach = int(3 * sigma + 0.5)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(x.dtype)
    x = F.conv2d(x, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(x, kernel.view(1, 1, -1, 1), padding=(reach, 0))
