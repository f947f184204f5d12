"""Request files within a provider's limits, and a note in the cache of what is in them.

with RequestFiles(Path("requests.jsonl"), cache, clave.name, MOST_ROWS, MOST_BYTES) as files:
    files.write(key, asked, row)
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from clave.errors import InputError
from clave.files.batch.asked import Asked
from clave.io.replacing import replacing
from clave.llm.cache import AnswerCache

MOST_ROWS, MOST_BYTES = 50_000, 200_000_000
"""Of a request file, as OpenAI and most others allow."""


class RequestFiles:
    """Request files within a provider's limits: `requests.jsonl`, then `requests-2.jsonl` and so on, all there whole at the end, the
    first of them last: a run that was killed leaves none that a later one would have to go on with.

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

    def close(self) -> None:
        """The last file is whole."""
        self._open.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, key: bytes, asked: Asked, row: dict[str, Any]) -> Path:
        """Write a request; the file that it went into."""
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if self._file is None or len(self._asked) == self._most_rows or self._bytes + len(line) > self._most_bytes:
            self._file = self._next()
        self._file.write(line)
        self._bytes += len(line)
        self._asked.append((key, asked.model_dump_json()))
        self.counts["joint" if asked.values else "single"] += 1
        self.waiting += self._cache.batched(self._evaluator, key) is not None
        return self.paths[-1]

    def _next(self) -> IO[bytes]:
        path = self._path(len(self.paths) + 1)
        self._asked, self._bytes = [], 0
        file = self._open.enter_context(replacing(path, 0o600))  # prompts hold labelled samples
        self._open.callback(self._cache.note_batched, self._evaluator, self._asked)
        self.paths.append(path)
        return file

    def _path(self, number: int) -> Path:
        return self._output if number == 1 else self._output.with_stem(f"{self._output.stem}-{number}")
