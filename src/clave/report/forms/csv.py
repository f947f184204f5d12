"""A page's first table for spreadsheets.

to_csv(page)
"""

from __future__ import annotations

import csv
import io

from clave.report.page import Page
from clave.scoring.statistics import Difference, Estimate
from clave.text.plain import clean, csv_cell


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
    writer.writerow([csv_cell(clean(name)) for head in heads for name in head])
    for row in table.rows:
        cells: list[str | int | float | None] = []
        for cell, many in zip(row, parts, strict=True):
            if isinstance(cell, Estimate | Difference):
                cells += [cell.value, cell.low, cell.high, cell.n]
            else:
                cells += [None] * 4 if many else [csv_cell(clean(cell)) if isinstance(cell, str) else cell]
        writer.writerow(cells)
    return out.getvalue()
