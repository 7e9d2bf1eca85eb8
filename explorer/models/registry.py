"""Registries: the one place where the choices of a setting are listed, each with its words.

What a form offers, the command line takes, a validator lets pass and a help text explains is read from here. So
something new is one call of `register`, wherever it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.models.base import LatentModel
    from explorer.models.config import ModelSettings
    from explorer.models.likelihoods import Likelihood
    from explorer.models.networks import Network
    from explorer.models.posteriors import Posterior
    from explorer.models.priors import Prior

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Named things of one kind, in the order in which they were registered."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}
        self._words: dict[str, tuple[str, str]] = {}
        self._unlisted: set[str] = set()

    def register(self, name: str, label: str, help: str, *, listed: bool = True) -> Callable[[T], T]:
        """Returns a decorator that adds a thing; a name that is there already is given to the new one.

        Args:
            name: what commands, files and addresses call it.
            label: what a person calls it in the middle of a sentence, such as `conditional VAE`.
            help: a clause without a full stop that says what choosing it means.
            listed: False for what nobody can choose, such as the family of models that were trained elsewhere: it is
                found by its name, and in no list.
        """
        (self._unlisted.discard if listed else self._unlisted.add)(name)

        def add(thing: T) -> T:
            self._things[name], self._words[name] = thing, (label, help)
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._things

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._things if name not in self._unlisted)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def label(self, name: str) -> str:
        """The label of a thing; of a name that is not registered, the name itself."""
        return self._words.get(name, (name, ""))[0]

    def help(self, *, by_label: bool) -> str:
        """What each choice means, in one clause: each by its label, as on screens, or by its name, as in commands."""
        words = ((name, *self._words[name]) for name in self)
        return "; ".join(f"{label if by_label else name} – {help}" for name, label, help in words)


FAMILIES: Registry[type[LatentModel]] = Registry()
NETWORKS: Registry[Network] = Registry()
LIKELIHOODS: Registry[type[Likelihood]] = Registry()
OUTPUTS: Registry[Callable[[Tensor], Tensor]] = Registry()
POSTERIORS: Registry[Callable[[ModelSettings], type[Posterior]]] = Registry()
PRIORS: Registry[type[Prior] | None] = Registry()
INITIALISATIONS: Registry[Callable[[Tensor], object] | None] = Registry()
SAMPLINGS: Registry[Callable[[int, int], Tensor]] = Registry()
"""By name, what a batch of B images stands for among N: log weights [B, B] of the posteriors at each image's code."""
