"""The pages: entry, labelling, progress, agreement and adjudication, guidelines, in and out; all rendered on the server."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from clave.annotate.access import COOKIE, annotator_of, enter
from clave.annotate.aggregate import Method, aggregate
from clave.annotate.agreement import agreement
from clave.annotate.assign import Rules, next_task
from clave.annotate.curve import drawing
from clave.annotate.exchange import FORMATS, SUFFIX, Format, as_bytes, judgement_rows, label_rows, read_judgements
from clave.annotate.judgement import Adjudication
from clave.annotate.receiving import take_in
from clave.annotate.screen import screen
from clave.annotate.shown import LANGUAGES, language_of, visible, words
from clave.annotate.store import Store
from clave.records import LABELS, Label

LANGUAGE_COOKIE = "clave_language"
DISCUSSED = 200
"""Disputed items listed on the agreement page at once."""


def page_routes(app: FastAPI) -> None:
    """Add the pages to the app."""
    store: Store = app.state.store
    rules: Rules = app.state.rules
    pages = Environment(loader=PackageLoader("clave.annotate", "pages"), autoescape=True, undefined=StrictUndefined)
    pages.filters["visible"] = visible

    def page(request: Request, name: str, status: int = 200, **shown: Any) -> HTMLResponse:
        language = language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
        who = request.scope.get("clave_annotator")
        text = pages.get_template(name).render(
            t=words(language), lang=language, who=who, here=request.url.path, system=store.system, **shown
        )
        return HTMLResponse(text.encode("utf-8", "replace"), status)

    view = partial(app.get, include_in_schema=False, response_class=HTMLResponse)
    action = partial(app.post, include_in_schema=False)

    @view("/")
    def start(request: Request) -> Response:
        if request.scope.get("clave_annotator"):
            return RedirectResponse("/label", 303)
        return page(request, "enter.html", refused=False, token=request.query_params.get("token", ""), access=app.state.access)

    @action("/enter")
    async def do_enter(request: Request) -> Response:
        form = await _form(request)
        cookie = enter(app.state.access, form.get("name", ""), form.get("token", ""))
        if cookie is None:
            return page(request, "enter.html", 403, refused=True, token="", access=app.state.access)
        answer = RedirectResponse("/label", 303)
        answer.set_cookie(COOKIE, cookie, max_age=30 * 86_400, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return answer

    @action("/leave")
    async def leave() -> Response:
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @action("/language")
    async def language(request: Request) -> Response:
        form = await _form(request)
        back = form.get("back", "/")
        answer = RedirectResponse(back if back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() else "/", 303)
        if form.get("language") in LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, form["language"], max_age=365 * 86_400, samesite="strict")
        return answer

    @view("/label")
    def label(request: Request, value: str = "") -> Response:
        annotator = annotator_of(request)
        only = value if value in store.system else None
        shown = screen(store, rules, annotator, next_task(store, annotator, rules, only), only)
        return page(request, "label.html", shown=shown, only=only or "")

    @view("/progress")
    def progress(request: Request) -> Response:
        counts = store.label_counts()
        curves = {value: drawing(store, value) for value in store.system.by_id}
        return page(request, "progress.html", counts=counts, rules=rules, curves=curves, labels=LABELS, total=store.count())

    @view("/agreement")
    def show_agreement(request: Request) -> Response:
        judgements = store.judgements()
        settled = {(a.id, a.value): a for a in store.adjudications()}
        report = agreement(judgements, draws=400)
        known = [(j.annotator, settled[j.id, j.value].label == j.label) for j in judgements if _is_gold(settled.get((j.id, j.value)))]
        right, asked = Counter(name for name, hit in known if hit), Counter(name for name, _ in known)
        gold = [(name, right[name], asked[name]) for name in sorted(asked)]
        discuss = [(d, store.find(d.id, d.value), settled.get((d.id, d.value))) for d in report.to_discuss[:DISCUSSED]]
        return page(request, "agreement.html", report=report, discuss=discuss, gold=gold)

    @view("/settle/{response}/{value}")
    def settle(request: Request, response: int, value: str) -> Response:
        row = store.response(response)
        if row is None or value not in store.system:
            raise HTTPException(404, "there is no such item")
        said = store.judgements(response=response, value=value)
        now = next((a for a in store.adjudications() if (a.id, a.value) == (row.id, value)), None)
        return page(request, "settle.html", row=row, value=store.system[value], said=said, labels=LABELS, now=now)

    @action("/settle/{response}/{value}")
    async def do_settle(request: Request, response: int, value: str) -> Response:
        form = await _form(request)
        row = await run_in_threadpool(store.response, response)
        if row is None or value not in store.system or row.value not in ("", value):
            raise HTTPException(404, "there is no such item")
        settled: Label | None = next((known for known in LABELS if known == form.get("label")), None)
        if settled is None:
            raise HTTPException(400, "choose one of the three labels")
        await run_in_threadpool(store.adjudicate, response, value, settled, annotator_of(request), form.get("note", "")[:10_000])
        return RedirectResponse("/agreement", 303)

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
        text = (await _form(request)).get("text", "")[:20_000].replace("\r\n", "\n").strip()
        await run_in_threadpool(store.set, f"guideline:{value}", text)
        return RedirectResponse(f"/guidelines#{value}", 303)

    @action("/calibrate")
    async def calibrate(request: Request) -> Response:
        form = await _form(request)
        if app.state.calibrating is None or form.get("accepted") != "yes":
            raise HTTPException(400, "calibration starts only when a model is configured and its cost is accepted")
        await run_in_threadpool(app.state.calibrating.start, store)
        return RedirectResponse("/guidelines", 303)

    @view("/exchange")
    def exchange(request: Request, imported: int | None = None) -> Response:
        undecided = aggregate(store.judgements(), store.adjudications()).undecided
        return page(request, "exchange.html", formats=FORMATS, imported=imported, undecided=len(undecided))

    @app.get("/export", include_in_schema=False)
    def export(what: str = "labels", format: str = "jsonl", method: str = "majority") -> Response:
        if format not in FORMATS or what not in {"labels", "judgements"} or method not in {"majority", "dawid-skene"}:
            raise HTTPException(
                400, f"format is one of {', '.join(FORMATS)}; what is labels or judgements; method is majority or dawid-skene"
            )
        kind: Format = next(f for f in FORMATS if f == format)
        way: Method = "dawid-skene" if method == "dawid-skene" else "majority"
        said = store.judgements()
        rows = judgement_rows(said) if what == "judgements" else label_rows(aggregate(said, store.adjudications(), way).labelled)
        name = f'attachment; filename="{what}{SUFFIX[kind]}"'
        return Response(as_bytes(rows, kind), media_type="application/octet-stream", headers={"content-disposition": name})

    @action("/import")
    async def do_import(request: Request, format: str = "jsonl") -> Response:
        if format not in FORMATS:
            raise HTTPException(400, f"format is one of {', '.join(FORMATS)}")
        body = await request.body()

        def work() -> int:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"upload{SUFFIX[next(f for f in FORMATS if f == format)]}"
                path.write_bytes(body)
                return take_in(store, read_judgements(path, values=store.system.by_id))

        imported = await run_in_threadpool(work)
        for value in store.system.by_id if app.state.background else ():
            app.state.background.labelled(value)
        return Response(json.dumps({"imported": imported}), media_type="application/json")


def _is_gold(settled: Adjudication | None) -> bool:
    return settled is not None and settled.by == "gold"


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return {name: found[0] for name, found in parse_qs(body, keep_blank_values=True, max_num_fields=20).items()}
    except ValueError:
        raise HTTPException(400, "not a form") from None
