"""The pages for everybody: entry, labelling, progress, agreement. Those of the owner are in owner_views.py."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from clave.annotate.access import COOKIE, enter, session_cookie
from clave.annotate.agreement import agreement
from clave.annotate.assign import Rules, next_task, second_labels
from clave.annotate.curve import drawings
from clave.annotate.gold import gold_scores
from clave.annotate.guard import session_of
from clave.annotate.rendering import LANGUAGE_COOKIE, Pages, form_of
from clave.annotate.screen import screen
from clave.annotate.shown import LANGUAGES
from clave.annotate.store import Store
from clave.records import LABELS

SECONDS_AN_ITEM = 20.0
"""Assumed until twenty labels have been timed."""


def page_routes(app: FastAPI, page: Pages) -> None:
    """Add the pages to the app."""
    store: Store = app.state.store
    rules: Rules = app.state.rules
    view = partial(app.get, include_in_schema=False, response_class=HTMLResponse)
    action = partial(app.post, include_in_schema=False)

    def entry(request: Request, status: int = 200, **shown: Any) -> HTMLResponse:
        return page(request, "enter.html", status, access=app.state.access, work=work_ahead(store, rules), **shown)

    @view("/")
    def start(request: Request) -> Response:
        if request.scope.get("clave_session"):
            return RedirectResponse("/label", 303)
        return entry(request, refused="", token=request.query_params.get("token", ""))

    @action("/enter")
    async def do_enter(request: Request) -> Response:
        address = request.client.host if request.client else ""
        pause = app.state.throttle.wait(address)
        if pause > 0:
            answer = await run_in_threadpool(entry, request, 429, refused="slow", token="")
            answer.headers["retry-after"] = str(int(pause) + 1)
            return answer
        form = await form_of(request)
        session = enter(app.state.access, form.get("name", ""), form.get("token", ""), app.state.once)
        if session is None:
            app.state.throttle.wrong(address)
            return await run_in_threadpool(entry, request, 403, refused="wrong", token="")
        opened = RedirectResponse("/label", 303)
        cookie = session_cookie(app.state.access, session)
        opened.set_cookie(COOKIE, cookie, max_age=30 * 86_400, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return opened

    @action("/leave")
    async def leave() -> Response:
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @action("/language")
    async def language(request: Request) -> Response:
        form = await form_of(request)
        back = form.get("back", "/")
        answer = RedirectResponse(back if back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() else "/", 303)
        if form.get("language") in LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, form["language"], max_age=365 * 86_400, samesite="strict")
        return answer

    @view("/label")
    def label(request: Request, value: str = "") -> Response:
        annotator = session_of(request).name
        only = value if value in store.system else None
        shown = screen(store, rules, annotator, next_task(store, annotator, rules, only), only)
        return page(request, "label.html", shown=shown, only=only or "")

    @view("/progress")
    def progress(request: Request) -> Response:
        counts, available, second = store.label_counts(), store.available(), second_labels(store)
        rows = [_bar(v, counts[v.id], min(rules.target, available[v.id]), second[v.id]) for v in store.system.values]
        longest = max([1, *(max(row["whole"], row["target"]) for row in rows)])
        return page(request, "progress.html", rows=rows, longest=longest, curves=drawings(store), labels=(*LABELS, "cannot_tell"))

    @view("/agreement")
    def show_agreement(request: Request) -> Response:
        session = session_of(request)
        report = agreement(store.judgements())
        scores = {name: score for name, score in gold_scores(store).items() if session.owner or name == session.name}
        return page(request, "agreement.html", report=report, gold=scores)


def work_ahead(store: Store, rules: Rules) -> dict[str, int]:
    """What there is to do: responses, items in all and done, and minutes for the rest at the pace so far."""
    available, counts = store.available(), store.label_counts()
    items = sum(min(rules.target, number) for number in available.values())
    done = sum(min(counts[value]["items"], rules.target) for value in available)
    paces = store.paces()
    pace = statistics.median(paces) if len(paces) >= 20 else SECONDS_AN_ITEM
    return {"responses": store.count(), "items": items, "done": done, "seconds": round(pace), "minutes": round((items - done) * pace / 60)}


def _bar(value: Any, counts: dict[str, int], target: int, second: tuple[int, int]) -> dict[str, Any]:
    """What the picture of a value's labels shows."""
    said = {label: counts.get(label, 0) for label in (*LABELS, "cannot_tell")}
    return {"value": value, "said": said, "items": counts["items"], "target": target, "second": second, "whole": sum(said.values())}
