"""Codes as data, and what is done with them: means, arithmetic, walks, traversals, directions, densities.

Plain functions on arrays: a code is float32 [D], several are [N, D], on the CPU.

    from explorer import latents

    z = model.latents
    means = latents.class_means(z.mean, z.labels, len(model.classes))
    path = latents.walk(means.codes[[3, 8]], 24, way="circle")      # [24, D]
    shares = latents.Density.of(z.posterior).share(path)            # [24], 0 to 1
    scope = latents.Scope(means.codes, model.classes, z.mean)
    code = latents.evaluate("mean(7) - mean(1) + mean(4)", scope).code
    images = model.decode(path)
"""

from __future__ import annotations

from explorer.latents.density import Density
from explorer.latents.directions import METHODS, Trust, direction, trust
from explorer.latents.expression_text import ExpressionError
from explorer.latents.expressions import Expression, Result, Scope, Term, build, evaluate, parse
from explorer.latents.interpolation import lerp, slerp, stop_steps, walk
from explorer.latents.means import ClassMeans, class_means, image_votes
from explorer.latents.origin_distances import OriginDistances
from explorer.latents.paths import NeighbourGraph
from explorer.latents.references import Reference, check_name
from explorer.latents.selections import Selection, Spread, fitted_draws, neighbours, select, spread
from explorer.latents.stored import Latents, map_latents
from explorer.latents.traversals import COLLAPSED_NATS, LatentRanges, Traversal, location_and_scale, traversal

__all__ = [
    "COLLAPSED_NATS",
    "METHODS",
    "ClassMeans",
    "Density",
    "Expression",
    "ExpressionError",
    "LatentRanges",
    "Latents",
    "NeighbourGraph",
    "OriginDistances",
    "Reference",
    "Result",
    "Scope",
    "Selection",
    "Spread",
    "Term",
    "Traversal",
    "Trust",
    "build",
    "check_name",
    "class_means",
    "direction",
    "evaluate",
    "fitted_draws",
    "image_votes",
    "lerp",
    "location_and_scale",
    "map_latents",
    "neighbours",
    "parse",
    "select",
    "slerp",
    "spread",
    "stop_steps",
    "traversal",
    "trust",
    "walk",
]
