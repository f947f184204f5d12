"""A page as one HTML file.

to_html(page)
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from importlib import resources

from clave.report.page import Cell, Listing, Page, cell_text
from clave.text.plain import clean


def to_html(page: Page) -> str:
    """One file that asks for nothing: it opens from disk and from a mail.

    Its only script is the list's own, which the page's policy knows by its hash: no other text of the page can run.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clave.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"clean": clean, "cell": _cell, "numeric": lambda c: not isinstance(c, str)}
    templates = resources.files("clave.report") / "templates"
    style = (templates / "page.css").read_text(encoding="utf-8")
    script = (templates / "verdicts.js").read_text(encoding="utf-8") if any(s.listing for s in page.sections) else ""
    policy = f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'; " if script else ""
    return environment.get_template("page.html").render(
        page=page, style=Markup(style), script=Markup(script), policy=Markup(policy), svg=Markup, data=lambda one: Markup(_data(one))
    )


def _cell(cell: Cell) -> str:
    """As people read it; numbers with the sign for minus."""
    return cell_text(cell) if isinstance(cell, str) else cell_text(cell).replace("-", "−")


def _data(listing: Listing) -> str:
    """JSON that no text can leave: without a letter that means something in HTML."""
    text = json.dumps(asdict(listing), separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
