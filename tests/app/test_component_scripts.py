"""The components' modules: a few lines go with each message, the rest is served as it lies in its folder, for ever."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from explorer.ui.components import scripts
from tests.app.test_assets import CACHED, request

HERE = Path(scripts.__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/main.js"))
IMPORT = re.compile(r'^(?:import|export|\}).*? from "(.+)";$', re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_what_goes_with_each_message_is_short_and_names_what_is_needed(name):
    code = scripts.script(name)
    assert len(code) < 1_000
    (folder,) = re.findall(r'"(assets/scripts-[0-9a-f]{16}/[a-z_]+/)"', code)
    (names,) = re.findall(r'"([^"]+)"\.split', code)
    for file in [f"{module}.js" for module in names.split()] + re.findall(r'"stylesheet", "(.+)"\)', code):
        status, headers, body = request(os.path.normpath(f"/{folder}{file}"))
        assert (status, headers["cache-control"]) == (200, CACHED)
        assert headers["content-type"].split(";")[0] == ("text/css" if file.endswith(".css") else "text/javascript")
        assert body == (HERE / name / file).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_all_that_a_component_imports_is_asked_for_at_once(name):
    needed = scripts.modules_of(f"{name}/main.js")
    assert len(needed) == len(set(needed))
    for module in needed:
        for said in IMPORT.findall((HERE / module).read_text("utf-8")):
            assert said.startswith((".", "..")), f"{module} imports {said}"
            assert (HERE / module).parent.joinpath(said).resolve().relative_to(HERE).as_posix() in needed


@pytest.mark.parametrize("file", ["latent_map/none.js", "latent_map/component.py", "../assets.py", ""])
def test_nothing_else_is_served(file):
    (folder,) = re.findall(r'"(assets/scripts-[0-9a-f]{16}/)pulse/"', scripts.script("pulse"))
    assert request(f"/{folder}{file}")[0] == 404
    assert request(f"/assets/scripts-0123456789abcdef/{file or 'pulse/main.js'}")[0] == 404


def test_modules_import_each_other_in_no_circle():
    imports = {
        path: [path.parent.joinpath(said).resolve() for said in IMPORT.findall(path.read_text("utf-8"))]
        for path in HERE.rglob("*.js")
    }
    while imports:
        leaves = {path for path, others in imports.items() if not any(other in imports for other in others)}
        assert leaves, f"a circle among {sorted(path.name for path in imports)}"
        imports = {path: others for path, others in imports.items() if path not in leaves}
