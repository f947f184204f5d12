"""A report's tables for a paper: LaTeX with the package booktabs, to be taken in with \\input.

to_tex(page)      # a table environment for each table, labelled tab:SECTION-N
"""

from __future__ import annotations

import re

from clave.report.page import Cell, Page, Table, cell_text
from clave.text.plain import clean

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "–": "--",
}
_PATTERN = re.compile("[" + re.escape("".join(_SPECIAL)) + "]")


def to_tex(page: Page) -> str:
    """All tables of a page, each as a `table` with rules of booktabs."""
    lines = [
        f"% {' '.join(clean(page.title).split())}",
        r"% needs \usepackage{booktabs}; with letters beyond Latin ones, lualatex or xelatex",
    ]
    for section in page.sections:
        shown = dict.fromkeys((*(figure.table for figure in section.figures), *section.tables, *section.more))
        for number, table in enumerate(shown, 1):
            lines += ["", *_table(table, f"tab:{section.id}-{number}")]
    return "\n".join(lines) + "\n"


def _table(table: Table, label: str) -> list[str]:
    columns = "".join("l" if _is_text(table, i) else "r" for i in range(len(table.columns)))
    rows = [[tex(cell_text(cell)) for cell in row] for row in table.rows]
    return [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(table.caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row([tex(name) for name in table.columns]),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _is_text(table: Table, at: int) -> bool:
    cells: list[Cell] = [row[at] for row in table.rows]
    return any(isinstance(cell, str) for cell in cells)


def _row(cells: list[str]) -> str:
    # A cell that begins with a bracket or a star would be taken for a part of the line end before it.
    return " & ".join(f"{{{cell}}}" if cell.startswith(("[", "*")) else cell for cell in cells) + r" \\"


def tex(text: str) -> str:
    """A text that LaTeX sets as it is, on one line."""
    return _PATTERN.sub(lambda found: _SPECIAL[found.group()], " ".join(clean(text).split()))
