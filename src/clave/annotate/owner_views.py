"""The owner's pages: settling, guidelines and calibration, export and import. The guard lets nobody else in."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from clave.annotate.aggregate import METHODS, aggregate
from clave.annotate.api import AsciiJSON
from clave.annotate.exchange import FORMATS, SUFFIX, as_bytes, judgement_rows, label_rows, read_judgements
from clave.annotate.guard import session_of
from clave.annotate.receiving import TakenIn, take_in
from clave.annotate.rendering import Pages, form_of
from clave.annotate.settling import disputes
from clave.annotate.store import Store
from clave.errors import InputError
from clave.records import LABELS, Label


def owner_routes(app: FastAPI, page: Pages) -> None:
    """Add the owner's pages to the app."""
    store: Store = app.state.store
    view = partial(app.get, include_in_schema=False, response_class=HTMLResponse)
    action = partial(app.post, include_in_schema=False)

    @view("/settle")
    def settle(request: Request) -> Response:
        return page(request, "settle.html", disputes=disputes(store), labels=LABELS)

    @action("/settle/{response}/{value}")
    async def do_settle(request: Request, response: int, value: str) -> Response:
        form = await form_of(request)
        row = await run_in_threadpool(store.response, response)
        if row is None or value not in store.system or row.value not in ("", value):
            raise HTTPException(404, "there is no such item")
        label: Label | None = next((known for known in LABELS if known == form.get("label")), None)
        if label is None and form.get("label") != "open":
            raise HTTPException(400, "choose one of the three labels, or open to take the decision back")
        by = session_of(request).name
        await run_in_threadpool(store.adjudicate, response, value, label, by, form.get("note", "")[:10_000])
        if "application/json" in request.headers.get("accept", ""):
            return AsciiJSON({"label": label, "by": by})
        return RedirectResponse(f"/settle#item-{response}-{value}", 303)

    @view("/guidelines")
    def guidelines(request: Request) -> Response:
        written = {v.id: store.setting(f"guideline:{v.id}") or v.guideline or "" for v in store.system.values}
        shown = [(v, written[v.id], store.setting(f"induced:{v.id}") or "") for v in store.system.values]
        calibrating = app.state.calibrating
        state = calibrating.state(store) if calibrating else None
        return page(request, "guidelines.html", guidelines=shown, calibration=state)

    @action("/guidelines/{value}")
    async def save_guideline(request: Request, value: str) -> Response:
        if value not in store.system:
            raise HTTPException(404, "there is no such value")
        text = (await form_of(request)).get("text", "")[:20_000].replace("\r\n", "\n").strip()
        await run_in_threadpool(store.set, f"guideline:{value}", text)
        return RedirectResponse(f"/guidelines#{value}", 303)

    @action("/calibrate")
    async def calibrate(request: Request) -> Response:
        form = await form_of(request)
        if app.state.calibrating is None or form.get("accepted") != "yes":
            raise HTTPException(400, "calibration starts only when a model is configured and its cost is accepted")
        await run_in_threadpool(app.state.calibrating.start, store)
        return RedirectResponse("/guidelines", 303)

    @view("/exchange")
    def exchange(request: Request) -> Response:
        result = aggregate(store.judgements(), store.adjudications())
        return page(request, "exchange.html", formats=FORMATS, settled=len(result.labelled), undecided=len(result.undecided))

    @app.get("/export", include_in_schema=False)
    def export(what: str = "labels", format: str = "jsonl", method: str = "majority") -> Response:
        kind = next((f for f in FORMATS if f == format), None)
        way = next((m for m in METHODS if m == method), None)
        if kind is None or way is None or what not in {"labels", "judgements"}:
            raise HTTPException(
                400, f"format is one of {', '.join(FORMATS)}; what is labels or judgements; method is one of {', '.join(METHODS)}"
            )
        said = store.judgements()
        rows = judgement_rows(said) if what == "judgements" else label_rows(aggregate(said, store.adjudications(), way).labelled)
        name = f'attachment; filename="{what}{SUFFIX[kind]}"'
        return Response(as_bytes(rows, kind), media_type="application/octet-stream", headers={"content-disposition": name})

    @action("/import")
    async def do_import(request: Request, format: str = "jsonl") -> Response:
        kind = next((f for f in FORMATS if f == format), None)
        if kind is None:
            raise HTTPException(400, f"format is one of {', '.join(FORMATS)}")
        body = await request.body()
        by = session_of(request).name

        def work() -> TakenIn:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"upload{SUFFIX[kind]}"
                path.write_bytes(body)
                try:
                    return take_in(store, read_judgements(path, values=store.system.by_id), by)
                except InputError as error:
                    raise InputError(str(error).replace(str(path), "the file")) from None

        taken = await run_in_threadpool(work)
        for value in store.system.by_id if app.state.background else ():
            app.state.background.labelled(value)
        return AsciiJSON(taken._asdict())
