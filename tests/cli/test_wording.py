"""Messages name parameters; the command line shows options in their place."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.cli.test_bundles import commands

import clave
from clave.cli.main import app
from clave.cli.wording import OPTIONS, in_options
from clave.errors import argument

LIBRARY = [p for p in Path(clave.__file__).parent.rglob("*.py") if "cli" not in p.parts]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"name it with {argument('mapping', {'my column': 'response'})}", "name it with --map 'my column=response'"),
        (f"a part, e.g. {argument('shard', (1, 16))}", "a part, e.g. --shard 1/16"),
        (f"give it with {argument('prices')}", "give it with --prices"),
        ("the column `text` and `nothing=of ours`", "the column `text` and `nothing=of ours`"),
        ("`mapping={'open` is foreign", "`mapping={'open` is foreign"),
        ("`mapping=(((((`", "`mapping=(((((`"),
    ],
)
def test_a_parameter_in_a_message_becomes_an_option(message: str, shown: str):
    assert in_options(message) == shown


def test_every_option_of_the_table_is_one_of_a_command():
    known = set[str]().union(*(options for _, options in commands(typer.main.get_command(app))))
    assert set(OPTIONS.values()) <= known


def _raised(tree: ast.AST) -> list[str]:
    """Texts in what the library raises or gives as the reason of a failure; whole commands in backticks may have options."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    named = [n for n in calls if _name(n.func).endswith(("Error", "Failure", "Unavailable", "_failed"))]
    nodes = [n for call in named for n in ast.walk(call)]
    inner = {id(part) for n in nodes if isinstance(n, ast.JoinedStr) for part in n.values}
    texts = [_text(n) for n in nodes if isinstance(n, ast.JoinedStr | ast.Constant) and id(n) not in inner]
    return [re.sub(r"`(?:clave|inspect) [^`]*`", "", text) for text in texts]


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else "X" for p in parts)


def _name(function: Any) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: p.stem)
def test_no_error_of_the_library_names_an_option_of_the_command_line(path: Path):
    texts = _raised(ast.parse(path.read_text(encoding="utf-8")))
    assert [t for t in texts if " --" in t or t.startswith("--") or "`--" in t] == []
