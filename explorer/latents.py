"""Codes as data: a test set's stored codes, and what is asked of them: means, typical members, planes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.evaluation import Evaluation
from explorer.maps import Map, nearest
from explorer.models import Posterior
from explorer.objectives import gaussian_kl

# A latent whose KL is below this many nats, on average, is stored as its average: a hundred collapsed latents
# of ten thousand images would be most of a checkpoint's size and none of its content.
_COLLAPSED_NATS = 1e-3
_HALF_FROM = 500_000  # values: from here on codes are stored as float16, whose error is far below a posterior's width
_HALF_LARGEST = 60_000.0  # float16 ends at 65,504; a plain autoencoder's codes may lie beyond


@dataclass(frozen=True)
class Latents:
    """The codes of a data set: posterior [N, D], per image terms in nats [N], labels and maps.

    `index` int64 [N] is the position in the data set's split, so that a row can be traced to its image.
    """

    posterior: Posterior
    kl: Float[Tensor, " n"]
    reconstruction: Float[Tensor, " n"]
    index: Int[Tensor, " n"]
    labels: Int[Tensor, " n"] | None = None
    group: list[str] | None = None
    maps: dict[str, Map] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def mean(self) -> Float[Tensor, "n d"]:
        return self.posterior.mean

    @cached_property
    def kl_by_latent(self) -> Float[Tensor, " d"]:
        """Average KL of each latent in nats; zero for a deterministic code."""
        if torch.isneginf(self.posterior.logvar).any():
            return torch.zeros(self.mean.shape[1])
        return gaussian_kl(*self.posterior).mean(0)

    @classmethod
    def of(cls, evaluation: Evaluation, labels: Int[Tensor, " n"] | None, group: list[str] | None = None) -> Latents:
        """The codes of an evaluated data set, without maps."""
        return cls(
            evaluation.posterior,
            evaluation.kl,
            evaluation.reconstruction,
            torch.arange(len(evaluation.kl)),
            labels,
            group,
        )

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """As `latents.safetensors` stores it: tensors and metadata."""
        average = self.kl_by_latent
        deterministic = bool(torch.isneginf(self.posterior.logvar).any())
        kept = torch.arange(len(average)) if deterministic else torch.nonzero(average > _COLLAPSED_NATS).flatten()
        half = 2 * len(self) * len(kept) > _HALF_FROM and _largest(*self.posterior) < _HALF_LARGEST
        dtype = torch.float16 if half else torch.float32
        tensors = {
            "mean": self.mean[:, kept].to(dtype),
            "logvar": self.posterior.logvar[:, kept].to(dtype),
            "kept_latents": kept.to(torch.int32),
            "mean_average": self.mean.mean(0),
            "logvar_average": self.posterior.logvar.mean(0),
            "kl": self.kl,
            "reconstruction": self.reconstruction,
            "index": self.index.to(torch.int32),
        }
        if self.labels is not None:
            tensors["labels"] = self.labels.to(torch.int32)
        metadata = {"quality": json.dumps(self.quality)}
        if self.group is not None:
            names = sorted(set(self.group))
            place = {name: i for i, name in enumerate(names)}
            tensors["group"] = torch.tensor([place[g] for g in self.group], dtype=torch.int32)
            metadata["groups"] = json.dumps(names)
        for name, m in self.maps.items():
            if m.kind != "plane":
                tensors[f"map_{name}"] = m.points
            if m.mean is not None and m.components is not None:
                tensors[f"map_{name}_mean"], tensors[f"map_{name}_components"] = m.mean, m.components
        return tensors, metadata

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], metadata: dict[str, str]) -> Latents:
        """What `to_tensors` gave. Raises KeyError, ValueError, IndexError or RuntimeError when it is not that."""
        kept = tensors["kept_latents"].long()
        n = len(tensors["index"])
        rows = ["kl", "reconstruction", "labels", "group", "map_umap", "map_pca"]
        if odd := [name for name in rows if name in tensors and len(tensors[name]) != n]:
            raise ValueError(f"{odd[0]} has {len(tensors[odd[0]])} rows, not {n}")
        mean, logvar = tensors["mean_average"].repeat(n, 1), tensors["logvar_average"].repeat(n, 1)
        mean[:, kept] = tensors["mean"].float()
        logvar[:, kept] = tensors["logvar"].float()
        maps = {}
        if mean.shape[1] == 2:
            maps["plane"] = Map("plane", mean, mean)
        for kind in ("umap", "pca"):
            if f"map_{kind}" in tensors:
                maps[kind] = Map(
                    kind,
                    tensors[f"map_{kind}"],
                    mean,
                    tensors.get(f"map_{kind}_mean"),
                    tensors.get(f"map_{kind}_components"),
                )
        group = None
        if "group" in tensors:
            names = json.loads(metadata["groups"])
            group = [names[i] for i in tensors["group"].tolist()]
        return cls(
            Posterior(mean, logvar),
            tensors["kl"],
            tensors["reconstruction"],
            tensors["index"].long(),
            tensors["labels"].long() if "labels" in tensors else None,
            group,
            maps,
            json.loads(metadata.get("quality", "{}")),
        )


def _largest(*tensors: Tensor) -> float:
    """The largest absolute value that is finite: a deterministic code's logvar of -inf is stored as it is."""
    return max(float(t.nan_to_num(0.0, 0.0, 0.0).abs().max()) if t.numel() else 0.0 for t in tensors)


