"""The map of blood cells by patient, in the browser: the legend of patients, the card, the panel of a clicked cell."""

import re

import pytest
from playwright.sync_api import expect

import explorer

pytestmark = pytest.mark.browser
MODEL = "cells-healthy-linear"


def test_the_map_by_patient(explore):
    latents = explorer.load(MODEL).latents
    names, ids = latents.groups
    explore.open(MODEL, color="patient")
    page = explore.page
    chips = page.locator(".st-key-map .lx-chips .lx-chip")
    expect(chips).to_have_count(28)
    counts = dict(zip(names, ids.bincount().tolist(), strict=True))
    assert [chip.split() for chip in chips.all_inner_texts()] == [[name, str(counts[name])] for name in names]
    colors = chips.locator(".lx-dot").evaluate_all("dots => dots.map(dot => dot.style.background)")
    assert len(set(colors)) == 28

    row = 100
    explore.idle()
    patient = latents.group[row]
    point = page.evaluate("id => window.__latentMaps.map.pointOf(id)", row)
    page.mouse.move(point["clientX"], point["clientY"])
    card = page.locator(".st-key-map .lx-card")
    expect(card).to_have_attribute("data-id", re.compile("[0-9]+"))
    hit = int(card.get_attribute("data-id"))  # a nearer one may lie on top
    expect(card.locator(".lx-name")).to_have_text("healthy")
    expect(card).to_contain_text(f"patient {latents.group[hit]} · #{hit}")
    page.mouse.click(point["clientX"], point["clientY"])
    expect(explore.key("decoded")).to_contain_text(f"healthy · patient {latents.group[hit]} · #")

    chip = page.locator(f'.st-key-map .lx-chip[data-class="{names.index(patient)}"]')
    chip.click()
    page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=len(ids) - counts[patient])
    chip.click(modifiers=["Shift"])
    page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=counts[patient])
    explore.choose("color_by", "class")  # another legend: what was hidden of the one before is not hidden here
    expect(chips).to_have_count(1)
    page.wait_for_function("n => window.__latentMaps.map.shown === n", arg=len(ids))
