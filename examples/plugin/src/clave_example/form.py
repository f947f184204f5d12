"""A form of reports: the lead sentence and each table's rows as plain text, for a message."""

from __future__ import annotations

from clave.report.page import Page, cell_text
from clave.text.plain import clean


def to_text(page: Page) -> str:
    """The page; the control characters that a model may have written are left out."""
    lines = [page.title, page.lead]
    for section in page.sections:
        for table in (*(figure.table for figure in section.figures), *section.tables):
            lines += ["", table.caption, *("\t".join(cell_text(cell) for cell in row) for row in (table.columns, *table.rows))]
    return "".join(f"{clean(line)}\n" for line in lines)
