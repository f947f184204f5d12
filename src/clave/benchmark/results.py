"""Results that go from hand to hand: one judge of one run as a small file, which tells whether it was changed since it was written.

    board = read_board("results")            # board.results, and board.left_out: file -> why

A file holds no text of the data. Its `sha256` is a hash over the rest of it, as JSON with sorted keys and no spaces: it shows that nothing
was changed by mistake or on the way. It is no proof of who wrote it, nor that the figures are true; that is shown by making the run again,
which gives the same `predictions_sha256` where the judge gives the same answers. Files come from strangers: they are read with limits.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from clave.errors import InputError
from clave.records import Record
from clave.scoring.statistics import Estimate

FORMAT = "clave-bench-result-1"
MOST_BYTES = 256 * 1024
"""Of a file of results."""
MOST_FILES = 2_000
"""Of a folder of results."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Text = Annotated[str, StringConstraints(max_length=500)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=10**9, strict=True)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Scores(Record):
    """What one judge reached on one system, or all together, of one split."""

    split: Name
    system: Name
    rows: Count
    accuracy: Estimate
    macro_f1: Estimate
    kappa: Estimate
    calibration_error: Estimate

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, low in (("accuracy", 0.0), ("macro_f1", 0.0), ("kappa", -1.0), ("calibration_error", 0.0)):
            found: Estimate = getattr(self, name)
            numbers = [x for x in (found.low, found.value, found.high) if x is not None]
            if not all(math.isfinite(x) and low <= x <= 1 for x in numbers):
                raise ValueError(f"{name} is not between {low:g} and 1")
            if name == "accuracy" and numbers != sorted(numbers):
                raise ValueError("accuracy is not within its interval")
            if not (found.n >= 0 and found.failed >= 0 and found.n + found.failed <= self.rows):
                raise ValueError(f"{name} counts more rows than there are")
        return self


class Data(Record):
    """What was judged: two results can be compared where these digests are equal."""

    name: Name
    version: Text = ""
    rows_sha256: dict[Name, Digest] = Field(max_length=50)
    """Of each split: ids, texts, values and labels of the rows that were judged."""
    learnt_sha256: Digest
    """The calibration rows, and the definitions of the values."""


class Result(Record):
    """One judge of one run, as its file holds it."""

    format: Literal["clave-bench-result-1"]
    judge: Name
    model: Annotated[str, StringConstraints(max_length=200)] = ""
    """The large model it asked; empty where it asks none."""
    version: Name
    """Of the package that ran it, or of the judge where that is another's."""
    data: Data
    predictions_sha256: Digest
    """Of id, value, status, label and rounded probabilities of every prediction."""
    scores: Annotated[tuple[Scores, ...], Field(min_length=1, max_length=500)]
    tokens_per_1000: Amount
    cost_per_1000: Amount | None
    """US dollars for 1,000 verdicts; None where it is not known."""
    by: Annotated[str, StringConstraints(max_length=120)] = ""
    link: Annotated[str, StringConstraints(max_length=300, pattern=r"^(https://\S+)?$")] = ""
    note: Text = ""
    sha256: Digest

    def comparable(self, split: str) -> tuple[str, str, str]:
        """What must be equal for two results to stand in one table."""
        return split, self.data.rows_sha256.get(split, ""), self.data.learnt_sha256


@dataclass(frozen=True)
class Board:
    """Results that were read, and files that were not taken, each with the reason."""

    results: dict[str, Result] = field(default_factory=dict)
    """By the name of the file."""
    left_out: dict[str, str] = field(default_factory=dict)


def read_board(folder: str | Path) -> Board:
    """Read the results of a folder, the files that end in .json.

    Raises:
        InputError: There is no such folder, or it holds more files than are read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder of results")
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(".json"))
    if len(paths) > MOST_FILES:
        raise InputError(f"{folder}: holds {len(paths):,} files, and at most {MOST_FILES:,} are read")
    board, seen = Board(), dict[str, str]()
    for path in paths:
        try:
            found = read_result(path)
        except InputError as error:
            board.left_out[path.name] = str(error)
            continue
        if found.sha256 in seen:
            board.left_out[path.name] = f"says the same as {seen[found.sha256]}"
            continue
        seen[found.sha256] = path.name
        board.results[path.name] = found
    return board


def read_result(path: str | Path) -> Result:
    """Read one file, and check its hash.

    Raises:
        InputError: It is too large, no result, or changed since it was written. The file's own text stands in no message.
    """
    path = Path(path)
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError("is no regular file")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise InputError(f"is larger than {MOST_BYTES // 1024} KiB")
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InputError("is no JSON that can be read in one way") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"is no result of a benchmark run: its format is not {FORMAT}")
    found = checked(data, "it")
    if signature({key: value for key, value in data.items() if key != "sha256"}) != found.sha256:
        raise InputError("was changed since it was written: its sha256 is that of another content")
    return found


def signature(content: dict[str, Any]) -> str:
    """The hash of all that a file says beside it."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def checked(data: dict[str, Any], what: str) -> Result:
    """A result from plain data.

    Raises:
        InputError: It is none; the sentence begins with `what`.
    """
    try:
        return Result.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(part if isinstance(part, str) and part in _FIELDS else "…" for part in first["loc"])
        raise InputError(f"{what} is no result of a benchmark run: {place or 'the file'}: {_said(first)}") from None


def _said(error: Any) -> str:
    """The message of a check, without what the file says."""
    return str(error["msg"]) if error["type"] != "literal_error" else "another word than it may be"


_FIELDS = frozenset(name for record in (Result, Data, Scores, Estimate) for name in record.model_fields)


def canonical(content: Any) -> str:
    """The one way to write a content as JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose names stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
