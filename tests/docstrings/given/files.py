"""What examples of `clave.files` take as given: the evaluator with its large model behind the provider on loopback."""

from __future__ import annotations

import json
from pathlib import Path

from docstrings.given import everywhere
from docstrings.provider import completed

from clave import Clave, Response, Value
from clave.evaluating.judging import Judging
from clave.files.batch.asked import Asked
from clave.files.batch.chat import request_row
from clave.files.source import ResponseSource
from clave.llm.cache import AnswerCache
from clave.llm.cached import CachedChat
from clave.llm.dialect import Dialect

KEY = bytes(32)


def clave() -> Clave:
    return Clave.of(everywhere.fitted(), cache="given.sqlite")


def judging() -> Judging:
    return clave().judging


def cache() -> AnswerCache:
    return AnswerCache(Path("given.sqlite"))


def kept() -> CachedChat:
    return CachedChat(everywhere.chat(), cache())


def units() -> list[tuple[Response, tuple[Value, ...]]]:
    return [(response, (everywhere.value(),)) for response in everywhere.responses()]


def source() -> ResponseSource:
    return ResponseSource("responses.jsonl")


def key() -> bytes:
    return KEY


def asked() -> Asked:
    return Asked(mode="json_schema")


def row() -> dict[str, object]:
    from docstrings.given.llm import request

    return request_row(KEY, Dialect("gpt-4o-mini").request(request(), 1024))


def write_results(path: Path) -> None:
    """Answers to the requests that were written."""
    lines = Path("requests.jsonl").read_text(encoding="utf-8").splitlines()
    path.write_text("".join(json.dumps(completed(json.loads(line))) + "\n" for line in lines), encoding="utf-8")


FILES = {"results.jsonl": write_results}
