"""The figure of a crowded map: it comes back as the points that it was made of, and is small."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np
import pytest

from explorer.figures.crowded import crowded_map

RNG = np.random.default_rng(0)
N = 50_000
POINTS = (RNG.normal(size=(N, 2)) * (3, 0.2) + (5, -1)).astype(np.float32)
FACTS = {"url": "facts-{sheet}.json", "per_sheet": 64}
DTYPES = {"u1": np.uint8, "u2": np.uint16}


def read(value):
    return np.frombuffer(base64.b64decode(value["bdata"]), DTYPES[value["dtype"]])


def made(**options):
    text = crowded_map(POINTS, facts=FACTS, revision="r", **options).to_json()
    return json.loads(text)["data"][0], json.loads(text)["layout"], len(gzip.compress(text.encode(), 6))


def test_places_come_back_within_half_a_step():
    trace, layout, _ = made()
    for axis, name in enumerate("xy"):
        low, step = trace["meta"][f"{name}_steps"]
        assert step == pytest.approx(np.ptp(POINTS[:, axis]) / 65_535)
        assert np.abs(low + step * read(trace[name]).astype(float) - POINTS[:, axis]).max() <= 0.501 * step
    assert trace["meta"]["facts"] == FACTS
    assert layout["meta"]["uirevision"] == "r"


@pytest.mark.parametrize("count", [10, 300])
def test_classes_and_groups_come_back(count):
    ids = RNG.integers(0, count, N)
    np.testing.assert_array_equal(read(made(classes=ids)[0]["meta"]["classes"]), ids)
    meta = made(groups=ids)[0]["meta"]
    np.testing.assert_array_equal(read(meta["groups"]), ids)
    assert meta["by_group"]


def test_values_are_levels_of_their_scale():
    values = RNG.normal(size=N)
    values[:100] = np.nan
    trace, _, _ = made(values=values, value_name="KL, nats")
    levels = read(trace["meta"]["levels"]).astype(float)
    low, high = np.nanpercentile(values, [1, 99])
    assert (trace["marker"]["cmin"], trace["marker"]["cmax"]) == pytest.approx((low, high))
    assert (levels[:100] == 40).all()
    inside = (values > low) & (values < high)
    assert np.abs(low + levels[inside] / 39 * (high - low) - values[inside]).max() <= 0.51 * (high - low) / 39
    assert levels[np.nanargmax(values)] == 39


def test_a_million_points_are_at_most_five_megabytes():
    for options in ({"classes": RNG.integers(0, 10, N)}, {"values": RNG.normal(size=N)}):
        assert made(**options)[2] * 1_000_000 / N <= 5_000_000


def test_points_in_one_place():
    (trace,) = crowded_map(np.ones((3, 2), np.float32), facts=FACTS).data
    assert trace.x.tolist() == [0, 0, 0]
