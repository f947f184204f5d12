"""A report as data: a page of sections with tables, figures and cards, and its three forms: HTML, Markdown, JSON.

    page = Page(title="Values of our chat models", facts=(Fact("Verdicts", "1,200"),), sections=(Section("profile", "Value profile"),))
    write_page(page, "report.html")     # or report.md, report.json, report.csv

Every text of a page may be hostile: it was written by a model or by whoever wrote the data.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from clave.errors import InputError
from clave.plain import clean, csv_cell, markdown
from clave.scoring.statistics import Difference, Estimate

Cell = str | int | float | Estimate | Difference | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; cells are texts, numbers or estimates."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, with the table that says the same."""

    id: str
    caption: str
    svg: str
    table: Table
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A number at the head of the page."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, marked where it is evidence."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A human-labelled text, or a concept of one, that explains a verdict."""

    text: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One text with its verdict and what explains it."""

    title: str
    label: str
    """The verdict, or its status where there is none."""
    note: str = ""
    scenario: str = ""
    body: tuple[Piece, ...] = ()
    cut: int = 0
    """Characters of the body that are not shown."""
    concepts: tuple[Neighbour, ...] = ()
    cases: tuple[Neighbour, ...] = ()
    verdicts: tuple[tuple[str, str], ...] = ()
    """Judge and label, where several judges are compared."""


@dataclass(frozen=True, slots=True)
class CardGroup:
    """Cards under one heading, folded away until they are opened."""

    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    id: str
    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    more: tuple[Table, ...] = ()
    """Tables that say it in full, folded away until they are opened."""
    groups: tuple[CardGroup, ...] = ()
    dense: bool = False
    """Small figures, many side by side."""


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    lead: str = ""
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()


def cell_text(cell: Cell) -> str:
    """A cell as people read it; a number that is not known is a dash."""
    match cell:
        case None:
            return "–"
        case Estimate(value=None) | Difference(value=None):
            return "–"
        case Estimate():
            return f"{cell.value:.3f}" + ("" if cell.low is None else f" [{cell.low:.3f}, {cell.high:.3f}]")
        case Difference():
            return f"{cell.value:+.3f}" + ("" if cell.low is None else f" [{cell.low:+.3f}, {cell.high:+.3f}]")
        case bool() | str():
            return clean(str(cell))
        case int():
            return f"{cell:,}"
    return f"{cell:,.4f}" if 0 < abs(cell) < 0.1 else f"{cell:,.2f}" if cell else "0"


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page as `.html`, `.md`, `.json`, `.csv` or `.tex`, by the ending, whole or not at all.

    Raises:
        InputError: The path ends in something else.
    """
    path = Path(path)
    from clave.report.latex import to_tex

    forms = {".html": to_html, ".htm": to_html, ".md": to_markdown, ".json": to_json, ".csv": to_csv, ".tex": to_tex}
    form = forms.get(path.suffix.lower())
    if form is None:
        raise InputError(f"{path}: a report ends in {', '.join(forms)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(form(page), encoding="utf-8", newline="\n")
    os.replace(part, path)
    return path


def to_html(page: Page) -> str:
    """One file without a script or an address: it opens from disk and from a mail."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clave.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"clean": clean, "cell": cell_text, "numeric": lambda c: not isinstance(c, str)}
    style = (resources.files("clave.report") / "templates" / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(page=page, style=Markup(style), svg=Markup)


def to_json(page: Page) -> str:
    """The figures' data and the tables, without the drawings; estimates as objects with value, low, high, n and failed."""
    sections = [_plain(asdict(section)) for section in page.sections]
    data = {"title": clean(page.title), "lead": page.lead, "facts": [asdict(f) for f in page.facts], "sections": sections}
    return json.dumps(data, indent=1, ensure_ascii=False, default=_record).encode("utf-8", "replace").decode() + "\n"


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _plain(v) for k, v in data.items() if k not in {"svg", "wide", "dense"}}
    return [_plain(v) for v in data] if isinstance(data, list | tuple) else data


def _record(value: Any) -> Any:
    return value.model_dump()


def to_csv(page: Page) -> str:
    """The page's first table, for spreadsheets: an estimate takes four columns, its value, low, high and n."""
    tables = [t for section in page.sections for t in (*(f.table for f in section.figures), *section.tables)]
    if not tables:
        return ""
    table, out = tables[0], io.StringIO()
    parts = [any(isinstance(row[i], Estimate | Difference) for row in table.rows) for i in range(len(table.columns))]
    writer = csv.writer(out, lineterminator="\n")
    heads = (
        [name, f"{name} low", f"{name} high", f"{name} n"] if many else [name] for name, many in zip(table.columns, parts, strict=True)
    )
    writer.writerow([csv_cell(name) for head in heads for name in head])
    for row in table.rows:
        cells: list[str | int | float | None] = []
        for cell, many in zip(row, parts, strict=True):
            if isinstance(cell, Estimate | Difference):
                cells += [cell.value, cell.low, cell.high, cell.n]
            else:
                cells += [None] * 4 if many else [csv_cell(cell) if isinstance(cell, str) else cell]
        writer.writerow(cells)
    return out.getvalue()


def to_markdown(page: Page) -> str:
    """For pull requests and READMEs: tables and short quotes, no drawings."""
    lines = [f"# {markdown(page.title)}", "", markdown(page.lead), ""]
    lines += [f"- **{markdown(f.name)}**: {markdown(f.value)}{' (' + markdown(f.note) + ')' if f.note else ''}" for f in page.facts]
    for section in page.sections:
        lines += ["", f"## {markdown(section.title)}", ""]
        lines += [markdown(section.text), ""] if section.text else []
        for table in (*section.tables, *(f.table for f in section.figures), *section.more):
            lines += _md_table(table)
        for group in section.groups:
            lines += [f"### {markdown(group.title)}", "", *(_md_card(card) for card in group.cards), ""]
    return "\n".join(lines).rstrip() + "\n"


def _md_table(table: Table) -> list[str]:
    rule = ["---" if not table.rows or isinstance(cell, str) else "---:" for cell in (table.rows[0] if table.rows else table.columns)]
    body = [[markdown(cell_text(c)) for c in row] for row in table.rows]
    return [
        f"**{markdown(table.caption)}**",
        "",
        *("| " + " | ".join(r) + " |" for r in [[markdown(c) for c in table.columns], rule, *body]),
        "",
    ]


def _md_card(card: Card) -> str:
    text = " ".join(piece.text for piece in card.body)
    quote = markdown(text if len(text) <= 300 else text[:300] + "…")
    said = "; ".join(f"{markdown(judge)}: {markdown(label)}" for judge, label in card.verdicts)
    concepts = "; ".join(markdown(c.text) for c in card.concepts)
    parts = [f"**{markdown(card.label)}** {markdown(card.title)}", quote, f"concepts: {concepts}" if concepts else "", said]
    return "- " + " — ".join(p for p in parts if p)
