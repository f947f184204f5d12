"""Which room may import which: the pipeline runs one way, and no room reaches up.

A room is a folder or a module of `clave`; imports inside functions count as well. docs/architecture.md draws the floors.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import clave

FLOORS = (
    {"errors", "records", "text"},
    {"registry", "settings"},
    {"values", "scoring"},
    {"io", "llm", "encoder"},
    {"concepts", "trust"},
    {"recognizers"},
    {"calibration"},
    {"fitting"},
    {"evaluating"},
    {"saving"},
    {"evaluator", "testing"},
    {"files", "cascade", "distill", "judges"},
    {"valeval"},
    {"benchmark", "annotate"},
    {"profile"},
    {"report", "integrations", "demo"},
    {"assess", "server"},
    {"cli"},
    {"__main__"},
)
"""From the lowest; a room imports from floors below its own, and from itself."""

ALLOWED: set[tuple[str, str]] = set()
"""Imports that run up all the same, each with a reason beside it."""

SOURCE = Path(clave.__file__).parent


def imports() -> dict[tuple[str, str], list[str]]:
    """(room, room it imports) -> the files that do."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        relative = path.relative_to(SOURCE)
        room = relative.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [f"clave.{a.name}" for a in node.names] if node.module == "clave" else [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            else:
                continue
            for package, _, rest in (name.partition(".") for name in names):
                other = rest.partition(".")[0]
                if package == "clave" and other not in ("", room):
                    found[room, other].append(str(relative))
    return found


def test_every_room_stands_on_a_floor():
    rooms = {p.name.removesuffix(".py") for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert rooms - {"__init__"} <= set().union(*FLOORS)


def test_no_room_reaches_up_or_across_in_a_circle():
    floor = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
    up = {(a, b): files for (a, b), files in imports().items() if a in floor and b in floor and floor[a] < floor[b]}
    assert {pair: sorted(set(files)) for pair, files in up.items() if pair not in ALLOWED} == {}
    across = {(a, b) for a, b in imports() if floor.get(a) == floor.get(b)}
    assert {pair for pair in across if pair[::-1] in across} == set()
