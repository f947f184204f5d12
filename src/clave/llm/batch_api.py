"""A server's batch API in OpenAI's form: files of requests in, files of results out, within a day.

    api = chat.batches()
    file = await api.upload(Path("requests.jsonl"))
    batch = await api.create(file, "a-name-of-ours")      # or None, where no answer came: see api.find("a-name-of-ours", file)
    while not (batch := await api.get(batch.id)).ended: await asyncio.sleep(1)
    await api.download(batch.files[0], Path("results.jsonl"))

What can be asked twice is, for as long as a server is merely busy or away. Making a batch cannot: it is paid for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from clave.errors import ModelError
from clave.io.replacing import replacing
from clave.llm.error_reply import one_line
from clave.llm.faults import Fault, fault_of
from clave.llm.providers import Endpoint
from clave.llm.transport import NoReplyError, Reply, Transport
from clave.records import Record

R = TypeVar("R")

ENDPOINT = "/v1/chat/completions"
NAME = "clave"
"""The entry of a batch's metadata that holds its name."""
_AWAY = 3600.0
"""Seconds without a word of a server that had answered, after which a run gives up. The batches go on meanwhile."""
_FIRST_CONTACT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_PAGES = 100
_GONE = (404, 410)
_ENDED = ("completed", "expired", "cancelled")


class ServerBatch(Record):
    """A batch as its server tells of it."""

    id: str
    status: str
    """validating, in_progress, finalizing, completed, failed, expired, cancelling, cancelled, or a server's own word."""
    files: tuple[str, ...] = ()
    """Ids of the files of results and of errors, as far as there are any."""
    done: int = 0
    """Requests that have come to an end, good or bad."""
    error: str = ""
    """Why it failed, in the server's words."""
    full: bool = False
    """It failed because as many requests are queued as the account may have: there is room again when others have ended."""

    @property
    def ended(self) -> bool:
        """Whether there are results to fetch, of all its requests or of a part."""
        return self.status in _ENDED

    @property
    def failed(self) -> bool:
        """Whether it was refused as a whole, and nothing in it was asked."""
        return self.status == "failed"


class _Lost(NamedTuple):
    """A try that brought no answer and is worth another."""

    reason: str
    wait: float | None
    """Seconds that the server asks for."""
    unknown: bool
    """Whether it may have had an effect all the same."""


