"""The browser's part of the components: ES modules and style sheets, served as they lie in this folder.

Streamlit sends the script of a component with every message that changes its data. So that script is a few lines: they
fetch the component's `main.js`, and what it imports, from an address that names the contents of all these files, which
browsers keep. The address is relative to the page's own. There is no build step.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path, PurePath

from explorer.ui import assets

__all__ = ["modules_of", "script"]

_HERE = Path(__file__).parent
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
_FILES = {
    path.relative_to(_HERE).as_posix(): path.read_bytes()
    for path in sorted(_HERE.rglob("*"))
    if path.suffix in _MEDIA_TYPES
}
_FOLDER = (
    "scripts-"
    + sha256(b"\0".join(part for item in _FILES.items() for part in (item[0].encode(), item[1]))).hexdigest()[:16]
)
_IMPORT = re.compile(rb'^(?:import|export|\}) .*\bfrom "(\.[^"]+)";$', re.MULTILINE)

for _file, _body in _FILES.items():
    assets.keep(_FOLDER, _file, _body, _MEDIA_TYPES[PurePath(_file).suffix])


def script(component: str) -> str:
    """Returns the module that Streamlit loads for a component: it runs once a page, and its function with every update.

    It asks at once for all that the component needs, as a browser learns what a module imports only when it is there.
    """
    needed = (os.path.relpath(module, component) for module in modules_of(f"{component}/main.js"))
    names = " ".join(PurePath(module).with_suffix("").as_posix() for module in needed)
    style = 'link("stylesheet", "style.css")' if f"{component}/style.css" in _FILES else "null"
    return f"""const at = (file) => new URL("assets/{_FOLDER}/{component}/" + file, document.baseURI).href;
const link = (rel, file) => new Promise((done) => {{
  const made = document.createElement("link");
  document.head.append(Object.assign(made, {{ rel, href: at(file), onload: done, onerror: done }}));
}});
for (const name of "{names}".split(" ")) link("modulepreload", name + ".js");
const styled = {style};
export default async function (component) {{
  const [main] = await Promise.all([import(at("main.js")), styled]);
  return main.default(component);
}}"""


def modules_of(module: str) -> list[str]:
    """Lists a module and those that it imports, and those that they do, by their paths in this folder."""
    found = [module]
    for name in found:
        for said in _IMPORT.findall(_FILES[name]):
            other = (_HERE / name).parent.joinpath(said.decode()).resolve().relative_to(_HERE.resolve()).as_posix()
            if other not in found:
                found.append(other)
    return found
