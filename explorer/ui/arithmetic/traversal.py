"""Traversals: one row a latent, the strongest first, from one end of the prior to the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from explorer.latents import LatentRanges, Result, Scope, Traversal, traversal
from explorer.ui import address, selection, sheets
from explorer.ui.cache import EncodedDataset
from explorer.ui.codes import code_picker, computed
from explorer.ui.codes.layers import pick_layer
from explorer.ui.codes.map_marks import MapMarks, rings
from explorer.ui.components.tiles.component import tiles
from explorer.ui.downloads import caption_of, sheet_menu

AROUND, STEPS, PAGE = "traversal_around", "traversal_steps", "traversal_page"
_USUAL, _FIRST_ROWS = 11, 12
_ROWS = 50  # on a page: 750 tiles at most, in a sheet far below the 16,383 pixels of a WebP
_REACH = 3.0


def traversal_panel(data: EncodedDataset, scope: Scope) -> MapMarks:
    """Draws the panel; returns the code that is varied, for the map."""
    with st.container(key="traversal"):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        with left:
            default = "origin" if data.model.has_prior else code_picker.first(scope)
            origin = code_picker.choose_code("Around", AROUND, "around", scope, default=default)
        address.restore_number("columns", STEPS, 5, 15, default=_USUAL)
        steps = right.slider("Images a row", 5, 15, step=2, key=STEPS, persist_state="session")
        among, query = pick_layer(data.model, "traversal_layer")
        latent = len(among)
        everything = code_picker.all_latents("traversal_all", latent, _FIRST_ROWS)
        query |= {"around": str(st.session_state[AROUND])}
        if steps != _USUAL:
            query["columns"] = str(steps)
        page = 1
        if everything and latent > _FIRST_ROWS:
            query["all"] = "1"
            page = _page(latent)
            if page > 1:
                query["page"] = str(page)
        if origin is None:
            return MapMarks(address=query)
        ranges = computed.latent_ranges(data)
        varied = partial(
            traversal,
            origin.code,
            ranges,
            reach=_REACH,
            steps=steps,
            rows=_ROWS if everything else _FIRST_ROWS,
            first=_ROWS * (page - 1),
            among=among,
        )
        st.caption(_summary(data, int(ranges.collapsed[among.start : among.stop].sum()), latent))
        _tiles(data, varied, origin, ranges, page)
        return MapMarks(rings(data, origin, "around"), address=query)


def _page(latents: int) -> int:
    """Draws the way to the next page of rows, where there is one; returns the page, from 1."""
    pages = -(-latents // _ROWS)
    address.restore_number("page", PAGE, 1, pages, default=1)
    page = st.session_state[PAGE] = min(int(st.session_state[PAGE]), pages)
    if pages == 1:
        return page
    first = _ROWS * (page - 1)
    back, on = ":material/arrow_back:", ":material/arrow_forward:"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Stronger", icon=back, key="page_before", disabled=page == 1, on_click=_turn, args=(-1,))
        st.button("Weaker", icon=on, key="page_after", disabled=page == pages, on_click=_turn, args=(1,))
        st.markdown(f"Latents {first + 1} to {min(first + _ROWS, latents)} of {latents}", width="content")
    return page


def _turn(by: int) -> None:
    st.session_state[PAGE] += by


def _tiles(
    data: EncodedDataset, varied: Callable[[], Traversal], around: Result, ranges: LatentRanges, page: int
) -> None:
    origin, found = around.code, varied()
    rows, steps, _ = found.codes.shape
    flat = found.codes.flatten(0, 1)
    latents = found.latents.tolist()
    names = [data.model.network.latent_name(latent) for latent in latents]
    nearest = (found.values - origin[found.latents, None]).abs().argmin(1)
    values = _columns(steps)
    between = [""] * (rows - 2) * steps
    captions = values if rows == 1 else [*(values if rows > _FIRST_ROWS else [""] * steps), *between, *values]
    tiles(
        key="traversal_tiles",
        # Made anew when it is asked for: codes of a hundred latents would stay in memory as long as the address.
        sheet_url=sheets.made_sheet(
            f"{data.key}-traversal-{sheets.hashed(origin)}-{latents[0]}-{rows}-{page}",
            data.model,
            lambda: varied().codes.flatten(0, 1),
            steps,
            data.drawn_as,
            own=computed.is_own(data, around),
        ),
        count=rows * steps,
        columns=steps,
        tile=sheets.tile_size(data.model),
        titles=[
            f"{name} = {value:.2f}".replace("-", "−")
            for name, values in zip(names, found.values.tolist(), strict=True)
            for value in values
        ],
        captions=captions,
        row_labels=[
            name if ranges.kl is None else f"{name} · {float(ranges.kl[latent]):.2f} nats"
            for name, latent in zip(names, latents, strict=True)
        ],
        faded_rows=[row for row, latent in enumerate(latents) if ranges.collapsed[latent]],
        rings=[row * steps + int(column) for row, column in enumerate(nearest)],
        max_tile_px=48,
        gap=1,
        label="Traversals, a row a latent",
        on_pick=lambda i: selection.choose_code(data, flat[i], f"a traversal of {names[i // steps]}"),
    )
    sheet_menu(
        "traversal",
        f"{data.model.info.name}-traversal",
        caption_of(
            data.model.info,
            f"Traversals around {st.session_state[AROUND]}, a row a latent, to {_REACH:g} standard deviations each way",
        ),
        lambda: data.decode(varied().codes.flatten(0, 1)),
        steps,
        across=values,
        down=names,
    )


def _columns(steps: int) -> list[str]:
    """Labels the columns in standard deviations; of many only the ends and the middle, for which there is room."""
    values = [round(_REACH * i / (steps - 1), 1) for i in range(1 - steps, steps, 2)]
    shown = range(steps) if steps <= _USUAL else (0, steps // 2, steps - 1)
    return [f"{value:g}".replace("-", "−") if i in shown else "" for i, value in enumerate(values)]


def _summary(data: EncodedDataset, dead: int, latent: int) -> str:
    if data.model.latents.kl_by_latent is None:
        of = "codes" if data.model.network.prior_spread() is None else "prior"
        return (
            f"Each latent runs over its mean ± 3 standard deviations of the {of}. The latent that varies most comes "
            "first. The ring marks the image nearest to the code; click an image to choose its code."
        )
    if dead:
        have, them = ("has", "it") if dead == 1 else ("have", "them")
        count = (
            f"{dead} of {latent} latents {have} collapsed (grey, with a KL below 0.01 nats): the decoder ignores "
            f"{them}. "
        )
    else:
        count = f"None of the {latent} latents has collapsed. "
    return (
        f"Each latent runs from −3 to 3 standard deviations of the prior, the one with the highest KL first. {count}"
        "The ring marks the image nearest to the code; click an image to choose its code."
    )
