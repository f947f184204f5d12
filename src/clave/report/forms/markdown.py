"""A page as Markdown.

to_markdown(page)
"""

from __future__ import annotations

from clave.report.page import Card, Page, Table, cell_text
from clave.text.plain import markdown


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
