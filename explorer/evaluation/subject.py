"""What is measured: a model with the images of its training and test sets, and what several measures share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float, Int
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.model import Model
from explorer.datasets import ImageDataset
from explorer.models.evaluation import Evaluation, log_likelihood

Progress = Callable[[str, int, int | None], None]
"""Is called with what is going on, how much of it is done, and how much there is."""


class NotMeasured(Exception):
    """A measure that a model, or its data, does not have: the message says in one sentence why."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, its data, and how thoroughly it is measured.

    Attributes:
        model: the model.
        train, test: the images of both splits; of a model of one class those of that class.
        draws: of z for the importance-weighted log-likelihood of an image; None leaves that out.
        seed: of everything random.
        progress: hears how far a long measure is.
    """

    model: Model
    train: ImageDataset
    test: ImageDataset
    draws: int | None = None
    seed: int = 0
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise ValueError(f"k must be at least 1, not {self.draws}")

    @classmethod
    def of(
        cls,
        model: Model,
        dataset: str | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        draws: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Subject:
        """Loads the data, by default those that the model was trained on.

        Raises:
            DatasetError: they are missing or damaged.
            ValueError: fewer than one draw is asked for.
        """
        own, (channels, height, _) = model.info.config["dataset"], model.image_shape
        name = dataset or own["name"]

        def split(which: str) -> ImageDataset:
            found = datasets.load(name, which, root=root, size=height, channels=channels)
            only = own.get("only") if name == own["name"] else None
            return found if only is None else found.subset(found.positions_of(only))

        return cls(model, split("train"), split("test"), draws, seed, progress)

    def labels(self, data: ImageDataset) -> Int[Tensor, " n"] | None:
        """The labels of a split, where its classes are the model's."""
        return data.labels if data.classes == self.model.classes else None

    @cached_property
    def evaluation(self) -> Evaluation:
        """The terms of the ELBO of the test images."""
        return self.model.evaluate(self.test.images, self.labels(self.test), seed=self.seed)

    @cached_property
    def log_likelihood(self) -> Float[Tensor, " n"]:
        """The importance-weighted bound on log p(x) of each test image, nats.

        Raises:
            NotMeasured: there is none, or nobody asks for it.
        """
        if not self.model.has_prior:
            raise NotMeasured("The model has no prior.")
        if self.draws is None:
            raise NotMeasured("Draws were not asked for: --k 500 takes 500 of each image.")
        if self.model.conditional and self.labels(self.test) is None:
            raise NotMeasured("The decoder is told a class, and these images have none of its classes.")
        return log_likelihood(
            self.model.network,
            self.test.images,
            self.labels(self.test),
            samples=self.draws,
            seed=self.seed,
            progress=self._says("log-likelihood"),
        )

    def _says(self, what: str) -> Callable[[int, int | None], None]:
        return lambda done, of: None if self.progress is None else self.progress(what, done, of)