@dataclass(frozen=True)
class Group:
    """A set of items of `Latents`: their rows [M], mean code [D] and the rows of the most typical, nearest first."""

    rows: Int[Tensor, " m"]
    mean: Float[Tensor, " d"]
    typical: Int[Tensor, " t"]


def group(codes: Float[Tensor, "n d"], rows: Int[Tensor, " m"], *, typical: int = 24) -> Group:
    """Sum up some rows of the codes. The most typical members are those nearest to the mean code.

    Raises:
        ValueError: there are no rows.
    """
    if len(rows) == 0:
        raise ValueError("a group needs at least one member")
    members = codes[rows]
    mean = members.mean(0)
    _, order = nearest(mean[None], members, typical)
    return Group(rows, mean, rows[order[0]])


def neighbours(
    code: Float[Tensor, " d"], codes: Float[Tensor, "n d"], *, k: int = 8, without: int | None = None
) -> Int[Tensor, " k"]:
    """Rows of the k codes nearest to a code, nearest first, `without` one row (the item itself)."""
    _, index = nearest(code[None], codes, k + 1)
    rows = index[0]
    return rows[rows != without][:k] if without is not None else rows[:k]


def quantiles(n: int, outer: float) -> Float[Tensor, " n"]:
    """n places on an axis of the prior: norm.ppf of equally spaced quantiles from `outer` to 1 - outer.

    Guo 2020's grid is `quantiles(15, 0.05)`: equal steps of probability, so that the decoded grid shows images
    as often as the prior draws them.

    Raises:
        ValueError: n is less than 2, or outer is not between 0 and 0.5.
    """
    if n < 2 or not 0 < outer < 0.5:
        raise ValueError(f"a grid needs at least 2 places and an outer quantile between 0 and 0.5, not {n}, {outer}")
    return torch.special.ndtri(torch.linspace(outer, 1 - outer, n, dtype=torch.float64)).float()  # norm.ppf


@dataclass(frozen=True)
class Plane:
    """A plane in code space: code = origin + u * across + v * up, with origin, across and up float32 [D]."""

    origin: Float[Tensor, " d"]
    across: Float[Tensor, " d"]
    up: Float[Tensor, " d"]

    def codes(self, u: Float[Tensor, " m"], v: Float[Tensor, " m"]) -> Float[Tensor, "m d"]:
        """The codes at pairs of coordinates."""
        return self.origin + u[:, None] * self.across + v[:, None] * self.up

    def grid(self, axis: Float[Tensor, " n"]) -> Float[Tensor, "nn d"]:
        """The codes of an n x n grid over the plane, row by row from the top: v falls, u grows."""
        v, u = torch.meshgrid(axis.flip(0), axis, indexing="ij")
        return self.codes(u.flatten(), v.flatten())


def latent_plane(origin: Float[Tensor, " d"], a: int, b: int) -> Plane:
    """The plane along latents a and b through a code, at zero of both: u and v are the latents' values.

    Raises:
        ValueError: a latent is out of range, or both are the same.
    """
    d = len(origin)
    if a == b or not (0 <= a < d and 0 <= b < d):
        raise ValueError(f"a plane needs two different latents from 0 to {d - 1}, not {a} and {b}")
    start, across, up = origin.clone(), torch.zeros(d), torch.zeros(d)
    start[a] = start[b] = 0.0
    across[a] = up[b] = 1.0
    return Plane(start, across, up)


def principal_plane(codes: Float[Tensor, "n d"], components: Float[Tensor, "2 d"]) -> Plane:
    """The plane of two principal components through the mean code; u and v count standard deviations."""
    mean = codes.mean(0)
    spread = ((codes - mean) @ components.T).std(0, correction=0)
    return Plane(mean, components[0] * spread[0], components[1] * spread[1])


def plane_through(a: Float[Tensor, " d"], b: Float[Tensor, " d"], c: Float[Tensor, " d"]) -> Plane:
    """The plane through three codes: a at the lower left (-1, -1), b at the lower right, c at the upper left.

    Raises:
        ValueError: the three lie on a line.
    """
    across, up = (b - a) / 2, (c - a) / 2
    both = torch.stack([across, up]).double()
    gram = both @ both.T
    # The squared sine of their angle, whatever the scale: what remains of a line after float32's rounding is less.
    if torch.linalg.det(gram) <= 1e-8 * gram[0, 0] * gram[1, 1]:
        raise ValueError("the three points lie on a line: choose another one")
    return Plane(a + across + up, across, up)


