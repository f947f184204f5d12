"""An evaluation that is run only to write down what it would ask: `clave batch write`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from clave.errors import InputError
from clave.evaluating.judging import Judging, Unit
from clave.files.batch.asked import asked_of, chat_of
from clave.files.batch.request_files import MOST_BYTES, MOST_ROWS, RequestFiles
from clave.files.evaluating import Tick
from clave.files.source import Source
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest, Completion
from clave.llm.openai_chat import OpenAIChat
from clave.records import Failure, Record

_URL = "/v1/chat/completions"


class Written(Record):
    """What went into request files."""

    files: tuple[Path, ...]
    joint: int
    """Requests for all values of a response at once: their answers say what is to be asked next."""
    single: int
    """Requests for one value."""
    cached: int
    """Answers that the cache holds."""
    waiting: int
    """Of the requests: those that an earlier request file holds, too."""


class BatchChat:
    """A chat model that answers from the cache, and puts what that lacks into request files.

    What is not answered yet comes back as refused: so nothing is concluded from it, and nothing is asked in its place.
    """

    def __init__(self, kept: CachedChat, server: OpenAIChat, files: RequestFiles, max_tokens: int | None, *, ask_first: bool) -> None:
        self.model, self.endpoint = kept.model, kept.endpoint
        self._kept, self._server, self._files, self._max_tokens = kept, server, files, max_tokens
        self._ask, self._asking = ask_first, asyncio.Lock()
        self._noted = set[bytes]()
        self.cached = 0

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self._kept.width

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        kept = self._kept.kept(request)
        if kept is not None:
            self.cached += 1
            return kept
        async with self._asking:  # what the first call learns of the server holds for all that are written
            if self._ask:
                answer = await self._kept.complete(request)
                self._ask = False
                return answer
        key = request.key(self.model, self.endpoint)
        if key not in self._noted:
            self._noted.add(key)
            sent = self._server.sent(request, self._max_tokens)
            row = {"custom_id": key.hex(), "method": "POST", "url": _URL, "body": sent.body}
            self._files.write(key, asked_of(request, sent.mode), row)
        return Failure(status="refused", kind="refused", reason="the request is in a batch file and not answered yet")

    async def close(self) -> None:
        """Nothing to close."""


async def write_batch(
    judging: Judging,
    source: Source,
    output: Path,
    *,
    ask_first: bool = False,
    max_tokens: int | None = None,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
    tick: Tick = lambda done, total: None,
) -> Written:
    """Write the requests of an evaluation whose answers the cache lacks; none is sent unless it is asked for.

    Args:
        judging: The evaluator, with a large model behind a server and a cache.
        source: The responses.
        output: A `.jsonl` file that is not there yet.
        ask_first: Make the first request as a call, so that the others are written in the form that the server was found to understand.
        max_tokens: Of an answer, where the requests' own limit is too low, as for models that think first.
        most_rows: Of one file.
        most_bytes: Of one file.
        tick: Called with responses looked at, and all of them.

    Raises:
        InputError: A bad row, no cache, an output that is there already.
    """
    kept, server, cache = chat_of(judging)
    if output.suffix != ".jsonl":
        raise InputError(f"{output}: requests are written to a file that ends in .jsonl")
    total = 0 if source.once else sum(1 for _ in source.responses())

    def units() -> Iterator[Unit]:
        for done, unit in enumerate(source.units(judging.values_of), 1):
            yield unit
            tick(done, total)

    with RequestFiles(output, cache, judging.name, most_rows, most_bytes) as files:
        chat = BatchChat(kept, server, files, max_tokens, ask_first=ask_first)
        async for _ in judging.with_chat(chat).verdicts(units()):
            pass
    return Written(
        files=tuple(files.paths), joint=files.counts["joint"], single=files.counts["single"], cached=chat.cached, waiting=files.waiting
    )
