"""The mean code of every class, and whether it is a place that the class itself knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from explorer.latents.neighbourhoods import nearest, neighbours_of_each

NEIGHBOURS = 15  # codes around a mean that say whose place it is
_FEWEST = 20  # members from which a class has a shape to speak of
_MOST = 2000  # members whose shape is looked at: more would change its figures by less than a hundredth
_SIDE = 0.15  # share of the members that makes a side of a gap a cluster, and not a few outlying ones
_ROUNDS = 30  # of 2-means, which ends by itself long before
_BLOCK = 8_000_000  # numbers of images at a time
_PICTURES = 500  # whose distances to all images are in memory together
_PLACES = 256  # on the line between two halves
_HALF_NORMAL = (1 - 2 / np.pi) ** 0.5  # standard deviation of half a standard Gaussian

# Chosen by looking at the decoded means of all shipped checkpoints. At 7 of 15 neighbours of its own a mean still
# decoded as its class (the 9 of mnist-ae-2d, the pullover of fashion-mlp-2d), at 6 no more (the 4, the coat).
_LEAST_OWN = 0.45
_LEAST_TYPICAL = 0.3
_LEAST_THINNING = 0.5  # plain Gaussian classes of 50 members stay above 0.7


@dataclass(frozen=True)
class ClassMeans:
    """The mean code [C, D] and the number of members of each class, with three signs of a mean that decodes badly.

    `own`: the share of the 15 codes nearest to the mean, or of as many as a smaller class has members, that are of the
    class. `typical`: the share of the members that lie in a sparser place of their class than the mean does.
    `thinning`: the class's density in the gap between its two halves, over the density on the side of the gap where it
    is lower: near 0 for two clusters apart, 1 for one cluster. Rows and figures are NaN where a class has no members;
    `typical` and `thinning` with fewer than 20.
    """

    codes: Float[Tensor, "c d"]
    counts: Int[Tensor, " c"]
    own: Float[Tensor, " c"]
    typical: Float[Tensor, " c"]
    thinning: Float[Tensor, " c"]

    @property
    def doubtful(self) -> Bool[Tensor, " c"]:
        """Which means are likely to decode badly; `reason` says why. False without members."""
        return (self.own < _LEAST_OWN) | (self.typical < _LEAST_TYPICAL) | (self.thinning < _LEAST_THINNING)

    def reason(self, label: int) -> str:
        """Says why a class's mean is doubtful, as the end of a sentence; empty when it is not."""
        if self.thinning[label] < _LEAST_THINNING:
            return "the class has several clusters, and its mean lies between them"
        if self.own[label] < _LEAST_OWN:
            return "most of the codes around the mean are of other classes"
        if self.typical[label] < _LEAST_TYPICAL:
            return "the class is spread around its mean, with few members near it"
        return ""


