"""An evaluation that is run only to write down what it would ask: `clave batch write`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.errors import InputError
from clave.evaluating.judging import Judging, Unit
from clave.files.batch.asked import asked_of, chat_of
from clave.files.batch.chat import WAITING, BatchChat, request_row
from clave.files.batch.request_files import MOST_BYTES, MOST_ROWS, RequestFiles
from clave.files.evaluating import Tick
from clave.files.source import ResponseSource
from clave.llm.chat import ChatRequest
from clave.records import Failure, Record


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


async def write_batch(
    judging: Judging,
    source: ResponseSource,
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

    written = set[bytes]()
    with RequestFiles(output, cache, judging.name, most_rows, most_bytes) as files:

        def put(key: bytes, request: ChatRequest) -> Failure:
            if key not in written:
                written.add(key)
                sent = server.sent(request, max_tokens)
                files.write(key, asked_of(request, sent.mode), request_row(key, sent))
            return WAITING

        chat = BatchChat(kept, put, ask_first=ask_first)
        async for _ in judging.with_chat(chat).verdicts(units()):
            pass
    return Written(
        files=tuple(files.paths), joint=files.counts["joint"], single=files.counts["single"], cached=chat.cached, waiting=files.waiting
    )
