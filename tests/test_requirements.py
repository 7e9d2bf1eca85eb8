"""`requirements.txt` names what the program imports, all of it and nothing else, in versions that this run tests."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROGRAM = ["explorer", "pages", "app.py"]
DEVELOPMENT = ["tests", "benchmarks", "docs"]
OURS = {"explorer", *DEVELOPMENT}
TOOLS = {  # which `make`, pytest and Streamlit run without an import of ours
    "authlib",
    "beartype",
    "deno",
    "hatch-requirements-txt",
    "hatchling",
    "httpx",
    "import-linter",
    "mypy",
    "pytest-rerunfailures",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "types-tqdm",
}


def used(*places: str) -> set[str]:
    """The distributions that the modules of these files and folders import or look for, within functions too."""
    providers = packages_distributions()
    files = [f for place in places for f in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))]
    names = {name.split(".")[0] for file in files for name in _names(ast.parse(file.read_text("utf-8")))}
    foreign = names - set(sys.stdlib_module_names) - OURS
    assert not (unknown := {name for name in foreign if name not in providers}), f"no distribution has {unknown}"
    return {canonicalize_name(providers[name][0]) for name in foreign}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name
            case ast.Call(func=ast.Attribute(attr="find_spec"), args=[ast.Constant(value=str(name))]):
                yield name  # for a file of it


def required(file: str) -> dict[str, Requirement]:
    """The requirements of a file by their canonical names."""
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text("utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-r ")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def test_the_program_requires_what_it_imports():
    assert set(required("requirements.txt")) == used(*PROGRAM)


def test_developers_require_what_tests_import_and_make_runs():
    assert set(required("requirements-dev.txt")) == (used(*DEVELOPMENT) | TOOLS) - set(required("requirements.txt"))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_the_ranges_hold_the_versions_that_are_tested(file):
    outside = {
        f"{requirement}, and {have} is here"
        for requirement in required(file).values()
        if not requirement.specifier.contains(have := version(requirement.name))
    }
    assert not outside


def test_a_wheel_takes_the_settings_of_streamlit_and_not_its_secrets():
    """Both lie in one folder of a clone, and what is included by force is included whatever git ignores."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    named = [*build["wheel"]["force-include"], *(path.lstrip("/") for path in build["sdist"]["include"])]
    assert [path for path in named if path.startswith(".streamlit")] == [".streamlit/config.toml"] * 2