def spread_plane(codes: Float[Tensor, "n 2"]) -> Plane:
    """The plane of two latents scaled to the codes: u and v count standard deviations from the mean code.

    For a deterministic code, which no prior keeps near zero.
    """
    mean, spread = codes.mean(0), codes.std(0, correction=0)
    across, up = torch.zeros(2), torch.zeros(2)
    across[0], up[1] = spread[0], spread[1]
    return Plane(mean, across, up)


@dataclass(frozen=True)
class Holes:
    """Where the aggregate posterior has no mass although the prior does.

    `hole` bool [H, W] over `x` [W] and `y` [H] (ascending), `mass` the prior's probability of the holes.
    """

    x: Float[Tensor, " w"]
    y: Float[Tensor, " h"]
    hole: Tensor
    mass: float


HOLE_RATIO = 0.1  # a hole is where q(z) < a tenth of p(z): ten times rarer than the prior promises
HOLE_REACH = 0.99  # of the prior's mass: beyond this ellipse nobody would draw a code


def find_holes(posterior: Posterior, *, fitted: bool, size: int = 160) -> Holes:
    """Holes of a two-dimensional aggregate posterior q(z) = mean over the data of q(z|x).

    With `fitted` (deterministic codes) the prior is the Gaussian fitted to the codes, from which one would have
    to draw (ex-post density estimation, Ghosh et al. 2020, arXiv:1903.12436), and q(z) a kernel density estimate
    of the codes whose bandwidth maximises the likelihood of held-out codes (Habbema et al. 1974), since a rule of
    thumb for one bell-shaped cluster would paint over the gaps between many; otherwise N(0, I) and the posteriors
    themselves.

    Args:
        posterior: mean and logvar [N, 2].
        size: cells along each axis of the picture.
    """
    mean = posterior.mean.double()
    if fitted:
        centre = mean.mean(0)
        covariance = torch.cov(mean.T, correction=0) + 1e-9 * torch.eye(2, dtype=torch.float64)
        variance = (covariance.diagonal() * _bandwidth(mean) ** 2).expand_as(mean)
    else:
        centre, covariance = torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
        variance = posterior.logvar.double().exp()
    reach = math.sqrt(-2 * math.log(1 - HOLE_REACH))  # radius of the chi-square with two degrees of freedom
    half = reach * covariance.diagonal().sqrt()
    x = torch.linspace(float(centre[0] - half[0]), float(centre[0] + half[0]), size, dtype=torch.float64)
    y = torch.linspace(float(centre[1] - half[1]), float(centre[1] + half[1]), size, dtype=torch.float64)
    # The Gaussians are axis-aligned, so the sum over items is one matrix product of two one-dimensional tables.
    q = _density_table(y, mean[:, 1], variance[:, 1]).T @ _density_table(x, mean[:, 0], variance[:, 0]) / len(mean)
    offset = torch.stack(torch.meshgrid(x - centre[0], y - centre[1], indexing="xy"), dim=-1)  # [H, W, 2]
    distance = (offset @ torch.linalg.inv(covariance) * offset).sum(-1)
    p = torch.exp(-0.5 * distance) / (2 * torch.pi * torch.linalg.det(covariance).sqrt())
    hole = (q < HOLE_RATIO * p) & (distance < reach**2)
    cell = float((x[1] - x[0]) * (y[1] - y[0]))
    return Holes(x.float(), y.float(), hole, float(p[hole].sum() * cell))


def _bandwidth(codes: Float[Tensor, "n 2"]) -> float:
    """The kernel's width, in standard deviations of the codes, under which half the codes predict the others best."""
    codes = codes / codes.std(0, correction=0).clamp_min(1e-9)
    known, held_out = codes[::2][:4000], codes[1::2][:2000]
    squared = torch.cdist(held_out, known).square()
    widths = torch.logspace(-2, 0, 17, dtype=torch.float64)
    score = [torch.logsumexp(-0.5 * squared / w**2, dim=1).mean() - 2 * torch.log(w) for w in widths]
    return float(widths[int(torch.stack(score).argmax())])


def _density_table(
    at: Float[Tensor, " m"], mean: Float[Tensor, " n"], variance: Float[Tensor, " n"]
) -> Float[Tensor, "n m"]:
    scaled = (at[None, :] - mean[:, None]).square() / variance[:, None]
    return torch.exp(-0.5 * scaled) / torch.sqrt(2 * torch.pi * variance)[:, None]
