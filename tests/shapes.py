"""How types and shapes are checked while the tests run: in each test the first calls of every function."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable

import jaxtyping
from beartype import BeartypeConf, beartype

_OFTEN = 10  # a loop's later calls tell nothing new, and checks make a call of few lines many times slower

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int where a float is asked for is Python's custom
calls: Counter[object] = Counter()
"""How often the code of each function has been called in this test."""


def check_first_calls(packages: str) -> None:
    """Let the functions and dataclasses of packages that are imported from now on be checked."""
    jaxtyping.jaxtyped = _at_first(jaxtyping.jaxtyped)
    jaxtyping.install_import_hook(packages, f"{__name__}.check")


def _at_first(jaxtyped: Callable) -> Callable:
    """The decorator that the import hook puts on everything, for no more than the first calls, and made at the first.

    To be made is what costs most, for a function within a function again with every call of the outer one.
    """

    def decorator(*, typechecker):
        def decorate(thing):
            if isinstance(thing, type):
                if dataclasses.is_dataclass(thing) and "__init__" in vars(thing):
                    thing.__init__ = decorate(thing.__init__)
                return thing
            checked = None

            @functools.wraps(thing)
            def function(*args, **kwargs):
                nonlocal checked
                calls[thing.__code__] += 1
                if calls[thing.__code__] > _OFTEN:
                    return thing(*args, **kwargs)
                checked = checked or jaxtyped(thing, typechecker=typechecker)
                return checked(*args, **kwargs)

            return function

        return decorate

    return decorator
