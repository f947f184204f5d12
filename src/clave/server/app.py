"""The service as a FastAPI app: verdicts, jobs, evaluators, moderations, health and metrics.

    app = build_app({"mft": Clave.load("evaluator")}, Tokens(["a-token-of-at-least-16-characters"]))

One `Clave` for each evaluator is shared by all requests, so that their calls share one limit, one ledger and one cache.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from clave.errors import ClaveError
from clave.evaluating.judging import Unit
from clave.evaluator import Clave
from clave.records import Verdict
from clave.server.access import Tokens
from clave.server.accounts import Accounts
from clave.server.admission import Admission
from clave.server.answering import units_of, verdicts_of
from clave.server.bodies import (
    Asked,
    ErrorReply,
    EvaluatorEntry,
    EvaluatorsReply,
    Moderation,
    ModerationReply,
    ModerationRequest,
    VerdictsReply,
    VerdictsRequest,
)
from clave.server.guard import Guard, problem
from clave.server.job_routes import LINES, add_job_routes
from clave.server.job_runner import JobRunner
from clave.server.job_store import JobStore
from clave.server.metrics import Metrics
from clave.server.remembered import Remembered
from clave.text.plain import clean

QUEUE, JOB_QUEUE = 2000, 100_000
"""Responses under way at once, and in all jobs, where nothing else is said."""
_REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorReply, "description": text}
    for code, text in {
        400: "The request cannot be understood, or asks for a value that the evaluator does not know.",
        401: "The token is missing or wrong.",
        402: "The token's budget is used up.",
        404: "There is no such evaluator, or job.",
        413: "Too large.",
        422: "A field is missing or not what it must be.",
        429: "Busy; Retry-After says when to come back.",
        502: "For moderations: a text got no verdict.",
        503: "The large model cannot be used at all.",
    }.items()
}


def build_app(
    evaluators: Mapping[str, Clave],
    tokens: Tokens | None = None,
    *,
    hosts: Collection[str] | None = None,
    queue: int = QUEUE,
    jobs: JobStore | None = None,
    job_queue: int = JOB_QUEUE,
) -> FastAPI:
    """Put the service together.

    Args:
        evaluators: Id -> evaluator.
        tokens: Who may ask; None: everybody who reaches the address.
        hosts: Host names under which it answers; None: under any.
        queue: Responses under way at once; more are answered with 429.
        jobs: Where jobs, and what tokens have spent, are kept; it is closed with the service. None: there are no jobs.
        job_queue: Responses in jobs that have not ended; more are answered with 429.
    """
    admission = Admission(queue)
    metrics = Metrics(evaluators, admission)
    accounts = Accounts(tokens.accounts if tokens is not None else {}, jobs)
    runners: list[JobRunner] = []
    remembered = Remembered()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for clave in evaluators.values():
                await stack.enter_async_context(clave)
                if clave.fitted is not None:
                    await clave.judging.encoder.encode("ready")  # loads it now, and not under the first request
            await accounts.load()
            if jobs is not None:
                stack.callback(jobs.close)
                runners.append(await stack.enter_async_context(JobRunner(jobs, evaluators, accounts, metrics)))
            yield

    app = FastAPI(
        title="clave",
        version=version("clave"),
        summary="Whether responses adhere to human values or oppose them.",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )

    def chosen(name: str | None) -> tuple[str, Clave]:
        if name is None and len(evaluators) == 1:
            return next(iter(evaluators.items()))
        if name is None:
            raise HTTPException(422, f"several evaluators are served: name one of {', '.join(evaluators)}")
        if name not in evaluators:
            raise HTTPException(404, f"there is no evaluator {clean(name)!r}: there is {', '.join(evaluators)}")
        return name, evaluators[name]

    async def counted(name: str, units: Sequence[Unit], asked: VerdictsRequest) -> AsyncGenerator[Verdict]:
        """The verdicts of a request, in the room that it has been given."""
        clave = evaluators[name]
        with admission.room(len(units)):
            found = verdicts_of(clave.judging, units, remembered, min_confidence=asked.min_confidence, coverage=asked.coverage)
            async with aclosing(found):
                async for verdict in found:
                    metrics.verdict(name, verdict)
                    yield verdict

    @app.post(
        "/v1/verdicts",
        response_model=VerdictsReply,
        responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}, **_REFUSED},
    )
    async def verdicts(asked: VerdictsRequest, request: Request) -> Response:
        """Judge one or many responses. With `Accept: application/x-ndjson` each verdict is a line, sent as soon as it is ready."""
        name, clave = chosen(asked.evaluator)
        units = units_of(clave.judging, asked)
        found = counted(name, units, asked)
        if LINES in request.headers.get("accept", ""):
            return VerdictLines(await anext(found), found)
        async with aclosing(found):
            ready = {(verdict.id, verdict.value): verdict.model_dump_json().encode() async for verdict in found}
        ordered = (ready[response.id, value.id] for response, values in units for value in values)
        return Response(b'{"verdicts":[' + b",".join(ordered) + b"]}", media_type="application/json")

    @app.post("/v1/moderations", responses=_REFUSED)
    async def moderations(asked: ModerationRequest) -> ModerationReply:
        """Moderate as with OpenAI's endpoint: categories are the evaluator's values, and a text is flagged where it opposes one.

        A text without a verdict is an error and never "not flagged".
        """
        name, clave = chosen(asked.model)
        texts = VerdictsRequest(responses=[Asked(response=text) for text in asked.input])
        units = units_of(clave.judging, texts)
        rows: dict[str, dict[str, Verdict]] = {response.id: {} for response, _ in units}
        async with aclosing(counted(name, units, texts)) as found:
            async for verdict in found:
                rows[verdict.id][verdict.value] = verdict
        bad = next((v for row in rows.values() for v in row.values() if v.label is None or v.probabilities is None), None)
        if bad is not None:
            raise HTTPException(502, f"input {bad.id} has no verdict for {bad.value}: {clean(bad.reason)}")
        results = [_moderation([row[value] for value in clave.values]) for row in rows.values()]
        return ModerationReply(id=f"modr-{uuid.uuid4().hex}", model=name, results=results)

    @app.get("/v1/evaluators", responses={401: _REFUSED[401]})
    async def served() -> EvaluatorsReply:
        """Which evaluators there are, and for which values."""
        return EvaluatorsReply(evaluators=[_entry(name, clave) for name, clave in evaluators.items()])

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: _REFUSED[503]})
    async def ready() -> dict[str, str]:
        """The evaluators are loaded and there is room for more."""
        if admission.full:
            raise HTTPException(503, "as many responses are under way as this server takes")
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, 401: _REFUSED[401]})
    async def measured() -> Response:
        """For Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    if jobs is not None:
        add_job_routes(app, jobs, lambda: runners[-1], chosen, _REFUSED, job_queue)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(ClaveError, _told)
    app.add_exception_handler(ClientDisconnect, _gone)
    routes = frozenset(str(getattr(route, "path", "")) for route in app.routes)
    app.add_middleware(Guard, tokens=tokens, hosts=hosts, metrics=metrics, accounts=accounts, routes=routes)
    return app


