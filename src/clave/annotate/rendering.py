"""Pages rendered on the server: templates, the interface's language, forms.

from clave.annotate.agreement import agreement

pages = Pages(system)
pages(request, "agreement.html", report=agreement(judgements), gold={})
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from clave.annotate.shown import language_of, visible, words
from clave.values import ValueSystem

LANGUAGE_COOKIE = "clave_language"


class Pages:
    """Renders a template for whoever asks."""

    def __init__(self, system: ValueSystem) -> None:
        self.system = system
        self._templates = Environment(loader=PackageLoader("clave.annotate", "pages"), autoescape=True, undefined=StrictUndefined)
        self._templates.filters["visible"] = visible

    def __call__(self, request: Request, name: str, status: int = 200, **shown: Any) -> HTMLResponse:
        language = language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
        session = request.scope.get("clave_session")
        text = self._templates.get_template(name).render(
            t=words(language), lang=language, session=session, here=request.url.path, system=self.system, **shown
        )
        return HTMLResponse(text.encode("utf-8", "replace"), status)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each once."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return {name: found[0] for name, found in parse_qs(body, keep_blank_values=True, max_num_fields=20).items()}
    except ValueError:
        raise HTTPException(400, "not a form") from None