def class_means(codes: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int) -> ClassMeans:
    """Averages the codes of every class, from 0 to classes - 1.

    Larsen et al. 2016, arXiv:1512.09300, add and subtract such means as attribute vectors. A mean is where the codes
    of a class balance, and need not be where any of them is: hence the figures beside it, which are this package's
    own.

    Raises:
        ValueError: a label is not one of the classes.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels of {classes} classes run from 0 to {classes - 1}")
    means = torch.full((classes, codes.shape[1]), torch.nan)
    own, typical, thinning = torch.full((3, classes), torch.nan)
    for label in labels.unique().tolist():
        members = codes[labels == label]
        means[label] = members.double().mean(0)
        _, index = nearest(means[label][None], codes, min(NEIGHBOURS, len(members)))
        own[label] = (labels[index[0]] == label).float().mean()
        if len(members) >= _FEWEST:
            order = torch.randperm(len(members), generator=torch.Generator().manual_seed(0))
            members = members[order[:_MOST]]
            typical[label] = _typical(means[label], members)
            thinning[label] = _thinning(members)
    return ClassMeans(means, torch.bincount(labels, minlength=classes), own, typical, thinning)


def image_votes(
    pictures: Float[Tensor, "c ch h w"],
    images: UInt8[Tensor, "n ch h w"],
    labels: Int[Tensor, " n"],
    classes: int,
    voters: Int[Tensor, " c"] | None = None,
) -> Int[Tensor, "c k"]:
    """Counts how many of the 15 images nearest to each picture, by squared differences of pixels, are of each class.

    Whether a decoded mean looks like its class is for the eye to say, and this comes nearest to it. On the shipped
    models it names the 4 of mnist-mlp-2d, which is drawn as a 9, the 4 and the 8 of mnist-ae-2d, the 5 of
    mnist-mlp-2d-mse and the sandals that are drawn as sneakers. To encode the decoded mean again and look among which
    codes it lands names, for those, 5, 6, 7 and 9 that look well, and not that 4.

    `voters` says of how many images at most for each picture: a class of fewer than 15 could not win otherwise.
    """
    index = torch.cat([_nearest_images(some, images) for some in pictures.flatten(1).split(_PICTURES)])
    # Fifteen fit into a byte, and classes may be ten thousand.
    votes = torch.zeros(len(index), classes, dtype=torch.int8)
    counts = torch.ones_like(index, dtype=torch.int8)
    if voters is not None:
        counts *= torch.arange(index.shape[1]) < voters[:, None]  # the nearest come first
    return votes.scatter_add_(1, labels[index], counts)


def _nearest_images(wanted: Float[Tensor, "c p"], images: UInt8[Tensor, "n ch h w"]) -> Int[Tensor, "c k"]:
    squares = []
    for block in images.split(max(1, _BLOCK // max(1, wanted.shape[1]))):
        shown = block.flatten(1).float() / 255
        squares.append(torch.addmm(shown.square().sum(1), wanted, shown.T, alpha=-2))
    return torch.cat(squares, 1).topk(min(NEIGHBOURS, len(images)), largest=False).indices


def _typical(mean: Float[Tensor, " d"], members: Float[Tensor, "m d"]) -> float:
    """Counts the share of members whose k-th neighbour in the class is farther off than the mean's.

    k is a twentieth of the members, 15 at least: distances to fewer are too noisy to rank.
    """
    k = max(NEIGHBOURS, len(members) // 20)
    among, _ = neighbours_of_each(members, k)
    of_mean, _ = nearest(mean[None], members, k)
    return float((among[:, -1] >= of_mean[0, -1]).float().mean())


def _thinning(members: Float[Tensor, "m d"]) -> float:
    """Measures the depth of the gap between the halves that 2-means finds, where members are projected on their line.

    Each half of the members is projected on a line that was found in the other half: the line through the very
    members that it was found in has a gap for a plain Gaussian of many latents, too.
    """
    x = members.double()
    return (_gap(_along_halves(x[::2], x[1::2])) + _gap(_along_halves(x[1::2], x[::2]))) / 2


def _along_halves(found_in: Float[Tensor, "f d"], projected: Float[Tensor, "p d"]) -> np.ndarray:
    """Projects codes on the line between the centres that 2-means finds in others; zero half way."""
    centred = found_in - found_in.mean(0)
    if not centred.any():
        return np.zeros(len(projected))
    # The first principal axis is where 2-means would end if members could be split between halves (Ding & He 2004).
    place = _first_scores(centred)
    for _ in range(_ROUNDS):
        high = place > 0
        above, below = found_in[high].mean(0), found_in[~high].mean(0)
        line, middle = above - below, (above + below) / 2
        place = (found_in - middle) @ line
        if torch.equal(place > 0, high):
            break
    return ((projected - middle) @ line).numpy()


def _first_scores(centred: Float[Tensor, "f d"]) -> Float[Tensor, " f"]:
    """Computes the scores [F] of centred codes on their first principal axis.

    Of fewer codes than latents they are the first eigenvector of the Gram matrix, to a factor. Lanczos' method
    (ARPACK) finds the one that is wanted: all of them take forty times as long at a thousand.
    """
    from scipy.sparse.linalg import eigsh

    f, d = centred.shape
    if d == 1:
        return centred[:, 0]
    moment = centred @ centred.T if f < d else centred.T @ centred
    # Its row of most length is far from orthogonal to the axis; a start at random would change from run to run.
    start = moment[moment.diagonal().argmax()]
    _, vectors = eigsh(moment.numpy(), k=1, v0=start.numpy())
    first = torch.from_numpy(vectors[:, 0])
    return first if f < d else centred @ first


def _gap(x: np.ndarray) -> float:
    """Measures how deep a sample's [M] density falls between two parts, over the lower of their peaks; else 1.

    A Gaussian kernel density with the normal reference bandwidth, 1.06 spread M^(-1/5) (Silverman 1986, section
    3.4). The spread is the least of three that agree for a Gaussian: two clusters apart have a large standard
    deviation, and a bandwidth to match would fill the gap.
    """
    first, lower, upper, last = np.quantile(x, [0.01, 0.25, 0.75, 0.99])
    sides = np.concatenate([side - side.mean() for side in (x[x < 0], x[x >= 0]) if len(side)])
    spread = min(x.std(), (upper - lower) / 1.34 or np.inf, sides.std() / _HALF_NORMAL or np.inf)
    if not spread > 0:
        return 1.0
    places = np.linspace(first, last, _PLACES)
    bandwidth = 1.06 * spread * len(x) ** -0.2
    density = np.exp(-0.5 * ((places[:, None] - x) / bandwidth) ** 2).sum(1)
    before, after = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    below = (x < places[:, None]).mean(1)
    inner = (below >= _SIDE) & (below <= 1 - _SIDE)
    lower = np.minimum(before, after)
    # Codes of a few entries are far apart: there is no peak on one side of the first places, and no fall.
    depth = np.divide(density, lower, out=np.ones_like(density), where=lower > 0)
    return float(depth[inner].min(initial=1.0))
