"""Batch files in OpenAI's format: what the answer cache lacks goes out as requests, and results come back into the cache.

    written = await write_batch(clave.judging, Source("responses.jsonl"), Path("requests.jsonl"))
    ...                                             # a provider's batch API, or vLLM's run-batch, answers them
    read_batch(clave.judging, [Path("results.jsonl")])

An evaluation then finds its answers in the cache and makes no call. Where all values of a response are asked for in one call, there are
two stages: only the answers say which values need a call of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from clave.concepts.extractor import SCHEMA, extraction_request, joint_request
from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.files.evaluating import Tick
from clave.files.source import Source
from clave.io.json_rows import json_rows
from clave.io.opening import open_bytes
from clave.io.replacing import replacing
from clave.io.rows import Row, good_rows
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest, Completion
from clave.llm.error_reply import one_line
from clave.llm.openai_chat import OpenAIChat
from clave.llm.transport import Reply
from clave.records import Failure, Record, Response
from clave.values import ValueSystem

MOST_ROWS, MOST_BYTES = 50_000, 200_000_000
"""Of a request file, as OpenAI and most others allow."""
_URL = "/v1/chat/completions"
_ENDED = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
"""Codes of requests that the provider did not come to."""


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


class Answered(Record):
    """What came of results."""

    filled: int
    """Answers that are new in the cache; refusals are answers."""
    refused: int
    """Of these: refusals."""
    known: int
    """Rows whose answer the cache held already."""
    missing: dict[str, int]
    """Kind of trouble -> requests that have no answer for it."""
    examples: dict[str, str]
    """Kind of trouble -> one of its reasons."""


class BatchChat:
    """A chat model that answers from the cache, and puts what that lacks into request files.

    What is not answered yet comes back as refused: so nothing is concluded from it, and nothing is asked in its place.
    """

    def __init__(self, kept: CachedChat, server: OpenAIChat, files: RequestFiles, max_tokens: int | None) -> None:
        self.model, self.endpoint = kept.model, kept.endpoint
        self._kept, self._server, self._files, self._max_tokens = kept, server, files, max_tokens
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
        key = request.key(self.model, self.endpoint)
        if key not in self._noted:
            self._noted.add(key)
            body = self._server.body(request, self._max_tokens)
            self._files.write(key, _asked(request), {"custom_id": key.hex(), "method": "POST", "url": _URL, "body": body})
        return Failure(status="refused", kind="refused", reason="the request is in a batch file and not answered yet")

    async def close(self) -> None:
        """Nothing to close."""


class RequestFiles:
    """Request files within a provider's limits: `requests.jsonl`, then `requests-2.jsonl` and so on, each there whole or not at all.

    Args:
        output: The first file.
        cache: Where it is noted what was asked, before a file is there.
        evaluator: Whose requests they are.
        most_rows: Of one file.
        most_bytes: Of one file; a request that is longer has a file to itself.

    Raises:
        InputError: The file is there already: it may be with the provider, and its requests would be paid for twice.
    """

    def __init__(self, output: Path, cache: AnswerCache, evaluator: str, most_rows: int, most_bytes: int) -> None:
        self.paths: list[Path] = []
        self.counts = Counter[str]()
        self.waiting = 0
        self._output, self._cache, self._evaluator = output, cache, evaluator
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._open = ExitStack()
        self._file: IO[bytes] | None = None
        self._asked: list[tuple[bytes, str]] = []
        self._bytes = 0
        there = next((path for path in (output, self._path(2)) if path.exists()), None)
        if there is not None:
            raise InputError(f"{there} is there already: name another output, or delete it when its results have been read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, key: bytes, asked: str, row: dict[str, Any]) -> None:
        """Write a request."""
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if self._file is None or len(self._asked) == self._most_rows or self._bytes + len(line) > self._most_bytes:
            self._file = self._next()
        self._file.write(line)
        self._bytes += len(line)
        self._asked.append((key, asked))
        self.counts["joint" if asked else "single"] += 1
        self.waiting += self._cache.batched(self._evaluator, key) is not None

    def _next(self) -> IO[bytes]:
        self._open.close()
        path = self._path(len(self.paths) + 1)
        self._asked, self._bytes = [], 0
        file = self._open.enter_context(replacing(path))
        self._open.callback(self._cache.note_batched, self._evaluator, self._asked)
        self.paths.append(path)
        return file

    def _path(self, number: int) -> Path:
        return self._output if number == 1 else self._output.with_stem(f"{self._output.stem}-{number}")


async def write_batch(
    judging: Judging,
    source: Source,
    output: Path,
    *,
    max_tokens: int | None = None,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
    tick: Tick = lambda done, total: None,
) -> Written:
    """Write the requests of an evaluation whose answers the cache lacks; none are sent.

    Args:
        judging: The evaluator, with a large model behind a server and a cache.
        source: The responses.
        output: A `.jsonl` file that is not there yet.
        max_tokens: Of an answer, where the requests' own limit is too low, as for models that think first.
        most_rows: Of one file.
        most_bytes: Of one file.
        tick: Called with responses looked at, and all of them.

    Raises:
        InputError: A bad row, no cache, an output that is there already.
    """
    kept, server, cache = _chat_of(judging)
    if output.suffix != ".jsonl":
        raise InputError(f"{output}: requests are written to a file that ends in .jsonl")
    total = 0 if source.once else sum(1 for _ in source.responses())

    def units() -> Iterator[Any]:
        for done, unit in enumerate(source.units(judging.values_of), 1):
            yield unit
            tick(done, total)

    with RequestFiles(output, cache, judging.name, most_rows, most_bytes) as files:
        chat = BatchChat(kept, server, files, max_tokens)
        async for _ in judging.with_chat(chat).verdicts(units()):
            pass
    return Written(
        files=tuple(files.paths), joint=files.counts["joint"], single=files.counts["single"], cached=chat.cached, waiting=files.waiting
    )


def read_batch(judging: Judging, paths: Sequence[Path]) -> Answered:
    """Put the results of batches into the cache, each checked as an answer to a call is. Reading a file again changes nothing.

    Args:
        judging: The evaluator that the requests were written for, with the same cache.
        paths: Result files, and files of errors, as providers give them.

    Raises:
        InputError: A row answers no request of the evaluator, or is no result; then nothing is kept.
    """
    kept, server, cache = _chat_of(judging)
    for row in _rows(paths):
        _key(row, cache, judging.name)
    filled, refused, known, missing, examples = 0, 0, 0, dict[bytes, str](), dict[str, str]()
    for row in _rows(paths):
        key, asked = _key(row, cache, judging.name)
        request = _like(asked, judging.system)
        answer, trouble = _answer(row.data, request, server)
        if trouble:
            if kept.kept(request, key) is None:
                missing[key] = trouble
                examples.setdefault(trouble, answer.reason if isinstance(answer, Failure) else "")
            continue
        missing.pop(key, None)
        new = kept.take(key, request, answer)
        filled, known = filled + new, known + (not new)
        refused += new and isinstance(answer, Failure)
    counts = dict(Counter(missing.values()))
    return Answered(filled=filled, refused=refused, known=known, missing=counts, examples={kind: examples[kind] for kind in counts})


def _chat_of(judging: Judging) -> tuple[CachedChat, OpenAIChat, AnswerCache]:
    """The evaluator's chat model with what it is made of.

    Raises:
        InputError: A batch is no use to it.
    """
    kept = judging.chat
    if kept is None or not isinstance(kept.chat, OpenAIChat):
        raise InputError("this evaluator asks no large model behind a server: there is nothing to put into a batch")
    if kept.cache is None:
        raise InputError("a batch needs the answer cache, where its results are kept: name one with --cache")
    return kept, kept.chat, kept.cache


def _rows(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        with open_bytes(path) as file:
            yield from good_rows(json_rows(file, str(path)), "stop", None)


def _key(row: Row, cache: AnswerCache, evaluator: str) -> tuple[bytes, str]:
    """The key of what a row answers, and what was noted of it.

    Raises:
        InputError: It is no result, or answers nothing that this evaluator asked.
    """
    if row.data.get("response") is None and row.data.get("error") is None:
        what = "a request, not a result: give the files that the provider made of it" if "body" in row.data else "not a result of a batch"
        raise InputError(f"{row.where}: {what}; nothing was read")
    name = str(row.data.get("custom_id"))[:80]
    try:
        key = bytes.fromhex(name)
    except ValueError:
        key = b""
    asked = cache.batched(evaluator, key)
    if asked is None:
        raise InputError(
            f"{row.where}: custom_id {name!r} belongs to no request that `clave batch write` wrote for {evaluator}: give the evaluator, "
            f"the server and the cache that the requests were written with; nothing was read"
        )
    return key, asked


def _asked(request: ChatRequest) -> str:
    """What must be known of a request to read its answer: the values that it asks for together; empty where it asks for one."""
    return "" if request.schema is None or request.schema == SCHEMA else json.dumps(list(request.schema["properties"]))


def _like(asked: str, system: ValueSystem) -> ChatRequest:
    """A request whose answer is read as that to the one that `_asked` tells of."""
    nothing, ids = Response(id="", response=""), tuple(json.loads(asked)) if asked else ()
    return joint_request(nothing, [system[v] for v in ids], {}) if ids else extraction_request(nothing, system.values[0], None, ())


def _answer(row: dict[str, Any], request: ChatRequest, server: OpenAIChat) -> tuple[Completion | Failure, str]:
    """What a row comes to, and the kind of trouble where it is no answer."""
    response, error = row.get("response"), row.get("error")
    status, body = (response.get("status_code"), response.get("body")) if isinstance(response, dict) else (None, None)
    if error is not None and not isinstance(body, dict):
        code = error.get("code") if isinstance(error, dict) else None
        ended = _ENDED.get(code) if isinstance(code, str) else None
        if ended:
            return Failure(status="failed", kind="server", reason=one_line(str(error.get("message") or ended))), ended
        status, body = status if status != 200 else None, error if isinstance(error, dict) and "error" in error else {"error": error}
        status = status or 500
    reply = Reply(status if isinstance(status, int) else 200, {}, json.dumps(body).encode())
    answer = server.outcome(request, reply)
    return answer, answer.kind if isinstance(answer, Failure) and answer.kind != "refused" else ""
