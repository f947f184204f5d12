"""The forms of a page: HTML, Markdown, JSON, CSV and LaTeX.

    write_page(page, "report.html")     # or report.md, report.json, report.csv, report.tex

Every text of a page may be hostile: each form writes it so that it stays text.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from clave.errors import InputError
from clave.report.latex import to_tex
from clave.report.page import Card, Listing, Page, Table, cell_text, signed
from clave.scoring.statistics import Difference, Estimate
from clave.text.plain import clean, csv_cell, markdown


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page as `.html`, `.md`, `.json`, `.csv` or `.tex`, by the ending, whole or not at all.

    Raises:
        InputError: The path ends in something else.
    """
    path = Path(path)
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
    """One file that asks for nothing: it opens from disk and from a mail.

    Its only script is the list's own, which the page's policy knows by its hash: no other text of the page can run.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clave.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"clean": clean, "cell": cell_text, "numeric": lambda c: not isinstance(c, str), "signed": signed}
    templates = resources.files("clave.report") / "templates"
    style = (templates / "page.css").read_text(encoding="utf-8")
    script = (templates / "verdicts.js").read_text(encoding="utf-8") if any(s.listing for s in page.sections) else ""
    policy = f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'; " if script else ""
    return environment.get_template("page.html").render(
        page=page, style=Markup(style), script=Markup(script), policy=Markup(policy), svg=Markup, data=lambda one: Markup(_data(one))
    )


def _data(listing: Listing) -> str:
    """JSON that no text can leave: without a letter that means something in HTML."""
    text = json.dumps(asdict(listing), separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def to_json(page: Page) -> str:
    """The figures' data and the tables, without the drawings; estimates as objects with value, low, high, n and failed."""
    sections = [_plain(asdict(section)) for section in page.sections]
    data = {"title": clean(page.title), "lead": page.lead, "facts": [asdict(f) for f in page.facts], "sections": sections}
    return json.dumps(data, indent=1, ensure_ascii=False, default=_record).encode("utf-8", "replace").decode() + "\n"


_LOOKS = frozenset({"svg", "wide", "dense", "folded", "chart", "defines", "listing", "link"})
"""What only HTML needs."""


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _plain(v) for k, v in data.items() if k not in _LOOKS}
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
