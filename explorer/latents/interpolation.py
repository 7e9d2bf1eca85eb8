"""Ways from one code to another: the straight line, the great circle, and walks through several stops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Leg = Callable[[Tensor, Tensor, int], Tensor]  # codes [S, D] from one code to another in S steps

# Angles from here on are told from none, and from half a turn: the rounding of float32 codes makes about 1e-7.
_ANGLE = 1e-6


def lerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """Walks the straight line from a to b at equal distances, with exact ends: (1 - t) a + t b.

    Raises:
        ValueError: there are fewer than two steps.
    """
    t = _times(steps)
    return _with_ends(a, b, (1 - t) * a.double() + t * b.double())


def slerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """Walks the great circle about the origin from a to b at equal angles, with exact ends.

    Shoemake 1985, "Animating rotation with quaternion curves", its Slerp: for unit codes at an angle w,
    (sin((1 - t) w) a + sin(t w) b) / sin(w). White 2016, arXiv:1609.04468, takes it to latents: a prior of many
    dimensions has its mass in a shell, which a straight line leaves. Ends of different norms are joined by
    turning the direction so and changing the norm evenly from one to the other; White's code puts such ends in the
    formula as they are, whose norm in between grows without bound as the angle comes near half a turn. Both are the
    same where the norms are. Parallel codes have the straight line between them.

    Raises:
        ValueError: there are fewer than two steps; an end is at the origin, or the ends lie opposite each other
            (no single great circle joins them).
    """
    t = _times(steps)
    length_a, length_b = a.double().norm(), b.double().norm()
    if not (length_a > 0 and length_b > 0):
        raise ValueError("a code at the origin has no direction: take the straight line, or another code")
    unit_a, unit_b = a.double() / length_a, b.double() / length_b
    # Kahan's angle: the arc cosine of the scalar product would lose half the digits of a small one.
    angle = 2 * math.atan2(float((unit_a - unit_b).norm()), float((unit_a + unit_b).norm()))
    if angle > math.pi - _ANGLE:
        raise ValueError(
            "the two codes lie on opposite sides of the origin, where no single great circle joins them: "
            "take the straight line, or a stop in between"
        )
    if angle < _ANGLE:
        return lerp(a, b, steps)
    turned = (torch.sin((1 - t) * angle) * unit_a + torch.sin(t * angle) * unit_b) / math.sin(angle)
    return _with_ends(a, b, ((1 - t) * length_a + t * length_b) * turned)


def walk(
    stops: Float[Tensor, "s d"], steps: int, *, way: Literal["line", "circle"] | Leg = "line"
) -> Float[Tensor, "steps d"]:
    """Walks from the first stop through all others to the last, every stop exactly; `stop_steps` says where.

    Each leg is a `lerp`, a `slerp`, or what a function of the same arguments gives (`NeighbourGraph.path`).

    Raises:
        ValueError: there are fewer than two stops, or fewer steps than stops; two stops in a row have no great
            circle between them.
    """
    places = stop_steps(len(stops), steps)
    go = way if callable(way) else {"line": lerp, "circle": slerp}[way]
    legs = [
        go(a, b, end - start + 1)[1:]
        for a, b, start, end in zip(stops[:-1], stops[1:], places[:-1], places[1:], strict=True)
    ]
    return torch.cat([stops[:1], *legs])


def stop_steps(stops: int, steps: int) -> list[int]:
    """Places the stops of a walk among its steps, from 0 to steps - 1: legs differ by one step at most.

    Raises:
        ValueError: there are fewer than two stops, or fewer steps than stops.
    """
    if stops < 2:
        raise ValueError("a walk needs at least two stops")
    if steps < stops:
        raise ValueError(f"a walk through {stops} stops needs at least {stops} steps, not {steps}")
    return [i * (steps - 1) // (stops - 1) for i in range(stops)]


def _times(steps: int) -> Tensor:
    """Spaces t [steps, 1] evenly from 0 to 1."""
    if steps < 2:
        raise ValueError(f"a way from one code to another needs at least 2 steps, not {steps}")
    return torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]


def _with_ends(a: Tensor, b: Tensor, codes: Tensor) -> Tensor:
    codes = codes.to(a.dtype)
    codes[0], codes[-1] = a, b
    return codes