class VerdictLines(StreamingResponse):
    """A verdict a line as it is ready; whoever goes away ends the work on the rest."""

    def __init__(self, first: Verdict, rest: AsyncGenerator[Verdict]) -> None:
        self._rest = rest
        super().__init__(self._lines(first), media_type=LINES)

    async def _lines(self, first: Verdict) -> AsyncIterator[bytes]:
        yield first.model_dump_json().encode() + b"\n"
        try:
            async for verdict in self._rest:
                yield verdict.model_dump_json().encode() + b"\n"
        except HTTPException as error:  # the status is sent already
            yield bytes(problem(error.status_code, error.detail).body) + b"\n"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


def _moderation(verdicts: list[Verdict]) -> Moderation:
    opposes = {verdict.value: verdict.label == "oppose" for verdict in verdicts}
    return Moderation(
        flagged=any(opposes.values()),
        categories=opposes,
        category_scores={v.value: (v.probabilities or {})["oppose"] for v in verdicts},
        category_applied_input_types={value: ["text"] for value in opposes},
    )


def _entry(name: str, clave: Clave) -> EvaluatorEntry:
    return EvaluatorEntry(
        id=name,
        name=clave.name,
        system=clave.system.id,
        values=list(clave.values),
        model=clave.settings.model,
        calibrated=clave.fitted is not None,
    )


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What is wrong and where, without the input: it may be anything."""
    assert isinstance(error, RequestValidationError)
    first, *more = error.errors()
    if first["type"] == "json_invalid":
        return problem(400, f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}")
    if first["loc"] == ("body",):
        return problem(422, "the body must be a JSON object, sent with the header `Content-Type: application/json`")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    rest = f" ({len(more)} more of the kind)" if more else ""
    return problem(422, clean(f"{place[:200]}: {first['msg'][:1].lower()}{first['msg'][1:]}{rest}"))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, error.headers)


async def _told(_: Request, error: Exception) -> JSONResponse:
    return problem(400, clean(str(error)))


async def _gone(_: Request, error: Exception) -> JSONResponse:
    """Half a request: nobody is there to read this."""
    return problem(400, "the request was not sent to its end")
