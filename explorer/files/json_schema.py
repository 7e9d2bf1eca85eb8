"""Declares what the values of a JSON object from anywhere must be: types, ranges, lengths, words."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from explorer.files.zips import printable

Check = Callable[[str, Any], None]
"""Raises ValueError, a sentence that begins with the name that it is given, unless a value is what it must be."""

_LARGEST = 3.5e38  # float32's largest, about: what is larger was never a sum of ours


quoted = reprlib.repr
"""A value in a few characters."""


def refusal(name: str, what: str, value: Any) -> ValueError:
    """The error for a value that is not `what` it must be; the value is quoted in a few characters."""
    return ValueError(f"{name} must be {what}, not {quoted(value)}")


def whole(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(name: str, value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise refusal(name, f"a whole number from {low:,} to {high:,}", value)

    return check


def number(low: float = -_LARGEST, high: float = _LARGEST) -> Check:
    """A finite number from `low` to `high`."""

    def check(name: str, value: Any) -> None:
        if type(value) not in (int, float) or not low <= value <= high:  # which compares exactly, whatever the digits
            raise refusal(name, "a number from 0" if low == 0 else "a finite number", value)

    return check


def any_number(name: str, value: Any) -> None:
    """A number, which may be NaN or infinite, but has no hundreds of digits."""
    if type(value) is not float and not finite(value):
        raise refusal(name, "a number", value)


def text(most: int = 1000) -> Check:
    """Words of at most so many characters, none of which are control characters or turn the direction of writing."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or len(value) > most or printable(value) != value:
            raise refusal(name, f"text of at most {most:,} characters", value)

    return check


def moment(name: str, value: Any) -> None:
    """A date and time in ISO 8601."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal(name, "a date and time", value) from None


def nothing_or(check: Check) -> Check:
    """Null, or what another check asks for."""
    return lambda name, value: None if value is None else check(name, value)


def either(*checks: Check) -> Check:
    """What one of some checks asks for; the error is that of the last."""

    def check(name: str, value: Any) -> None:
        for other in checks[:-1]:
            try:
                return other(name, value)
            except ValueError:
                continue
        return checks[-1](name, value)

    return check


def flag(name: str, value: Any) -> None:
    """True or false."""
    if type(value) is not bool:
        raise refusal(name, "true or false", value)


def listed(each: Check, most: int, *, least: int = 0, unique: bool = False) -> Check:
    """A list of `least` to `most` values, which differ if they are to be `unique`."""

    def check(name: str, value: Any) -> None:
        inside = f"each of {name}"
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise refusal(name, f"a list of {least:,} to {most:,} values", value)
        for item in value:
            each(inside, item)
        if unique and len(set(value)) < len(value):
            raise ValueError(f"{name} must differ from each other, not {quoted(value)}")

    return check


def table(each: Mapping[str, Check], needed: tuple[str, ...] = ()) -> Check:
    """An object with the `needed` names, whose values are checked by name; names that it does not know may be there."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise refusal(name, "an object", value)
        inside = f"{name}." if name else ""
        for key in needed:
            if key not in value:
                raise ValueError(f"{inside}{key} is missing")
        for key, own in each.items():
            if key in value:
                own(f"{inside}{key}", value[key])

    return check


def mapping(each: Check, most: int = 100) -> Check:
    """An object of at most `most` names, all of whose values are of a kind."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict) or len(value) > most:
            raise refusal(name, f"an object of at most {most:,} names", value)
        for key, item in value.items():
            text(100)(f"a name in {name}", key)
            each(f"{name}.{key}", item)

    return check


def finite(value: Any) -> bool:
    """Whether a value is a number that is finite, true and false aside."""
    return type(value) in (int, float) and abs(value) <= _LARGEST  # which no NaN is
