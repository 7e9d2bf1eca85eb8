"""Codes at rest: a data set's posteriors with their maps, as a checkpoint stores them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.latents import maps
from explorer.latents.items import Items, sorted_places
from explorer.latents.maps import Map
from explorer.models import Posterior
from explorer.models.evaluation import Evaluation

# A latent whose KL is below this many nats, on average, is stored as its average: a hundred collapsed latents
# of ten thousand images would be most of a checkpoint's size and none of its content.
_COLLAPSED_NATS = 1e-3
_HALF_FROM = 500_000  # values: from here on codes are stored as float16, whose error is far below a posterior's width
_HALF_LARGEST = 60_000.0  # float16 ends at 65,504; a plain autoencoder's codes may lie beyond


@dataclass(frozen=True)
class Latents:
    """The codes of a data set: posterior [N, D], per image terms in nats [N], labels and maps.

    `index` int64 [N] is the position in the data set's split, so that a row can be traced to its image. `kl_by_group`
    [G] is the average KL of each group of latents in nats; None where nobody has measured it. `codebook` [C, E] has the
    entries that codes are made of, of a model whose codes are so: they are then stored by which entries they are.
    `items` has the names of the images' files, where they are known.
    """

    posterior: Posterior
    kl: Float[Tensor, " n"]
    reconstruction: Float[Tensor, " n"]
    index: Int[Tensor, " n"]
    labels: Int[Tensor, " n"] | None = None
    group: list[str] | None = None
    maps: dict[str, Map] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    kl_by_group: Float[Tensor, " g"] | None = None
    codebook: Float[Tensor, "c e"] | None = None
    items: Items | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def mean(self) -> Float[Tensor, "n d"]:
        return self.posterior.mean

    @property
    def deterministic(self) -> bool:
        """Whether an image has one code and no distribution of them."""
        return bool(torch.isneginf(self.posterior.logvar).any())

    @property
    def kl_by_latent(self) -> Float[Tensor, " d"] | None:
        """Average KL of each latent in nats; None where latents are not charged one by one."""
        if self.kl_by_group is None or len(self.kl_by_group) != self.mean.shape[1] or self.deterministic:
            return None
        return self.kl_by_group

    @cached_property
    def groups(self) -> tuple[list[str], Int[Tensor, " n"]]:
        """The groups' names, numbers in them by size (C5 before C46), and each code's place among them.

        Raises:
            ValueError: the codes have no groups.
        """
        if self.group is None:
            raise ValueError("these codes have no groups")
        return sorted_places(self.group)

    @classmethod
    def of(
        cls,
        evaluation: Evaluation,
        labels: Int[Tensor, " n"] | None,
        group: list[str] | None = None,
        items: Items | None = None,
    ) -> Latents:
        """The codes of an evaluated data set, without maps."""
        return cls(
            evaluation.posterior,
            evaluation.kl,
            evaluation.reconstruction,
            torch.arange(len(evaluation.kl)),
            labels,
            group,
            kl_by_group=evaluation.kl_by_group,
            items=items,
        )

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """As `latents.safetensors` stores it: tensors and metadata."""
        average = self.kl_by_latent
        kept = torch.arange(self.mean.shape[1])
        if average is not None:
            kept = kept[average > _COLLAPSED_NATS]
        if self.codebook is not None:
            kept = kept[:0]
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
        if self.codebook is not None:
            tensors["codebook"], tensors["entries"] = self.codebook, _entries(self.mean, self.codebook)
        if self.kl_by_group is not None:
            tensors["kl_by_group"] = self.kl_by_group
        if self.labels is not None:
            tensors["labels"] = self.labels.to(torch.int32)
        if self.items is not None:
            tensors["items"] = self.items.to_tensor()
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
        if "entries" in tensors:
            mean = tensors["codebook"].float()[tensors["entries"].long()].flatten(1)
        logvar[:, kept] = tensors["logvar"].float()
        maps = {}
        if mean.shape[1] == 2 and "map_pca" not in tensors:
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
            tensors.get("kl_by_group"),
            tensors.get("codebook"),
            Items.from_tensor(tensors["items"]) if "items" in tensors else None,
        )


def _entries(codes: Float[Tensor, "n d"], codebook: Float[Tensor, "c e"]) -> Tensor:
    """Which entries of the codebook codes are made of, [N, L], in as few bytes as tell them apart."""
    parts = codes.unflatten(1, (-1, codebook.shape[1]))
    found = torch.cat([torch.cdist(p.flatten(0, 1), codebook).argmin(1).view(p.shape[:2]) for p in parts.split(256)])
    return found.to(torch.uint8 if len(codebook) <= 256 else torch.int32)


def _largest(*tensors: Tensor) -> float:
    """The largest absolute value that is finite: a deterministic code's logvar of -inf is stored as it is."""
    return max(float(t.nan_to_num(0.0, 0.0, 0.0).abs().max()) if t.numel() else 0.0 for t in tensors)


def map_latents(latents: Latents, *, plane: bool, final: bool, umap: bool = True, seed: int = 0) -> Latents:
    """The latents with their maps; codes that are a `plane` as they are, are never put through anything.

    What takes long, UMAP and the maps' quality (ten seconds and more for 10,000 codes of 100 latents), is left
    to the `final` checkpoint: a run saves every minute. Of more than 10,000 codes the quality is that of 2,000: of
    those that UMAP was not fitted to but has placed, a share that is told with it.
    """
    if plane:
        made = {"plane": maps.plane(latents.mean)}
    else:
        made = {"pca": maps.pca(latents.mean)}
        if final and umap and len(latents) > maps.NEIGHBOURS:
            made["umap"] = maps.fit_umap(latents.mean, seed=seed)
    if not final:
        return replace(latents, maps=made)
    fitted = maps.fitted_rows(len(latents), seed)
    rows = slice(None) if fitted is None else maps.judged(len(latents), fitted)
    labels = None if latents.labels is None else latents.labels[rows]
    quality = {name: maps.quality(latents.mean[rows], m.points[rows], labels) for name, m in made.items()}
    if fitted is not None and "umap" in made:
        quality["umap"]["placed"] = 1 - len(fitted) / len(latents)
    return replace(latents, maps=made, quality=quality)
