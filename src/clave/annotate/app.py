"""The annotation page as a FastAPI app, put together: its JSON routes are in api.py, its pages in views.py.

app = build_app(store, Access(secret=session_secret(store)), Rules())
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect

from clave.annotate.access import Access, OnceKey
from clave.annotate.api import AsciiJSON, api_routes
from clave.annotate.assign import Rules
from clave.annotate.background import Background
from clave.annotate.calibrating import Calibrating
from clave.annotate.checks import Checks
from clave.annotate.guard import Guard
from clave.annotate.owner_views import owner_routes
from clave.annotate.rendering import Pages
from clave.annotate.store import Store
from clave.annotate.throttle import Throttle
from clave.annotate.views import page_routes
from clave.errors import ClaveError


def session_secret(store: Store) -> str:
    """The secret that signs sessions; made once and kept in the store, so that a restart logs nobody out."""
    found = store.setting("secret")
    if found is None:
        found = secrets.token_hex(32)
        store.set("secret", found)
    return found


def build_app(
    store: Store,
    access: Access,
    rules: Rules,
    background: Background | None = None,
    calibrating: Calibrating | None = None,
    once: OnceKey | None = None,
    checks: Checks | None = None,
) -> FastAPI:
    """Put the page together.

    Args:
        store: Responses and labels.
        access: Who may enter.
        rules: How labelling is organised.
        background: Chooses items and draws curves; None = neither.
        calibrating: What the calibrate button does; None = there is none.
        once: The token that opens the next session, where `access.once`.
        checks: An evaluator's verdicts, each shown after an annotator's own label.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if background:
            background.start()
        yield
        if calibrating:
            calibrating.stop()
        if background:
            background.stop()

    app = FastAPI(
        title="clave annotate", lifespan=lifespan, docs_url=None, redoc_url=None, default_response_class=AsciiJSON, redirect_slashes=False
    )
    app.state.store, app.state.access, app.state.rules = store, access, rules
    app.state.background, app.state.calibrating = background, calibrating
    app.state.once, app.state.throttle, app.state.checks = once, Throttle(), checks or {}
    app.mount("/static", StaticFiles(directory=str(resources.files("clave.annotate") / "static")))
    api_routes(app)
    pages = Pages(store.system)
    page_routes(app, pages)
    owner_routes(app, pages)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClaveError, _told)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Guard, access=access)
    return app


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What is wrong and where, without the input: it may be anything."""
    assert isinstance(error, RequestValidationError)
    return AsciiJSON({"detail": [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]}, 422)


async def _told(_: Request, error: Exception) -> JSONResponse:
    return AsciiJSON({"detail": str(error)}, 400)


async def _gone(_: Request, error: Exception) -> JSONResponse:
    """Half a request: nobody is there to read this."""
    return AsciiJSON({"detail": "the request was not sent to its end"}, 400)
