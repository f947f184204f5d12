"""Results of batches into the answer cache, each checked as an answer to a call is: `clave batch read`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.files.batch.asked import Asked, chat_of, request_like
from clave.io.json_rows import json_rows
from clave.io.opening import open_bytes
from clave.io.rows import Row, good_rows
from clave.llm.cache import AnswerCache
from clave.llm.chat import ChatRequest, Completion, Mode
from clave.llm.error_reply import one_line
from clave.llm.openai_chat import OpenAIChat
from clave.llm.transport import Reply
from clave.records import Failure, Record

_ENDED = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
"""Codes of requests that the provider did not come to."""


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


def read_batch(judging: Judging, paths: Sequence[Path]) -> Answered:
    """Put the results of batches into the cache, each checked as an answer to a call is. Reading a file again changes nothing.

    Args:
        judging: The evaluator that the requests were written for, with the same cache.
        paths: Result files, and files of errors, as providers give them.

    Raises:
        InputError: A row answers no request of the evaluator, or is no result; then nothing is kept.
    """
    kept, server, cache = chat_of(judging)
    for row in _rows(paths):
        _key(row, cache, judging.name)
    filled, refused, known, missing, examples = 0, 0, 0, dict[bytes, str](), dict[str, str]()
    for row in _rows(paths):
        key, asked = _key(row, cache, judging.name)
        request = request_like(asked, judging.system)
        answer, trouble = _answer(row.data, request, asked.mode, server)
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


def _rows(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        with open_bytes(path) as file:
            yield from good_rows(json_rows(file, str(path)), "stop", None)


def _key(row: Row, cache: AnswerCache, evaluator: str) -> tuple[bytes, Asked]:
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
            f"{row.where}: custom_id {name!r} belongs to no request that `clave batch write` wrote for {evaluator}: give the evaluator and "
            "the cache that the requests were written with; nothing was read"
        )
    return key, Asked.model_validate_json(asked)


def _answer(row: dict[str, Any], request: ChatRequest, mode: Mode, server: OpenAIChat) -> tuple[Completion | Failure, str]:
    """What a row comes to, and the kind of trouble where it is no answer."""
    response, error = row.get("response"), row.get("error")
    status, body = (response.get("status_code"), response.get("body")) if isinstance(response, dict) else (None, None)
    if error is not None and not isinstance(body, dict):
        code = error.get("code") if isinstance(error, dict) else None
        ended = _ENDED.get(code) if isinstance(code, str) else None
        if ended is not None:
            return Failure(status="failed", kind="server", reason=one_line(str(error.get("message") or ended))), ended
        body = error if isinstance(error, dict) and "error" in error else {"error": error}
        status = status if status != 200 else 500
    try:
        reply = Reply(status if isinstance(status, int) else 200 if error is None else 500, {}, json.dumps(body).encode())
    except RecursionError:
        reply = Reply(200, {}, b"nested too deep")
    answer = server.outcome(request, reply, mode)
    return answer, answer.kind if isinstance(answer, Failure) and answer.kind != "refused" else ""
