"""A self-contained HTML page to look flagged rows over, one by one, and save the accepted corrections as a file that `build` applies.

Path("audit.html").write_text(audit_page(findings, errors), encoding="utf-8")
"""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader

from clave.records import LABELS
from clave.valeval.audit import SourceError, Suspect


def audit_page(findings: Sequence[Suspect], errors: Sequence[SourceError]) -> str:
    """The page. All texts of the data set are escaped; the page loads nothing and sends nothing."""
    pages = Environment(loader=PackageLoader("clave.valeval", "pages"), autoescape=True)
    return pages.get_template("audit.html").render(findings=findings, errors=errors, labels=LABELS)
