"""`clave plugins`: what installed packages add to clave."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.terminal import Terminal, say_json


def plugins(as_json: opt.Json = False) -> None:
    """List what installed packages offer: judges, recognizers, value systems, readers, ValEval sources and report formats."""
    from clave.io.sources import READERS
    from clave.judges.registry import JUDGES
    from clave.recognizers.registry import RECOGNIZERS
    from clave.report.writing import FORMS
    from clave.valeval.sources.registry import SOURCES
    from clave.values.system import SYSTEMS

    registries = (JUDGES, RECOGNIZERS, SYSTEMS, READERS, SOURCES, FORMS)
    found = [(registry, plugin) for registry in registries for plugin in registry.plugins()]
    if as_json:
        rows = [{"group": r.group, "name": p.name, "package": p.package, "problem": p.problem} for r, p in found]
        say_json(rows)
        return
    console = Terminal()
    if not found:
        console.print(Text("No installed package offers anything to clave."))
        return
    table = Table(**opt.NARROW)
    for column in ("kind", "name", "package", "problem"):
        table.add_column(column, overflow="fold")
    for registry, plugin in found:
        table.add_row(registry.noun, Text(plugin.name), Text(plugin.package), Text(plugin.problem or "none"))
    console.print(table)
