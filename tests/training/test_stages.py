"""A family that trains in two stages, has figures to watch, a warning and an option of its own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator

import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer
from explorer.models import FAMILIES, ModelSettings, register
from tests.app.screens import train


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for part in ("_things", "_words"):
            patch.setattr(FAMILIES, part, dict(getattr(FAMILIES, part)))
        for module, family in (("bits", "BitModel"), ("staged_bits", "StagedBits")):
            register(getattr(importlib.import_module(f"tests.families.{module}"), family))
        yield


OPTIONS = {"family": "staged-bits", "latent": 3, "epochs": 3, "batch_size": 40, "schedule": "one-cycle"}


def test_each_stage_trains_its_own_and_has_a_schedule_of_its_own(small_train):
    run = small_train("run", **OPTIONS)
    plain = small_train("plain", **{**OPTIONS, "family": "bits", "epochs": 2})
    rates = [line["learning_rate"] for line in run.history]
    assert rates[2] == rates[0] != rates[1]
    two = [line["learning_rate"] for line in plain.history]
    assert rates[:2] == two, "as if the first stage were all"
    model = explorer.load(run.path, device="cpu").network
    assert model.on.abs().sum() > 0, "the prior has been trained"


def test_a_run_that_stops_in_the_second_stage_goes_on_bit_for_bit(small_train):
    whole = small_train("whole", **OPTIONS)
    for looks in (2, 3):  # after the first stage, and within the second
        answers = iter([False] * (looks - 1) + [True])
        stopped = small_train(f"stopped-{looks}", should_stop=lambda: next(answers, True), **OPTIONS)  # noqa: B023
        assert stopped.status == "cancelled"
        resumed = small_train(out=stopped.path, resume=True)
        assert resumed.metrics == whole.metrics
        first, second = (explorer.load(run.path, device="cpu").network.state_dict() for run in (whole, resumed))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_figures_and_the_warning_are_kept(small_train):
    run = small_train("run", **OPTIONS)
    model = explorer.load(run.path, device="cpu")
    expected = float((model.latents.posterior.mean > 0).float().mean())
    assert run.metrics["figures"] == pytest.approx({"bits that are on": expected})
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    assert lines[-1]["figures"] == pytest.approx({"bits that are on": expected})
    assert {line["warning"] for line in lines} == {"Every bit is a bit of a worry."}


def test_a_family_says_what_it_cannot_take():
    with pytest.raises(ValueError, match="latent must not be 13"):
        ModelSettings(family="staged-bits", latent=13)
    assert ModelSettings(latent=13).latent == 13


def test_the_form_greys_what_the_family_does_not_read():
    at: AppTest = train()
    assert not at.number_input(key="option_free_bits").disabled
    at.selectbox(key="option_family").select("staged-bits").run()
    assert at.number_input(key="option_free_bits").disabled
