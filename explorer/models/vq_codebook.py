"""A codebook that follows what is assigned to it, as exponential averages.

van den Oord, Vinyals & Kavukcuoglu 2017, "Neural discrete representation learning", arXiv:1711.00937, appendix A.1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explorer.models.whole_batch import gathered, rows_of_all, total

_DECAY = 0.99  # of the averages, a batch: theirs
_DEAD = 0.03  # an entry that gets less than this share of an even one's vectors is dead
_REVIVED = 0.1  # the share that a revived entry is taken to have had: a hundred batches pass before it is dead again


class Codebook(nn.Module):
    """K entries of D numbers: buffers, since averages move them and no gradient does.

    Entries that next to nothing is assigned to start again at a vector of the batch (Dhariwal et al. 2020, "Jukebox",
    arXiv:2005.00341, section 3.1). All are dead at first, so the first batch makes the first entries.

    Attributes:
        entries: float32 [K, D].
        counts: float32 [K], the average number of vectors assigned to each in a batch.
        sums: float32 [K, D], the average of their sums.
    """

    entries: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        entries = torch.randn(size, width)
        self.register_buffer("entries", entries)
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, width))

    def nearest(self, vectors: Float[Tensor, "*shape d"]) -> Int[Tensor, "*shape"]:
        """The position of the entry that is nearest to each vector, int64."""
        with torch.autocast(vectors.device.type, enabled=False):  # bfloat16 would take the wrong one of two neighbours
            flat = vectors.detach().float().flatten(0, -2)
            distance = torch.addmm(self.entries.square().sum(1), flat, self.entries.T, alpha=-2)
            return distance.argmin(1).view(vectors.shape[:-1])

    @torch.no_grad()
    def follow(self, vectors: Float[Tensor, "m d"], generator: torch.Generator | None = None) -> Int[Tensor, " m"]:
        """Moves the entries after the vectors of a batch, and gives the entry that each was nearest to.

        The generator chooses what dead ones start from.

        Nothing waits for the device.
        """
        vectors, size = vectors.detach().float(), len(self.entries)
        count = rows_of_all(len(vectors))
        even = count / size
        dead = self.counts < _DEAD * even
        chosen = torch.randint(count, (size,), generator=generator, device=vectors.device)
        self.counts.copy_(torch.where(dead, _REVIVED * even, self.counts))
        self.entries.copy_(torch.where(dead[:, None], gathered(vectors)[chosen], self.entries))
        self.sums.copy_(torch.where(dead[:, None], self.entries * self.counts[:, None], self.sums))
        index = self.nearest(vectors)
        one = torch.ones(len(vectors), device=vectors.device)
        self.counts.lerp_(total(torch.zeros_like(self.counts).index_add_(0, index, one)), 1 - _DECAY)
        self.sums.lerp_(total(torch.zeros_like(self.sums).index_add_(0, index, vectors)), 1 - _DECAY)
        self.entries.copy_(self.sums / self.counts.clamp(min=1e-5)[:, None])
        return index


def perplexity(index: Int[Tensor, "*shape"], size: int) -> float:
    """How many of so many entries are in use, were they used evenly: the exponential of the entropy of their shares."""
    shares = torch.bincount(index.flatten().cpu(), minlength=size).double()
    shares = shares / shares.sum()
    return float(torch.special.entr(shares).sum().exp())
