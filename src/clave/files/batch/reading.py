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
from clave.io.rows import OnError, Row, good_rows
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
    cache = chat_of(judging)[2]
    for row in _rows(paths, "stop"):
        _key(row, cache, judging.name)
    found, counts, examples = Counter[str](), Counter[str](), dict[str, str]()
    missing = dict[bytes, str]()
    for key, answer, trouble in answers(judging, paths, judging.name):
        found[trouble] += 1
        if trouble in (NEW, REFUSED, KNOWN):
            missing.pop(key, None)
        elif isinstance(answer, Failure):
            missing[key] = trouble
            examples.setdefault(trouble, answer.reason)
    counts.update(missing.values())
    return Answered(
        filled=found[NEW] + found[REFUSED],
        refused=found[REFUSED],
        known=found[KNOWN],
        missing=dict(counts),
        examples={kind: examples[kind] for kind in counts},
    )


NEW, REFUSED, KNOWN = "new", "refused", "known"
"""What a row may come to that has an answer: any other word is a kind of trouble."""


def answers(
    judging: Judging, paths: Sequence[Path], evaluator: str, on_error: OnError = "stop"
) -> Iterator[tuple[bytes, Completion | Failure | None, str]]:
    """Put results into the cache, row by row.

    Args:
        judging: With the cache.
        paths: Result files.
        evaluator: For whom the requests were written.
        on_error: What a row does that answers nothing; those that are skipped come to nothing.

    Yields:
        The key of a request, its answer (None where that was known before), and what the row came to.

    Raises:
        InputError: A row answers nothing, and is not to be skipped.
    """
    kept, server, cache = chat_of(judging)
    for row in _rows(paths, on_error):
        try:
            key, asked = _key(row, cache, evaluator)
        except InputError:
            if on_error == "stop":
                raise
            continue
        request = request_like(asked)
        if kept.kept(request, key) is not None:
            if row.data.get("response") is not None:  # a row that expired tells nothing of the answer that is there
                yield key, None, KNOWN
            continue
        answer, trouble = _answer(row.data, request, asked.mode, server)
        if not trouble:
            kept.take(key, request, answer)
        yield key, answer, trouble or (REFUSED if isinstance(answer, Failure) else NEW)


def _rows(paths: Iterable[Path], on_error: OnError) -> Iterator[Row]:
    for path in paths:
        with open_bytes(path) as file:
            yield from good_rows(json_rows(file, str(path)), on_error, None)


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
            reason = one_line(str(error.get("message") or ended))
            return Failure(status="failed", kind="cancelled" if ended == "cancelled" else "server", reason=reason), ended
        body = error if isinstance(error, dict) and "error" in error else {"error": error}
        status = status if status != 200 else 500
    try:
        reply = Reply(status if isinstance(status, int) else 200 if error is None else 500, {}, json.dumps(body).encode())
    except RecursionError:
        reply = Reply(200, {}, b"nested too deep")
    answer = server.outcome(request, reply, mode)
    return answer, answer.kind if isinstance(answer, Failure) and answer.kind != "refused" else ""
