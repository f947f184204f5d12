"""Examples in docstrings are code that could run: it parses, its names exist, and its calls fit the functions they name."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import clave

SKIPPED = {"clave.cli.__main__"}
MODULES = [m.name for m in pkgutil.walk_packages(clave.__path__, "clave.") if m.name not in SKIPPED]
OPTIONAL = {
    "torch",
    "transformers",
    "peft",
    "ray",
    "fastapi",
    "inspect_ai",
    "deepeval",
    "pydantic_evals",
    "lm_eval",
    "mlflow",
    "mlcroissant",
}


@functools.cache
def everything() -> dict[str, object]:
    """Public names of all modules: an example may use a neighbour's, and those of the standard library that need no explanation."""
    found: dict[str, object] = {"Path": Path, "partial": functools.partial} | vars(builtins)
    for name in MODULES:
        try:
            found |= {key: thing for key, thing in vars(importlib.import_module(name)).items() if not key.startswith("_")}
        except ImportError:
            continue
    return found


def blocks(docstring: str) -> Iterator[ast.Module]:
    """The parts of a docstring that are Python: paragraphs that parse and call something."""
    for part in docstring.split("\n\n")[1:]:
        text = textwrap.dedent(part.replace("…", "...")).strip("\n")
        for code in (text, f"async def _():\n{textwrap.indent(text, '    ')}"):
            try:
                tree = ast.parse(code)
            except SyntaxError:
                continue
            if any(isinstance(node, ast.Call) for node in ast.walk(tree)):
                yield tree
            break


def problems(module: object, tree: ast.Module) -> Iterator[str]:
    """Names of this package that a block calls and that do not exist, or not with those arguments."""
    known = {name: getattr(clave, name) for name in clave.__all__} | vars(module)
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clave"):
            source = importlib.import_module(node.module or "")
            for alias in node.names:
                if not hasattr(source, alias.name):
                    yield f"{node.module} has no {alias.name}"
                else:
                    known[alias.asname or alias.name] = getattr(source, alias.name)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id in made:
            continue
        called = known.get(node.func.id) or everything().get(node.func.id)
        if called is None:
            yield f"there is no {node.func.id}"
        if not callable(called):
            continue
        if any(isinstance(a, ast.Starred) or (isinstance(a, ast.Constant) and a.value is ...) for a in node.args):
            continue
        try:
            inspect.signature(called).bind_partial(*node.args, **{k.arg: k.value for k in node.keywords if k.arg})
        except TypeError as error:
            yield f"{ast.unparse(node)}: {error}"
        except ValueError:
            continue  # no signature to hold it against


@pytest.mark.parametrize("name", MODULES)
def test_examples_call_what_there_is(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in OPTIONAL:
            pytest.skip(f"{error.name} is not installed")
        raise
    documented = [module, *(x for x in vars(module).values() if getattr(x, "__module__", "") == name and inspect.isclass(x))]
    found = [p for thing in documented for tree in blocks(inspect.getdoc(thing) or "") for p in problems(module, tree)]
    assert found == []
