"""A page as a file: HTML, Markdown, JSON, CSV or LaTeX by its ending, or what a package offers in the entry point group `clave.forms`.

    write_page(page, "report.html")

A package offers a form of its own in its pyproject.toml:

    [project.entry-points."clave.forms"]
    docx = "our_package.word:to_docx"            # for endings `.docx`: a function from a `Page` to text or bytes

Every text of a page may be hostile: each form writes it so that it stays text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clave.errors import InputError
from clave.io.replacing import replacing
from clave.registry import Registry
from clave.report.page import Page

Form = Callable[[Page], str | bytes]
"""Text is written as UTF-8."""

FORMS: Registry[Form] = Registry(
    "form of a report",
    "clave.forms",
    {
        "html": "clave.report.forms.html:to_html",
        "htm": "clave.report.forms.html:to_html",
        "md": "clave.report.forms.markdown:to_markdown",
        "json": "clave.report.forms.json:to_json",
        "csv": "clave.report.forms.csv:to_csv",
        "tex": "clave.report.forms.latex:to_tex",
    },
    check=lambda thing: "" if callable(thing) else "it is not a function",
)
"""By the ending of the file."""


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page in the form that the file's ending names, whole or not at all.

    Raises:
        InputError: There is no such form.
    """
    path = Path(path)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMS:
        raise InputError(f"{path}: a report ends in {', '.join(f'.{name}' for name in FORMS.names())}")
    written = FORMS[ending](page)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(written.encode("utf-8") if isinstance(written, str) else written)
    return path
