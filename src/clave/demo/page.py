"""The demo's page: all verdicts with their reasons, one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from clave.evaluator import Clave
from clave.records import Response, Verdict


def write_page(clave: Clave, responses: Sequence[Response], verdicts: Sequence[Verdict], path: Path) -> Path:
    """Write the page; every text from outside is escaped."""
    import jinja2

    source = (resources.files("clave.demo") / "page.html").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source)
    by_response = [(r, [v for v in verdicts if v.id == r.id]) for r in responses]
    scores = clave.manifest_["scores"]["all"]["accuracy"]
    path.write_text(template.render(clave=clave, rows=by_response, scores=scores), encoding="utf-8")
    return path
