"""A batch of which several processes have a part each, so that all take the step that one would take on the whole.

Every process has the whole batch's loss: what looks over a batch adds up over processes (`total`), also on the way
back, and the gradient is the processes' average (`average_gradients`). Alone, all of this leaves everything as it is.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_batch: WholeBatch | None = None  # whose part this process computes


class WholeBatch(TorchFunctionMode):
    """While it is entered, this process computes the rows `mine` of a batch; all of it, if it has too few for all.

    Noise is drawn for the whole batch, as one process would draw it, and these rows are taken of it. So the generators
    of all processes have to be in the same state, and stay so. Batch norm goes by the whole batch, too.
    """

    def __init__(self, size: int, process: int, processes: int) -> None:
        super().__init__()
        self.size, self.shared = size, 1 < processes <= size
        first, last = size * process // processes, size * (process + 1) // processes
        self.mine = slice(first, last) if self.shared else slice(0, size)

    @property
    def count(self) -> int:
        """How many rows this process has."""
        return int(self.mine.stop - self.mine.start)

    def __enter__(self) -> WholeBatch:
        global _batch
        super().__enter__()
        _batch = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _batch
        _batch = None
        super().__exit__(kind, error, trace)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is F.batch_norm and kwargs["training"] and self.shared:
            return _batch_norm(*args, **kwargs)
        if function not in (torch.rand, torch.randn):
            return function(*args, **kwargs)
        rows, *rest = args[0] if isinstance(args[0], tuple | list) else args
        each = rows // self.count  # draws of an image
        whole = function(self.size * each, *rest, **kwargs)
        return whole[self.mine.start * each : self.mine.stop * each]


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Total.apply(*gradients)


def total(value: Tensor) -> Tensor:
    """The sum of what each process has computed of its part of the batch."""
    if _batch is None or not _batch.shared:
        return value
    summed: Tensor = _Total.apply(value)
    return summed


def rows_of_all(rows: int) -> int:
    """How many rows all processes have, where this one has so many."""
    return rows if _batch is None else rows * _batch.size // _batch.count


def batch_mean(values: Tensor, dim: int | list[int] | None = None) -> Tensor:
    """`values.mean(dim)` over the whole batch, whose images are the first dimension."""
    mean = values.mean() if dim is None else values.mean(dim)
    return mean if _batch is None else total(mean * (_batch.count / _batch.size))


def gathered(rows: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
    """The rows of all processes."""
    if _batch is None:
        return rows
    each = len(rows) // _batch.count
    before, after = _batch.mine.start, _batch.size - _batch.mine.stop
    return total(F.pad(rows, (0, 0, before * each, after * each)))


def own(rows: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
    """This process's rows of those of all."""
    return rows if _batch is None else rows[_batch.mine]


def _batch_norm(
    x: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    *,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Does what `F.batch_norm` does in training, by the whole batch: PyTorch's SyncBatchNorm knows no CPU."""
    axes, shape = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
    values = x.to(torch.promote_types(x.dtype, torch.float32))  # autocast may have given bfloat16
    mean = batch_mean(values, axes)
    values = values - mean.view(shape)
    variance = batch_mean(values.square(), axes)
    with torch.no_grad():
        count = rows_of_all(len(x)) * x[0, 0].numel()
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    values = values * (variance + eps).rsqrt().view(shape)
    if weight is not None and bias is not None:
        values = values * weight.view(shape) + bias.view(shape)
    return values.to(x.dtype)


def average_gradients(model: nn.Module) -> None:
    """Gives all processes the average of their gradients, as PyTorch's DistributedDataParallel does."""
    if _batch is None:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view(gradient.shape))
