"""The component that the address names, as a page has it; what it reports is written below."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import plotly.graph_objects as go
import streamlit as st

from explorer.figures.crowded import crowded_map
from explorer.ui import assets
from explorer.ui.components.code_sliders.component import Knob, code_sliders
from explorer.ui.components.draw.component import draw
from explorer.ui.components.film.component import film
from explorer.ui.components.latent_map.component import LegendEntry, Mark, Selected, Trail, latent_map
from explorer.ui.components.picture_drop.component import Pasted, picture_drop
from explorer.ui.components.pulse.component import pulse
from explorer.ui.components.tiles.component import tiles
from explorer.ui.markdown import plain
from tests.browser.components import drawn

COLORS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2")


def sheet_url(count: int, kind: int) -> str:
    return assets.publish(f"walk-{count}-{kind}.png", lambda: drawn.sheet(count, kind), "image/png")


def show_film() -> None:
    count = int(st.query_params.get("count", "24"))
    kind = st.radio("Walk", [0, 1], horizontal=True)
    last = count - 1
    st.button("Rerun")
    bare = st.toggle("Plain")
    film(
        key="film",
        sheet_url=sheet_url(count, kind),
        count=count,
        columns=drawn.COLUMNS,
        tile=drawn.TILE,
        shares=None if bare else drawn.shares(count),
        stops=() if bare else sorted({0, count // 2, last}),
        stop_names=() if bare else ["mean(3)", "item(1234)", "mean(Ankle boot)"][: len({0, count // 2, last})],
        revision=f"{kind}-{count}",
        on_use=None if bare else lambda step: st.session_state.update(used=step),
    )
    st.text(f"Used: {st.session_state.get('used')}")


@st.fragment
def sliders() -> None:
    which = st.session_state.get("which", 0)
    count = int(st.query_params.get("count", "5"))
    values: list[float] = st.session_state.setdefault(f"values-{which}", [0.5 * ((i % 5) - 2) for i in range(count)])
    start = [0.5 * ((i % 5) - 2) for i in range(count)]

    def moved(changes: dict[int, float]) -> None:
        st.session_state["moves"] = st.session_state.get("moves", 0) + 1
        st.session_state.setdefault("batches", []).append(dict(changes))
        for ident, value in changes.items():
            values[ident] = min(value, 2.0)  # Python has a word of its own
        time.sleep(float(st.query_params.get("slow", "0")))

    body = base64.b64encode(drawn.png(drawn.of_code(values))).decode()
    code_sliders(
        key="sliders",
        knobs=[
            Knob(i, f"z{i}", values[i], -3, 3, start[i], hint=f"{3.2 / (i + 1):.2f} nats", faded=i == 3)
            for i in range(count)
        ],
        picture=f"data:image/png;base64,{body}",
        picture_alt="the decoded code",
        picture_data={"code": ",".join(f"{value:g}" for value in values)},
        caption="decoded from these values",
        revision=f"code-{which}",
        on_move=moved,
    )
    st.text(f"Moves: {st.session_state.get('moves', 0)}, runs of the page: {st.session_state['runs']}")


def show_sliders() -> None:
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.radio("Code", [0, 1], key="which", horizontal=True)
    sliders()


def show_map() -> None:
    shown = st.radio("Screen", ["map", "another"], horizontal=True)
    kind = st.radio("Points", [0, 1], horizontal=True)
    st.button("Rerun")
    if shown == "another":
        return
    where = drawn.points() * (1, -1)[kind]
    classes = [i % 5 for i in range(len(where))]

    def figure() -> bytes:
        trace = go.Scattergl(x=where[:, 0], y=where[:, 1], customdata=list(range(len(where))), marker={"size": 5})
        layout = {"meta": {"classes": classes}, "yaxis": {"scaleanchor": "x"}}
        return go.Figure(trace, layout).to_json().encode()

    def selected(now: Selected | None) -> None:
        st.session_state["kept"] = now
        st.session_state["told"] = st.session_state.get("told", 0) + 1

    trail = [(3.0 - 0.25 * i, 0.02 * (i - 12) ** 2 - 2.9) for i in range(24)]
    latent_map(
        key="map",
        figure_url=assets.publish(f"points-{kind}.json", figure, "application/json"),
        legend=[LegendEntry(i, f"class {i}", color, 80) for i, color in enumerate(COLORS)],
        marks=[
            Mark(-3.0, -0.5, "0.5 mean(8) + mean(1)", "result"),
            Mark(*trail[0], "mean(3)", "ingredient"),
            Mark(*trail[-1], "mean(8)", "ingredient"),
            Mark(*st.session_state.get("place", (1.0, 1.0))),
        ],
        trails=[Trail(trail, player="film"), Trail([trail[0], (0.0, 2.5), trail[-1]], dashed=True)],
        revision=f"points-{kind}",
        selected=st.session_state.get("kept"),
        on_click=lambda click: st.session_state.update(place=(click.x, click.y)),
        on_select=selected,
    )
    film(
        key="film",
        sheet_url=sheet_url(len(trail), kind),
        count=len(trail),
        columns=drawn.COLUMNS,
        tile=drawn.TILE,
        shares=drawn.shares(len(trail)),
        stops=(0, len(trail) - 1),
        stop_names=("mean(3)", "mean(8)"),
        revision=f"{kind}",
    )
    kept = st.session_state.get("kept")
    st.text(f"Selected: {len(kept.ids) if kept is not None and kept.revision == f'points-{kind}' else None}")
    st.text(f"Told: {st.session_state.get('told', 0)}")


def show_crowd() -> None:
    where, classes = drawn.crowd()
    facts = assets.publish_sheets(
        "crowd-facts-{sheet}.json",
        lambda sheet: json.dumps(
            [
                {"label": int(classes[i]), "group": "", "file": f"{i}.png", "number": None}
                for i in range(100 * sheet, 100 * sheet + 100)
            ]
        ).encode(),
        count=-(-len(where) // 100),
        media_type="application/json",
    )
    figure = crowded_map(where, classes=classes, facts={"url": facts, "per_sheet": 100})
    latent_map(
        key="map",
        figure_url=assets.publish("crowd.json", lambda: figure.to_json().encode(), "application/json"),
        legend=[LegendEntry(i, f"class {i}", color, 80) for i, color in enumerate(COLORS)],
        names=[f"class {i}" for i in range(5)],
        marks=[Mark(*st.session_state["place"])] if "place" in st.session_state else [],
        revision="crowd",
        selected=st.session_state.get("kept"),
        view=st.session_state.get("view"),
        on_click=lambda click: st.session_state.update(place=(click.x, click.y), clicked=click.id),
        on_select=lambda now: st.session_state.update(kept=now),
        on_view=lambda now: st.session_state.update(view=now),
    )
    kept = st.session_state.get("kept")
    st.text(f"Clicked: {st.session_state.get('clicked')}")
    st.text(f"Selected: {len(kept.ids) if kept else 0}, of sum {sum(kept.ids) if kept else 0}")


def show_tiles() -> None:
    rows, across = 6, 11
    tiles(
        key="tiles",
        sheet_url=sheet_url(rows * across, 0),
        count=rows * across,
        columns=drawn.COLUMNS,
        tile=drawn.TILE,
        across=across,
        gap=2,
        titles=[f"tile {i}" for i in range(rows * across)],
        row_labels=[f"latent {10 + row}\n{3.1 / (row + 1):.2f} nats" for row in range(rows)],
        faded_rows=(4, 5),
        rings=[row * across + (3 + row) % across for row in range(rows)],
        selected=st.session_state.get("picked"),
        min_tile_px=60,
        on_pick=lambda index: st.session_state.update(picked=index),
    )
    st.text(f"Picked: {st.session_state.get('picked')}")


@st.fragment
def square() -> None:
    drawings: list[bytes] = st.session_state.setdefault("drawings", [])
    which = st.session_state.get("which", 0)

    def drawn_on(png: bytes) -> None:
        drawings.append(png)
        time.sleep(float(st.query_params.get("slow", "0")))

    draw(
        key="draw",
        revision=f"square-{which}",
        on_draw=drawn_on,
        label="Draw a digit here",
        start=drawings[-1] if drawings and which == 0 else None,
    )
    st.text(f"Drawings: {len(drawings)}, runs of the page: {st.session_state['runs']}")
    if drawings and (body := base64.b64encode(drawings[-1]).decode()):
        st.html(f'<img class="seen" width="84" alt="{len(drawings)}" src="data:image/png;base64,{body}">')


def show_draw() -> None:
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    shown = st.radio("Screen", ["square", "another"], horizontal=True)
    st.radio("Square", [0, 1], key="which", horizontal=True)
    st.button("Rerun")
    if shown == "square":
        square()


def show_paste() -> None:
    taken: list[str] = st.session_state.setdefault("taken", [])

    def pasted(pictures: list[Pasted]) -> None:
        digests = (hashlib.sha256(picture.data).hexdigest()[:12] for picture in pictures)
        taken.append(" ".join(f"{picture.name}={digest}" for picture, digest in zip(pictures, digests, strict=True)))

    picture_drop(key="paste", on_pictures=pasted)
    st.text_input("Text")
    st.checkbox("Box")
    for number, line in enumerate(taken):
        st.text(f"{number}: {line}")


@st.fragment
def beating() -> None:
    st.session_state["beats"] = st.session_state.get("beats", 0) + 1
    st.text(f"Beats: {st.session_state['beats']}")
    pulse("beating", 0.5)


@st.fragment
def slow() -> None:
    more = st.checkbox("More")
    time.sleep(1.2)
    if more:
        st.text("There is more.")
    st.text(f"Drawn {'with' if more else 'without'}.")


def show_text() -> None:
    for i, text in enumerate(drawn.TEXTS):
        with st.container(key=f"text_{i}"):
            st.markdown(plain(text))
    for i, text in enumerate(drawn.TEXTS):
        st.button(plain(text), key=f"button_{i}")


def show_pulse() -> None:
    beating()
    slow()


st.set_page_config(layout="wide")
{
    "film": show_film,
    "sliders": show_sliders,
    "map": show_map,
    "crowd": show_crowd,
    "tiles": show_tiles,
    "draw": show_draw,
    "paste": show_paste,
    "pulse": show_pulse,
    "text": show_text,
}[st.query_params["show"]]()
