"""The shape of the house: imports point one way, files stay small, public names are documented."""

import ast
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import argflux

ROOT = pathlib.Path(argflux.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAYERS = [
    "errors",
    "files",
    "kinds",
    "othernames",
    "misfits",
    "keywords",
    "tree",
    "module",
    "userlayer",
    "compilation",
    "jaxpr",
]
LAYERS += ["autodiff", "data"]
LAYERS += ["programs", "nn", "training", "patterns", "plots", "cli"]
ROOMS = {  # "" are the files of the folder itself
    "programs": ["forms", "cones", "derivatives", "answers", "solvers", "files", "statements", "", "sets"],
    "patterns": ["sites", "regions", "design", "study"],
}
FORBIDDEN = {
    "grad", "value_and_grad", "vjp", "linearize", "linear_transpose", "jacrev", "jacobian", "hessian",
}  # fmt: skip


def layer(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: pathlib.Path):
    """Yield every argflux module that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "argflux":
            yield from ([node.module] if "." in node.module else [f"argflux.{alias.name}" for alias in node.names])
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "argflux")


def test_imports_point_one_way():
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in FILES
        if layer(path) != "__init__"
        for module in imported(path)
        if LAYERS.index(module.split(".")[1]) > LAYERS.index(layer(path))
    ]
    assert not wrong


def test_every_folder_is_a_layer():
    assert {layer(path) for path in FILES} <= {*LAYERS, "__init__"}


def room(module: str) -> str:
    """The room of a module such as `argflux.programs.forms.form`, "" for those that lie outside of rooms."""
    _, package, *parts = module.split(".")
    return parts[0] if parts and parts[0] in ROOMS[package] else ""


@pytest.mark.parametrize("package", ROOMS)
def test_imports_between_rooms_point_one_way(package):
    folder, order = ROOT / package, ROOMS[package]
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in folder.rglob("*.py")
        if path != folder / "__init__.py"
        for module in imported(path)
        if module.startswith(f"argflux.{package}")
        if order.index(room(module)) > order.index(room(".".join(path.relative_to(ROOT.parent).parts)))
    ]
    assert not wrong
    assert {path.parent.name for path in folder.glob("*/__init__.py")} == {*order} - {""}


def test_no_file_is_long_and_most_are_short():
    lengths = sorted(len(path.read_text().splitlines()) for path in FILES)
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 150


def test_no_function_is_long():
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and _code_lines(node) > 60
    ]
    assert not long


def _code_lines(node: ast.FunctionDef) -> int:
    docstring = ast.get_docstring(node, clean=False)
    return node.end_lineno - node.lineno + 1 - (len(docstring.splitlines()) if docstring else 0)


def test_the_engine_never_calls_jax_reverse_mode():
    uses = [
        f"{path.relative_to(ROOT)}:{node.lineno} jax.{node.attr}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "jax"
        if node.attr in FORBIDDEN
    ]
    names = [
        f"{path.relative_to(ROOT)} imports {alias.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "jax"
        for alias in node.names
        if alias.name in FORBIDDEN
    ]
    assert not uses + names


def test_nothing_private_of_jax_is_imported():
    assert not [path for path in FILES if "jax._src" in path.read_text()]


def test_one_file_knows_how_jax_spells_programs():
    hidden = r"jax\.(core|extend|interpreters)\b|from jax import .*\b(core|extend|interpreters)\b"
    assert [path.name for path in FILES if re.search(hidden, path.read_text())] == ["jaxpr.py"]


@pytest.mark.parametrize("name", argflux.__all__)
def test_public_names_are_documented_with_an_example(name):
    value = getattr(argflux, name)
    if inspect.ismodule(value):
        assert value.__doc__
    else:
        doc = inspect.getdoc(value) or ""
        assert ">>>" in doc, f"{name} has no runnable example"


def test_importing_the_package_stays_light():
    heavy = ["matplotlib", "cvxpy", "sklearn", "typer", "rich", "safetensors", "scipy.optimize", "torch"]
    code = f"import argflux, sys; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("package", [n for n in LAYERS if (ROOT / n).is_dir()])
def test_packages_list_what_is_public(package):
    module = importlib.import_module(f"argflux.{package}")
    assert module.__doc__
    assert sorted(module.__all__) == sorted(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)


def test_dir_holds_public_names_only():
    assert set(dir(argflux)) == {*argflux.__all__, "__version__"}


def test_types_are_published():
    assert (ROOT / "py.typed").exists(), "type checkers read the annotations only with this file"


def test_what_a_layer_gives_has_a_type():
    public = [getattr(argflux.nn, name) for name in argflux.nn.__all__]
    layers = [value for value in public if inspect.isclass(value) and issubclass(value, argflux.module.Module)]
    given = {layer.__name__: inspect.signature(layer.__call__).return_annotation for layer in layers}
    assert len(layers) > 30
    assert not [name for name, kind in given.items() if kind is inspect.Signature.empty]
