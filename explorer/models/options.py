"""Settings that describe and check themselves: the fields of a dataclass with label, help, limits and choices.

The same fields are the documentation, the options of `python -m explorer train`, the form on the Train screen and
the JSON in a checkpoint's config.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import MISSING, Field, field, fields
from reprlib import repr as quoted  # in a few characters: a value may come from anywhere
from typing import Any

from explorer.models.registry import Registry


def option(label: str, group: str, help: str, default: Any = MISSING, **more: Any) -> Any:
    """Makes a dataclass field that carries what a form or a command line has to say of it.

    Args:
        label: a short name for a person.
        group: the part of a form that it belongs to.
        help: plain words, without a full stop at the end.
        default: its value where none is given; without one it must be given.
        more: `choices`, a `Registry` or names; `minimum` and `maximum`, inclusive, of each number of a tuple;
            `length`, of a tuple, and `longest`, how many numbers it has at most; `step`, of a form's buttons;
            `of_family`, whether only families that name it in their `settings` read it; `of`, another option, by its
            name, and the choices of it that read this one.
    """
    return field(default=default, metadata={"label": label, "group": group, "help": help, **more})


def help_of(setting: Field[Any], *, by_label: bool = False) -> str:
    """The help of an option, with what each of its choices means: see `Registry.help`."""
    text, choices = str(setting.metadata["help"]), setting.metadata.get("choices")
    return f"{text}: {choices.help(by_label=by_label)}" if isinstance(choices, Registry) else text


def check_options(settings: Any) -> None:
    """Puts every option of a dataclass into its field's type, and checks it.

    Raises:
        ValueError: a value cannot be; the message is one sentence that begins with its name and says what to do.
    """
    for f in fields(settings):
        if not f.metadata:
            continue
        value = _typed(f.name, str(f.type), getattr(settings, f.name), f.metadata)
        for number in value if isinstance(value, tuple) else (value,):
            _check_range(f.name, number, f.metadata.get("minimum"), f.metadata.get("maximum"))
        object.__setattr__(settings, f.name, value)


def _typed(name: str, kind: str, value: Any, metadata: Any) -> Any:
    """The value in its field's type; JSON makes lists of tuples, and people write 1 for 1.0."""
    choices: Iterable[str] | None = metadata.get("choices")
    if choices is not None and (not isinstance(value, str) or value not in choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {quoted(value)}")
    if kind == "bool" and type(value) is not bool:
        raise ValueError(f"{name} must be true or false, not {quoted(value)}")
    if kind == "int" and type(value) is not int:
        raise ValueError(f"{name} must be a whole number, not {quoted(value)}")
    if kind == "float":
        if type(value) not in (int, float):
            raise ValueError(f"{name} must be a number, not {quoted(value)}")
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a finite number, not one of {len(str(abs(value))):,} digits") from None
    if kind.startswith("tuple"):
        if not isinstance(value, list | tuple) or not all(type(number) is int for number in value):
            raise ValueError(f"{name} must be a list of whole numbers, such as 256 or 256, 128, not {quoted(value)}")
        if (length := metadata.get("length")) is not None and len(value) != length:
            raise ValueError(f"{name} must be {length} whole numbers, not {quoted(value)}")
        if len(value) > metadata.get("longest", len(value)):
            raise ValueError(f"{name} must be at most {metadata['longest']} whole numbers, not {len(value):,}")
        return tuple(value)
    return value


def _check_range(name: str, value: Any, minimum: float | None, maximum: float | None) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")
    if minimum is not None and value < minimum:
        if minimum == 0:
            raise ValueError(f"{name} must be zero or more, not {quoted(value)}")
        least = "more than zero" if value <= 0 else f"at least {minimum:g}"
        raise ValueError(f"{name} must be {least}, not {quoted(value)}")
    if maximum is not None and value > maximum:
        shown = f"{value:,}" if value < 10**30 else quoted(value)
        raise ValueError(f"{name} must be at most {maximum:,}, not {shown}")
