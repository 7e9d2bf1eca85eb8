"""What components send to the browser is what their JavaScript says that it takes: `deno check` compares the two."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "explorer" / "ui" / "components"
DENO = shutil.which("deno", path=str(Path(sys.executable).parent)) or shutil.which("deno")
TYPES = {
    "code_sliders": ("main.js", "SlidersData"),
    "draw": ("controls.js", "DrawData"),
    "film": ("layout.js", "FilmData"),
    "latent_map": ("layout.js", "MapData"),
    "folder_drop": ("main.js", "FolderDropData"),
    "picture_drop": ("main.js", "PasteData"),
    "into_view": ("main.js", "IntoViewData"),
    "pulse": ("main.js", "PulseData"),
    "remember": ("main.js", "RememberData"),
    "tiles": ("main.js", "TilesData"),
    "training_view": ("view.js", "RunData"),
}


def run_view() -> None:
    from explorer.ui.components.training_view.component import RunData, Status, training_view

    classes = [[0, "zero", "#4c78a8"]]
    probe = {"name": "probe-ab", "shown": 8, "tile": [28, 28], "groups": None, "rings": [0.0, 0.0, 1.0, 1.0]}
    data = RunData('{"epochs": []}', "", "1-ab", "assets/frames/run/", "-1 1 -1 1 2", probe, classes)
    status = Status("running", "Epoch 1 of 5", share=0.2, live=True, facts=[("device", "cpu")])
    meanings = {"perplexity": ("entries", "How many entries are used.")}
    shown = {"epochs": 5, "plane": True, "has_prior": True, "meanings": meanings}
    training_view(key="view", run="run", status=status, data=data, **shown)


def map_with_pictures() -> None:
    from explorer.ui.components.latent_map import component as c

    c.latent_map(
        key="map",
        figure_url="assets/points.json",
        legend=None,
        sprites=c.Sprites("assets/s-{sheet}.webp", 10, (28, 28), 100),
        atlas=c.Atlas("assets/a.webp", 40, 40, (28, 28), (-3.0, 3.0), (-3.0, 3.0)),
        overlay=c.Overlay("assets/o.png", (-3.0, 3.0), (-3.0, 3.0)),
        trails=[c.Trail([(0.0, 1.0), (float("nan"), 2.0)], player="film", dashed=True)],
        names=["zero"],
        revision="r",
        selected=c.Selected([1, 2], "lasso", [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], "r", 5),
    )


def unseen() -> None:
    from explorer.ui.components.folder_drop.component import folder_drop
    from explorer.ui.components.into_view.component import into_view
    from explorer.ui.components.remember.component import remember

    folder_drop("folders")
    into_view("view", "part", "panel")
    remember("cookie", "name", "value")


def sent(app: AppTest) -> list[tuple[str, str]]:
    """The component's name and its data, as JSON, of all on the page."""
    app.run(timeout=240)
    assert not app.exception
    return [(found.proto.component_name, found.proto.json) for found in app.get("bidi_component")]


@pytest.mark.skipif(DENO is None, reason="there is no deno here")
@pytest.mark.slow
def test_what_is_sent_is_what_the_browser_takes(tmp_path):
    found = [one for page in (run_view, map_with_pictures, unseen) for one in sent(AppTest.from_function(page))]
    for show in ("film", "sliders", "map", "tiles", "draw", "paste", "pulse"):
        app = AppTest.from_file(str(ROOT / "tests" / "browser" / "components" / "page.py"))
        app.query_params["show"] = show
        found += sent(app)
    assert {name for name, _ in found} == set(TYPES) == {path.parent.name for path in COMPONENTS.glob("*/component.py")}
    lines = []
    for i, (name, text) in enumerate(found):
        file, kind = TYPES[name]
        assert json.loads(text)["key"]
        module = (COMPONENTS / name / file).as_uri()
        lines.append(f'/** @type {{import("{module}").{kind}}} */\nexport const data{i} = {text};')
    script = tmp_path / "data.js"
    script.write_text("\n".join(lines), "utf-8")
    check = [str(DENO), "check", "--quiet", "--config", str(ROOT / "deno.json"), str(script)]
    done = subprocess.run(
        check, capture_output=True, text=True, check=False, env={"NO_COLOR": "1", "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
