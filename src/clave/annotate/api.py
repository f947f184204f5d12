"""The JSON routes that the labelling screen calls: the next item, a choice, a choice taken back."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from clave.annotate.assign import Assignment, Rules, next_task
from clave.annotate.background import Background
from clave.annotate.checks import Checks
from clave.annotate.guard import session_of
from clave.annotate.judgement import Choice
from clave.annotate.screen import screen
from clave.annotate.store import Store
from clave.records import Evidence

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Number = Annotated[int, Field(ge=1, lt=2**31)]


_REFUSED: dict[int | str, str] = {
    400: "a bad host, body or evidence",
    401: "no session",
    403: "another site",
    404: "no such item",
    413: "too large",
}


class Span(BaseModel):
    """A marked stretch of the response, in characters (code points)."""

    model_config = ConfigDict(extra="forbid")
    start: Annotated[int, Field(ge=0, lt=2**31)]
    end: Number


class Said(BaseModel):
    """A choice, as the screen sends it."""

    model_config = ConfigDict(extra="forbid")
    response: Number
    value: Annotated[str, Field(max_length=64)]
    label: Choice
    key: Key
    note: Annotated[str, Field(max_length=10_000)] = ""
    evidence: Annotated[list[Span], Field(max_length=50)] = []
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    only: Annotated[str, Field(max_length=64)] | None = None
    """Show items of this value next; None = whichever needs labels."""


class Undo(BaseModel):
    """Take back the last choice."""

    model_config = ConfigDict(extra="forbid")
    key: Key


class AsciiJSON(JSONResponse):
    """JSON with everything beyond ASCII escaped: half a surrogate pair can be told in no other way."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode()


def api_routes(app: FastAPI) -> None:
    """Add the routes; `app.state` holds store, rules, background and checks."""
    store: Store = app.state.store
    rules: Rules = app.state.rules
    background: Background | None = app.state.background
    checks: Checks = app.state.checks
    refused: dict[int | str, dict[str, Any]] = {code: {"description": text} for code, text in _REFUSED.items()}

    def known(value: str | None) -> str | None:
        if value and value not in store.system:
            raise HTTPException(404, "there is no such value")
        return value or None

    @app.get("/api/next", responses=refused)
    def next_item(request: Request, value: Annotated[str | None, Field(max_length=64)] = None) -> AsciiJSON:
        """The annotator's next item."""
        annotator = session_of(request).name
        only = known(value)
        return AsciiJSON(screen(store, rules, annotator, next_task(store, annotator, rules, only), only))

    @app.post("/api/labels", responses=refused)
    def save(request: Request, said: Said) -> AsciiJSON:
        """Record a choice and answer with the next item. The same key sent again records nothing."""
        annotator = session_of(request).name
        known(said.value)
        only = known(said.only)
        row = store.response(said.response)
        if row is None or row.value not in ("", said.value):
            raise HTTPException(404, "there is no such response for this value")
        if any(not span.start < span.end <= len(row.response) for span in said.evidence):
            raise HTTPException(400, "evidence lies outside the response")
        saved = store.save(
            annotator=annotator,
            response=said.response,
            value=said.value,
            label=said.label,
            key=_own_key(annotator, said.key),
            note=said.note,
            evidence=[Evidence(text=row.response[s.start : s.end], start=s.start, end=s.end) for s in said.evidence],
            seconds=said.seconds,
        )
        if saved and background:
            background.labelled(said.value)
        check = checks.get((row.id, said.value))
        shown = screen(store, rules, annotator, next_task(store, annotator, rules, only), only)
        return AsciiJSON({"saved": saved, "check": check.after(said.label) if check else None, **shown})

    @app.post("/api/undo", responses=refused)
    def undo(request: Request, last: Undo) -> AsciiJSON:
        """Take back the annotator's last choice and show its item again, with the note and the evidence it had."""
        annotator = session_of(request).name
        taken = store.undo(annotator, _own_key(annotator, last.key))
        if taken is None:
            return AsciiJSON({"undone": False, **screen(store, rules, annotator, next_task(store, annotator, rules))})
        shown = screen(store, rules, annotator, Assignment(taken.response, taken.value, "undo"))
        before = {"label": taken.label, "note": taken.note, "evidence": taken.evidence}
        return AsciiJSON({"undone": True, "before": before, **shown})


def _own_key(annotator: str, key: str) -> str:
    """Keys are the senders' own: nobody can use up another's."""
    return hashlib.sha256(f"{annotator}\0{key}".encode()).hexdigest()
