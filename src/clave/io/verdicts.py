"""Verdicts out and in again, and records of any kind as JSONL.

with VerdictWriter("verdicts.jsonl") as writer:
    if not writer.has("r1", "care"):
        writer.write(verdict)
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from pydantic import ValidationError

from clave.errors import InputError
from clave.io.appending import open_to_append, own_lines, write_whole
from clave.io.inspect_log import is_log, verdict_rows
from clave.io.replacing import replacing
from clave.io.rows import good_rows, identity_of
from clave.io.sources import read_rows
from clave.records import Record, Response, Verdict
from clave.text.content import is_blank
from clave.text.plain import clean_json

T = TypeVar("T", bound=Record)


def read_records(path: str | Path, kind: type[T]) -> Iterator[T]:
    """Stream records of one kind from a JSONL file that clave itself wrote."""
    for row in good_rows(read_rows(path), "stop", None):
        try:
            yield kind.model_validate(row.data)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{row.where}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None


def read_verdicts(path: str | Path) -> Iterator[Verdict]:
    """Stream verdicts from what `clave evaluate` wrote: a `.jsonl`, `.parquet` or `.csv` file, or a folder of such parts; or from a log of
    Inspect that was scored by `clave/values`."""
    rows = verdict_rows(Path(path)) if is_log(Path(path)) else read_rows(path)
    for row in good_rows(rows, "stop", None):
        try:
            cells = {k: v for k, v in row.data.items() if v != "" or k in _TEXTS}  # a table says None by an empty cell
            if not is_blank(str(cells.get("id", ""))):
                cells["id"] = identity_of(cells["id"], row.where, typed=row.typed)
            data = {k: json.loads(v) if k in NESTED and isinstance(v, str) else v for k, v in cells.items()}
            yield Verdict.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{row.where}: not a verdict: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{row.where}: not a verdict: {error}") from None


NESTED = ("probabilities", "concepts", "evidence", "cases", "flags", "usage")
"""Fields of a verdict that stand as JSON text in a column of a table: one flat, stable schema whatever the value system."""


_TEXTS = ("id", "value", "reason", "evaluator", "judged")


class VerdictWriter:
    """Appends verdicts to a JSONL file, each with one write of a whole line, so that a kill leaves at most one broken last line.

    On opening, a broken last line is cut off, and what the file holds already is known.

        with VerdictWriter("verdicts.jsonl") as writer:
            if not writer.has("r1", "care"): writer.write(verdict)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._judged: dict[int, int] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """(value, label or status) -> verdicts in the file."""
        self.evaluators: set[str] = set()
        """Whose verdicts the file holds."""
        self.undated = 0
        """Verdicts that do not say which text they judge: of version 0.1."""

    def __enter__(self) -> VerdictWriter:
        self._fd = open_to_append(self.path)
        try:
            self._read()
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def _read(self) -> None:
        self._judged, self.counts, self.evaluators, self.undated = {}, Counter(), set(), 0
        for entry in own_lines(self.path, _entry, _BEGINNING, "a verdict"):
            self._add(entry)

    def has(self, identity: str, value: str) -> bool:
        """Whether a verdict for this id and value was written, now or in an earlier run."""
        return hash((identity, value)) in self._judged

    def differs(self, response: Response, value: str) -> bool:
        """Whether the verdict for this id and value judges another text. One that does not say which is taken to judge this one."""
        known = self._judged.get(hash((response.id, value)), _UNKNOWN)
        return known not in (_UNKNOWN, hash(response.digest))

    def __len__(self) -> int:
        return len(self._judged)

    def drop(self, unwanted: Callable[[Entry], bool]) -> int:
        """Take verdicts out of the file, so that they are asked for again; how many there were."""
        dropped = 0
        with self.path.open("rb") as old, replacing(self.path) as new:
            for line in old:
                entry = _entry(line)
                assert entry is not None  # the file was read whole on opening, and nobody else writes it
                if unwanted(entry):
                    dropped += 1
                else:
                    new.write(line)
        if dropped:
            os.close(self._fd)
            self._fd = open_to_append(self.path)
            self._read()
        return dropped

    def write(self, verdict: Verdict) -> None:
        """Append one verdict."""
        write_whole(self._fd, verdict.model_dump_json().encode() + b"\n")
        self._add(Entry(verdict.id, verdict.value, verdict.label or verdict.status, verdict.evaluator, verdict.judged))

    def _add(self, entry: Entry) -> None:
        self._judged[hash((entry.id, entry.value))] = hash(entry.judged) if entry.judged else _UNKNOWN
        self.counts[entry.value, entry.outcome] += 1
        self.evaluators.add(entry.evaluator)
        self.undated += not entry.judged


class VerdictStream:
    """Writes verdicts to a stream such as standard output, where nothing can be gone on with."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.counts: Counter[tuple[str, str]] = Counter()
        """(value, label or status) -> verdicts written."""

    def __enter__(self) -> VerdictStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()

    def has(self, identity: str, value: str) -> bool:
        """Nothing was written before."""
        return False

    def differs(self, response: Response, value: str) -> bool:
        """Nothing was written before."""
        return False

    def __len__(self) -> int:
        return self.counts.total()

    def write(self, verdict: Verdict) -> None:
        """Write one verdict; whoever reads has it at once."""
        self._file.write(clean_json(verdict.model_dump_json()).encode() + b"\n")
        self._file.flush()
        self.counts[verdict.value, verdict.label or verdict.status] += 1


class Entry(NamedTuple):
    """What a writer looks at of a verdict in its file."""

    id: str
    value: str
    outcome: str
    """The label, or the status where there is none."""
    evaluator: str
    judged: str


_UNKNOWN = 0


_BEGINNING = b'{"id":"'
"""Of every verdict as it is written: how the rest of a verdict that a kill cut is told from another file."""


def _entry(line: bytes) -> Entry | None:
    """What a line says of its verdict; None where it is none."""
    try:
        data = json.loads(line)
        found = Entry(data["id"], data["value"], data["label"] or data["status"], data["evaluator"], data.get("judged", ""))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if all(isinstance(part, str) for part in found) else None


def write_jsonl(path: str | Path, records: Iterable[Record]) -> int:
    """Write records to a JSONL file, whole or not at all; how many there were."""
    count = 0
    with replacing(Path(path)) as file:
        for record in records:
            file.write(record.model_dump_json().encode() + b"\n")
            count += 1
    return count
