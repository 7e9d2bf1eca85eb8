"""A prior over a grid of codebook entries: a small causal transformer that reads the grid row by row.

Vaswani et al. 2017, arXiv:1706.03762, with the normalisation before each layer as in Radford et al. 2019 (GPT-2). It
may be told the class; a tenth of the training goes without, so that samples can be guided by the class (Ho & Salimans
2022, "Classifier-free diffusion guidance", arXiv:2207.12598, eq. 6).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

HEAD = 64  # numbers of an attention head
_UNTOLD = 0.1  # share of the training images whose class it is not told


class Layer(nn.Module):
    """Attention to what came before, and two dense layers, each added to what it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "n l w"], past: tuple[Tensor, Tensor, int] | None = None) -> Tensor:
        """Of a whole sequence; or of its next place alone, whose keys and values join the `past`'s at that place."""
        n, length, width = x.shape
        shape = (n, length, 3, self.heads, HEAD)
        query, key, value = self.attention(self.before_attention(x)).view(shape).permute(2, 0, 3, 1, 4)
        if past is not None:
            keys, values, place = past
            keys[:, :, place], values[:, :, place] = key[:, :, 0], value[:, :, 0]
            key, value = keys[:, :, : place + 1], values[:, :, : place + 1]
        # Written out: on a CPU PyTorch's own attention takes twice as long in bfloat16, forward and back.
        score = (query * HEAD**-0.5) @ key.transpose(-1, -2)
        if past is None:
            score = score + torch.full((length, length), -torch.inf, dtype=score.dtype, device=x.device).triu(1)
        seen = score.softmax(-1) @ value
        x = x + self.out(seen.transpose(1, 2).reshape(n, length, width))
        return x + self.dense(self.before_dense(x))


class GridPrior(nn.Module):
    """p(entry | entries before it, class) at every place of a grid [H, W] of a codebook with K entries.

    Its last layer starts at zero: untrained it gives every entry the same probability. The class `classes` stands for
    an image whose class is not known.
    """

    def __init__(self, size: int, grid: tuple[int, int], classes: int, *, layers: int, width: int) -> None:
        super().__init__()
        self.grid, self.classes = grid, classes
        self.places = grid[0] * grid[1]
        self.entry = nn.Embedding(size, width)
        self.row, self.column = nn.Embedding(grid[0], width), nn.Embedding(grid[1], width)
        self.told = nn.Embedding(classes + 1, width)
        for embedding in (self.entry, self.row, self.column, self.told):
            nn.init.normal_(embedding.weight, std=0.1)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, size)
        self.start_weights()

    def start_weights(self) -> None:
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def uniform(self) -> bool:
        """Whether every entry has the same probability, as before training: waits for the device."""
        return not bool(self.head.weight.any())

    def _where(self) -> Float[Tensor, "l w"]:
        return (self.row.weight[:, None] + self.column.weight).flatten(0, 1)

    def _labels(self, labels: Int[Tensor, " n"] | None, n: int) -> Int[Tensor, " n"]:
        if labels is None:
            return torch.full((n,), self.classes, device=self.head.weight.device)
        return labels.to(self.head.weight.device)

    def forward(
        self,
        index: Int[Tensor, "n l"],
        labels: Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n l"]:
        """-log p of each entry in nats, row by row; `labels` as class positions, None where they are not known.

        In training a generator chooses whose class it is not told.
        """
        told = self._labels(labels, len(index))
        if self.training and self.classes:
            untold = torch.rand(len(index), generator=generator, device=index.device) < _UNTOLD
            told = torch.where(untold, self.classes, told)
        first = self.told(told)[:, None]
        x = torch.cat([torch.zeros_like(first), self.entry(index[:, :-1])], 1) + first + self._where()
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.last(x)).float()
        return F.cross_entropy(logits.flatten(0, 1), index.flatten(), reduction="none").view(index.shape)

    @torch.inference_mode()
    def draw(
        self,
        chance: Float[Tensor, "n l"],
        labels: Int[Tensor, " n"] | None = None,
        *,
        temperature: float = 1.0,
        guidance: float = 0.0,
        given: Int[Tensor, "n k"] | None = None,
    ) -> Int[Tensor, "n l"]:
        """Draws grids, entry after entry, on the prior's device.

        Args:
            chance: uniform numbers in [0, 1), one for each entry: which it is, in the order of the codebook.
            labels: the class of each.
            temperature: divides the logits; at 0 each entry is the likeliest.
            guidance: w in (1 + w) log p(entry | class) - w log p(entry), without a normaliser.
            given: the first entries of each grid, which are kept.
        """
        n, device = len(chance), self.head.weight.device
        chance = chance.to(device)
        guided = bool(guidance) and labels is not None and self.classes > 0
        told = self._labels(labels, n)
        if guided:
            told = torch.cat([told, torch.full_like(told, self.classes)])
        known = 0 if given is None else given.shape[1]
        index = torch.zeros(n, self.places, dtype=torch.int64, device=device)
        if given is not None:
            index[:, :known] = given.to(device)
        where, first = self._where(), self.told(told)
        shape = (len(told), where.shape[1] // HEAD, self.places, HEAD)
        past = [(torch.empty(shape, device=device), torch.empty(shape, device=device)) for _ in self.layers]
        x = first
        for place in range(self.places):
            x = (x + where[place])[:, None]
            for layer, (keys, values) in zip(self.layers, past, strict=True):
                x = layer(x, (keys, values, place))
            if place >= known:
                logits = self.head(self.last(x[:, 0])).float()
                if guided:
                    logits = (1 + guidance) * logits[:n] - guidance * logits[n:]
                index[:, place] = _pick(logits, chance[:, place], temperature)
            entry = self.entry(index[:, place])
            x = first + (torch.cat([entry, entry]) if guided else entry)
        return index


def _pick(logits: Float[Tensor, "n k"], chance: Float[Tensor, " n"], temperature: float) -> Int[Tensor, " n"]:
    """Draws by inversion of the cumulative distribution: the same chance gives the same entry on every device."""
    if temperature < 1e-6:
        return logits.argmax(1)
    below = (logits / temperature).double().softmax(1).cumsum(1)
    picked = torch.searchsorted(below, chance.double()[:, None], right=True)[:, 0]
    return picked.clamp(max=logits.shape[1] - 1)
