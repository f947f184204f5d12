"""What the site shows and no Markdown file holds: the command line from the commands, schemas from the records, notebooks as pages."""

from __future__ import annotations

import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

import typer
from mkdocs.structure.files import File, Files

from clave.cli.main import app
from clave.records import LabelledResponse, Response, Verdict
from clave.values import ValueSystem

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    "response": (Response, "A row of what `clave evaluate` reads."),
    "label": (LabelledResponse, "A row of what `clave calibrate` reads, in the long form."),
    "verdict": (Verdict, "A line of what `clave evaluate` writes."),
    "value-system": (ValueSystem, "A value system, as YAML."),
}


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/cli.md": command_line(),
        "reference/schemas.md": schemas(),
        "contributing.md": outside("CONTRIBUTING.md"),
        "changes.md": outside("CHANGELOG.md"),
    }
    for name, (record, _) in SCHEMAS.items():
        pages[f"reference/schemas/{name}.json"] = json.dumps(record.model_json_schema(), indent=1)
    for notebook in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{notebook.stem}.md"] = as_page(json.loads(notebook.read_text(encoding="utf-8")))
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to notebooks lead to their pages; those that lead out of docs/ have no page here and keep their text and the file's name."""
    here = Path(page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        place = os.path.normpath(here / target.partition("#")[0])
        if place == "../CONTRIBUTING.md":
            return f"[{text}]({os.path.relpath('contributing.md', here)})"
        if place.startswith("..") or (ROOT / "docs" / place).is_dir():
            return f"{text} (`{place.removeprefix('../')}`)"
        return f"[{text}]({target.replace('.ipynb', '.md')})"

    return re.sub(r"\[([^\]\n]*)\]\((?!https?:|#)([^)\s]+)\)", link, markdown)


def outside(name: str) -> str:
    """A page of the repository's root, its links as from docs/."""
    return (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")


def as_page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown: its text, its code, and what that printed."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        printed = "".join("".join(output.get("text", "")) for output in cell.get("outputs", ()))
        if printed:
            parts.append(f"```text\n{printed.rstrip()}\n```")
    return "\n\n".join(parts)


def command_line() -> str:
    """Every command with its options, from the commands themselves."""
    return "# Command line\n\nGenerated from the commands; `clave COMMAND --help` says the same.\n\n" + "\n".join(
        commands(typer.main.get_command(app), "clave")
    )


def commands(command: Any, name: str) -> list[str]:
    """A command, or those of a group."""
    if hasattr(command, "commands"):
        return [line for key, child in command.commands.items() for line in commands(child, f"{name} {key}")]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    lines = [f"## {name}", "", inspect.cleandoc(command.help or ""), "", "```sh", " ".join([name, *(a.name.upper() for a in arguments)]), "```"]
    lines += ["", "| option | what it does | default |", "|---|---|---|"]
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        names = ", ".join(f"`{o}`" for o in [*parameter.opts, *parameter.secondary_opts])
        names = f"`{parameter.name.upper()}`" if parameter in arguments else names
        plain = isinstance(parameter.default, str | int | float) and not isinstance(parameter.default, bool)
        default = "required" if parameter.required else f"`{parameter.default}`" if plain and parameter.default != "" else ""
        lines.append(f"| {names} | {cell(getattr(parameter, 'help', '') or '')} | {default} |")
    return [*lines, ""]


def cell(text: str) -> str:
    """A text as the cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def schemas() -> str:
    """The records that files hold: their fields, and the schema of each as a file."""
    lines = ["# JSON Schemas", "", "Generated from the records that read and write the files.", ""]
    for name, (record, what) in SCHEMAS.items():
        lines += [f"## {name}", "", f"{what} [Schema](schemas/{name}.json)", "", "| field | needed |", "|---|---|"]
        lines += [f"| `{field}` | {'yes' if info.is_required() else ''} |" for field, info in record.model_fields.items()]
        lines.append("")
    return "\n".join(lines)
