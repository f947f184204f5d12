"""`/v1/jobs`: many responses, judged in the background; the verdicts are there when they are, also after a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, NoReturn

from fastapi import FastAPI, Path
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from clave.evaluator import Clave
from clave.server.answering import units_of
from clave.server.bodies import JobReply, JobRequest, JobsReply
from clave.server.guard import sender_of
from clave.server.job_runner import JobRunner
from clave.server.job_store import Job, JobStore

RETRY_AFTER = 60
"""Seconds; jobs take longer than requests."""
LINES = "application/x-ndjson"
_PAGE = 500
Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=["9f2c7d1e5b8a4c3fa1d06e7b2c94d85f"])]


def add_job_routes(
    app: FastAPI,
    store: JobStore,
    runner: Callable[[], JobRunner],
    chosen: Callable[[str | None], tuple[str, Clave]],
    refused: dict[int | str, dict[str, Any]],
    most: int,
) -> None:
    """Add the routes.

    Args:
        app: The service.
        store: Where jobs are.
        runner: Who works on them, once the service runs.
        chosen: The evaluator that a request names.
        refused: How the answers that are no success are described.
        most: Responses in all jobs that have not ended; a job that does not fit is answered with 429.
    """

    @app.post("/v1/jobs", status_code=202, responses=refused)
    async def send(asked: JobRequest, request: Request, response: Response) -> JobReply:
        """Have responses judged in the background. Once this is answered the job is kept, whatever happens to the service."""
        name, clave = chosen(asked.evaluator)
        clave.judging.floor(asked.min_confidence, asked.coverage)
        units = await asyncio.to_thread(units_of, clave.judging, asked)
        if len(units) > most:
            raise HTTPException(413, f"{len(units)} responses in one job, and this server takes {most}: send fewer at a time")
        total = sum(len(values) for _, values in units)
        job = await asyncio.to_thread(
            lambda: store.add(sender_of(request), name, clave.name, asked.model_dump_json(), responses=len(units), total=total, most=most)
        )
        if job is None:
            raise HTTPException(
                429, f"as many jobs wait as this server takes: try again in {RETRY_AFTER} seconds", {"Retry-After": str(RETRY_AFTER)}
            )
        runner().look()
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return _shown(job)

    @app.get("/v1/jobs", responses=refused)
    async def latest(request: Request) -> JobsReply:
        """Your last hundred jobs, the newest first."""
        return JobsReply(jobs=[_shown(job) for job in await asyncio.to_thread(store.latest, sender_of(request))])

    @app.get("/v1/jobs/{identity}", responses=refused)
    async def status(identity: Identity, request: Request) -> JobReply:
        """How far a job is."""
        return _shown(await found(request, identity))

    @app.get(
        "/v1/jobs/{identity}/result",
        response_class=Response,
        responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}, **refused},
    )
    async def result(identity: Identity, request: Request) -> Response:
        """The verdicts that are there, one a line, in the order in which they were asked for: all of them once the status is `done`."""
        await found(request, identity)
        return StreamingResponse(_lines(store, identity), media_type=LINES)

    @app.post("/v1/jobs/{identity}/cancel", responses=refused)
    async def cancel(identity: Identity, request: Request) -> JobReply:
        """Start nothing more of a job. Verdicts that are there stay; a job that has ended is left as it is."""
        job = await asyncio.to_thread(store.cancel, sender_of(request), identity)
        return _shown(job) if job is not None else _unknown()

    async def found(request: Request, identity: str) -> Job:
        job = await asyncio.to_thread(store.get, sender_of(request), identity)
        return job if job is not None else _unknown()


def _unknown() -> NoReturn:
    raise HTTPException(404, "there is no such job of yours: jobs are kept for 30 days after their end")


async def _lines(store: JobStore, identity: str) -> AsyncIterator[bytes]:
    after = -1
    while page := await asyncio.to_thread(store.verdicts, identity, after, _PAGE):
        yield b"".join(verdict.encode() + b"\n" for _, verdict in page)
        after = page[-1][0]


def _shown(job: Job) -> JobReply:
    ended = None if job.ended is None else _moment(job.ended)
    return JobReply.model_validate(job._asdict() | {"created": _moment(job.created), "ended": ended})


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
