"""What convolutional and dense bodies share: the sides of an image on its way, and batch norm."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from explorer.models.config import ModelConfig
from explorer.models.whole_batch import rows_of_all


def halved_sides(config: ModelConfig, times: int, *, all_halve: bool = True) -> list[tuple[int, int]]:
    """The image's height and width, and what they are after each halving, which rounds up.

    Raises:
        ValueError: a side is a single pixel before the last halving, and `all_halve`.
    """
    _, h, w = config.image_shape
    if all_halve and times and min(h, w) <= (least := 2 ** (times - 1)):
        raise ValueError(
            f"{times} layers that halve the sides need more than {least} pixels a side, not {h} x {w}: take fewer of "
            "them, or larger images"
        )
    return [(-(-h // 2**i), -(-w // 2**i)) for i in range(times + 1)]


class _TakesOneImage(nn.Module):
    """Batch norm that takes a batch of one value a channel by its running statistics.

    The last batch of an epoch may be a single image, which has no variance over a batch; torch's own layers refuse it.
    """

    def forward(self, input: Tensor) -> Tensor:
        assert isinstance(self, (nn.BatchNorm1d, nn.BatchNorm2d))
        if self.training and rows_of_all(input.numel()) == self.num_features:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class BatchNorm1d(_TakesOneImage, nn.BatchNorm1d):
    """Batch norm of vectors."""


class BatchNorm2d(_TakesOneImage, nn.BatchNorm2d):
    """Batch norm of channels."""