class BatchAPI:
    """See the module.

    Args:
        endpoint: Of the chat model.
        transport: Of the chat model.
    """

    def __init__(self, endpoint: Endpoint, transport: Transport) -> None:
        self._endpoint, self._transport = endpoint, transport
        self._bare = {name: value for name, value in endpoint.headers.items() if name != "Content-Type"}
        self._answered = False
        """Whether the server ever answered."""

    async def upload(self, path: Path) -> str:
        """Send a file of requests; its id.

        Raises:
            ModelError: The server has no batch API, refuses the file, or is not there.
        """
        import aiohttp

        async def attempt() -> Reply | _Lost:
            with path.open("rb") as file:
                form = aiohttp.FormData({"purpose": "batch"})
                form.add_field("file", file, filename=path.name, content_type="application/jsonl")
                return await self._sent("POST", "/files", form)

        return _text(_object(await self._patiently(attempt)).get("id"))

    async def create(self, file: str, name: str) -> ServerBatch | None:
        """Make a batch of an uploaded file; None where it is not known whether it was made.

        Raises:
            ModelError: It was not made; the message says why.
        """
        asked = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h", "metadata": {NAME: name}}

        async def attempt() -> Reply | _Lost | None:
            found = await self._sent("POST", "/batches", json.dumps(asked).encode())
            return None if isinstance(found, _Lost) and found.unknown else found

        reply = await self._patiently(attempt)
        return None if reply is None else _batch(_object(reply))

    async def get(self, identity: str) -> ServerBatch | None:
        """How a batch is doing; None where the server knows none by that id.

        Raises:
            ModelError: The server is not there any more.
        """
        reply = await self._patiently(lambda: self._sent("GET", f"/batches/{identity}"))
        return None if reply.status in _GONE else _batch(_object(reply))

    async def find(self, name: str, file: str) -> ServerBatch | None:
        """The batch that was made under a name, or of a file; None where there is none, or it failed as a whole."""
        after = ""
        for _ in range(_PAGES):
            page = await self._told(f"/batches?limit=100{after}")
            rows = [row for row in page.get("data") or () if isinstance(row, dict)]
            for row in rows:
                metadata = row.get("metadata")
                named = isinstance(metadata, dict) and metadata.get(NAME) == name
                if (named or row.get("input_file_id") == file) and row.get("status") != "failed":
                    return _batch(row)
            if not rows or page.get("has_more") is not True:
                return None
            after = f"&after={_text(rows[-1].get('id'))}"
        return None

    async def download(self, file: str, target: Path) -> bool:
        """Fetch a file of results, whole or not at all; whether the server has it.

        Raises:
            ModelError: The server is not there any more.
        """
        with replacing(target) as into:

            async def attempt() -> Reply | _Lost:
                into.seek(0)
                into.truncate()
                return await self._sent("GET", f"/files/{file}/content", into=into)

            return (await self._patiently(attempt)).status not in _GONE

    async def _told(self, path: str) -> dict[str, Any]:
        return _object(await self._patiently(lambda: self._sent("GET", path)))

    async def _patiently(self, attempt: Callable[[], Coroutine[Any, Any, R | _Lost]]) -> R:
        """Try until an answer comes, for as long as a server may be away."""
        waited, pause = 0.0, _FIRST_PAUSE
        while isinstance(found := await attempt(), _Lost):
            wait = pause if found.wait is None else found.wait
            waited += wait
            if waited > (_AWAY if self._answered else _FIRST_CONTACT):
                raise ModelError(
                    f"the server at {self._endpoint.base_url} gives no answer: {found.reason}; what was sent goes on there: "
                    "run the same command to go on"
                )
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return found

    async def _sent(self, method: str, path: str, data: Any = None, *, into: IO[bytes] | None = None) -> Reply | _Lost:
        """One request.

        Raises:
            ModelError: It is of no use to try again.
        """
        headers = self._endpoint.headers if isinstance(data, bytes) else self._bare
        try:
            reply = await self._transport.send(method, self._endpoint.beside(path), data, headers, into=into)
        except NoReplyError as error:
            if error.kind == "hopeless":
                raise ModelError(f"the server at {self._endpoint.base_url} cannot be used: {error}") from None
            return _Lost(str(error), None, unknown=True)
        self._answered = True
        if 200 <= reply.status < 300:
            return reply
        fault = fault_of(reply) or Fault("again", "it says nothing more", reply.status)
        said = f"({fault.status}) {fault.reason}"
        if fault.kind in ("again", "busy") and (fault.status == 429 or fault.status >= 500):
            return _Lost(said, fault.wait, unknown=fault.status != 429)
        if fault.status in _GONE and path.count("/") > 1:
            return reply
        if fault.status in (404, 405, 501) and path.partition("?")[0] in ("/files", "/batches"):
            raise ModelError(
                f"the server at {self._endpoint.base_url} has no batch API {said}: ask it in calls, or send it files as it takes them "
                "(clave batch write)"
            )
        what = {"key": "the key", "credit": "more work on this account", "quota": "more work for now"}.get(fault.kind, f"{method} {path}")
        raise ModelError(f"the server at {self._endpoint.base_url} refuses {what} {said}")


def _object(reply: Reply) -> dict[str, Any]:
    if not isinstance(reply.data, dict):
        raise ModelError(f"the batch API's answer is no JSON object: {one_line(reply.body[:80].decode('utf-8', 'replace'))!r}")
    return reply.data


def _text(identity: object) -> str:
    """An id, as it may stand in an address."""
    if not isinstance(identity, str) or not identity or not all(c.isalnum() or c in "-_.:" for c in identity) or len(identity) > 200:
        raise ModelError(f"the batch API names something by {str(identity)[:60]!r}, which is no id")
    return identity


def _batch(data: Mapping[str, Any]) -> ServerBatch:
    counts = data.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    told = data.get("errors")
    rows = told.get("data") if isinstance(told, dict) else told
    errors = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    files = (data.get("output_file_id"), data.get("error_file_id"))
    return ServerBatch(
        id=_text(data.get("id")),
        status=one_line(str(data.get("status") or "unknown")).lower()[:40],
        files=tuple(_text(file) for file in files if file),
        done=sum(n for n in (counts.get("completed"), counts.get("failed")) if isinstance(n, int)),
        error=one_line("; ".join(str(row.get("message") or row.get("code")) for row in errors[:3])) if errors else "",
        full=any("limit" in str(row.get("code")) for row in errors),
    )
