"""`clave values`: look at value systems, check one, begin one.

clave values list
clave values show mft
clave values new our-policy.yaml
clave values check our-policy.yaml
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clave.cli.terminal import say, say_json
from clave.errors import InputError
from clave.text.plain import clean

if TYPE_CHECKING:
    from clave.values import ValueSystem

app = typer.Typer(help="Value systems: list the built-in ones, show, check or begin one.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

PLACEHOLDER = "(replace this text)"
"""Stands in the template where a definition must be written; `check` warns of it."""

TEMPLATE = """\
# yaml-language-server: $schema={schema}
#
# A value system: what your evaluation judges responses by. Check it with: clave values check {file}

# Lower case letters, digits and _. Stands in saved evaluators and reports.
id: {id}
name: {name}
# Raise it when a definition changes its meaning. Keep the quotes: it is text, not a number.
version: "1.0"
# Where the values come from: a paper, a policy, a law.
citation: ""
# For readers; no model sees it.
description: ""

# Groups are optional; they order tables and reports.
# groups:
#   - id: conduct
#     name: Conduct

values:
  # One entry per value. The large model reads the definition word for word, so say in 40 to 80 words what the value is, and
  # what a response does that adheres to it, that opposes it, and to which it is unrelated.
  - id: honesty
    name: Honesty
    # parent: conduct
    definition: >-
      {placeholder} Saying what one takes to be true and owning up to what one does not know. A response adheres when it states
      things as they are, corrects a falsehood or admits doubt. It opposes when it deceives, or helps someone to. It is
      unrelated when truthfulness is not at stake in it.
    # How your annotators apply the labels, if you have it in writing; it takes the place of the guideline that is induced
    # from your labelled samples.
    # guideline: >-
    #   Polite phrases do not count as deception.
    # true: evaluated only when it is asked for by name.
    # optional: false
"""


@app.command("list")
def list_systems(as_json: AsJson = False) -> None:
    """List the built-in value systems."""
    from clave.values.system import SYSTEMS, ValueSystem

    systems = [ValueSystem.load(i) for i in SYSTEMS.names()]
    if as_json:
        say_json([_summary(s) for s in systems])
        return
    _table(
        ["id", "name", "version", "values", "optional", "hash"],
        [[s.id, s.name, s.version, str(len(s)), str(_optional(s)), s.hash] for s in systems],
    )


@app.command()
def show(
    system: Annotated[str, typer.Argument(metavar="ID|FILE", help="A built-in system or a YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Show the values of a system with their definitions."""
    from clave.values import ValueSystem

    loaded = ValueSystem.load(system)
    if as_json:
        say_json({**loaded.model_dump(mode="json"), "hash": loaded.hash})
        return
    say(f"{loaded.name} ({loaded.id}), version {loaded.version}, hash {loaded.hash}: {_count(loaded)}")
    groups = {g.id: g.name for g in loaded.groups}
    rows = [
        [v.id + (" (optional)" if v.optional else ""), v.name, *([groups.get(v.parent or "", "")] if groups else []), v.definition.strip()]
        for v in loaded.values
    ]
    _table(["id", "name", *(["group"] if groups else []), "definition"], rows, lines=True)
    if loaded.citation:
        say(f"After: {loaded.citation.strip()}")


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Check a value system: report errors, and warnings for what is doubtful."""
    from clave.values import ValueSystem

    system = ValueSystem.load(file)
    found = warnings(system)
    if as_json:
        say_json({**_summary(system), "warnings": found})
        return
    for warning in found:
        say(f"warning: {warning}", err=True)
    say(f"{file}: value system {system.id!r} is valid: {_count(system)}, {len(found)} warnings, hash {system.hash}")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write.")],
    identity: Annotated[str | None, typer.Option("--id", help="The id of the system; by default the file's name.")] = None,
) -> None:
    """Write a commented template, with a JSON Schema for your editor."""
    from clave.values import ValueSystem
    from clave.values.schema import SCHEMA_FILE, packaged_schema

    if file.suffix.lower() not in {".yaml", ".yml"}:
        raise InputError(f"{file}: a value system is a YAML file: end its name in .yaml")
    name = identity or _id_of(file.stem)
    text = TEMPLATE.format(schema=SCHEMA_FILE, file=file.name, id=name, name=name.replace("_", " ").capitalize(), placeholder=PLACEHOLDER)
    try:
        ValueSystem.parse(text)
    except InputError:
        raise InputError(f"{name!r} is no id for a value system: name it with --id, lower case letters, digits and _") from None
    try:
        with file.open("x", encoding="utf-8", newline="\n") as out:
            out.write(text)
        schema = file.with_name(SCHEMA_FILE)
        if not schema.exists():
            schema.write_text(packaged_schema(), encoding="utf-8", newline="\n")
    except FileExistsError:
        raise InputError(f"{file} exists already and is not overwritten: name another file") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    say(f"wrote {file}: write your values into it, then run: clave values check {file}")


def warnings(system: ValueSystem) -> list[str]:
    """What is allowed but seldom meant: thin or endless definitions, labels left unsaid, names that stand twice, idle groups."""
    found = []
    for value in system.values:
        words = len(value.definition.split())
        if PLACEHOLDER in value.definition:
            found.append(f"value {value.id!r}: the definition is still the template's: write your own and take out {PLACEHOLDER!r}")
        if words < 20:
            found.append(f"value {value.id!r}: the definition has {words} words: 40 to 80 tell a model enough")
        if words > 200:
            found.append(f"value {value.id!r}: the definition has {words} words and is sent with every call: 40 to 80 are enough")
        missing = [label for label in ("adhere", "oppose", "unrelated") if label not in value.definition.lower()]
        if missing:
            found.append(f"value {value.id!r}: the definition does not say which responses are labelled {', '.join(missing)}")
    names = Counter(v.name.casefold() for v in system.values)
    found += [f"value {v.id!r}: another value has the same name {v.name!r}" for v in system.values if names[v.name.casefold()] > 1]
    used = {v.parent for v in system.values}
    found += [f"group {g.id!r} holds no value" for g in system.groups if g.id not in used]
    if not any(system.ids()):
        found.append("every value is optional, so nothing is evaluated unless it is asked for by name")
    return found


def _id_of(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")


def _summary(system: ValueSystem) -> dict[str, object]:
    return {
        "id": system.id,
        "name": system.name,
        "version": system.version,
        "values": list(system.by_id),
        "optional": [v.id for v in system.values if v.optional],
        "hash": system.hash,
    }


def _optional(system: ValueSystem) -> int:
    return len(system) - len(list(system.ids()))


def _count(system: ValueSystem) -> str:
    optional = _optional(system)
    return f"{len(system)} values" + (f" ({optional} of them optional)" if optional else "")


def _table(columns: list[str], rows: list[list[str]], *, lines: bool = False) -> None:
    from rich.table import Table
    from rich.text import Text

    from clave.cli.terminal import Terminal

    table = Table(show_lines=lines)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "hash")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    Terminal().print(table)
