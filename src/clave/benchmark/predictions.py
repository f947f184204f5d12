"""The raw predictions of a benchmark run: one row per judge, text and value. Every figure is recomputed from them.

    with PredictionWriter("run/predictions.jsonl") as writer:
        if not writer.has(prediction.key): writer.write(prediction)
    compact("run/predictions.jsonl")                   # writes run/predictions.parquet
    table = PredictionTable.read("run")                # Parquet, or the JSONL of a run that is still going on

While a run goes on rows are appended as lines of JSON: a Parquet file is unreadable until its footer is written, so a killed
run would lose all of it, a killed JSONL loses at most its last line. The end of a run compacts the lines to one Parquet file.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from clave.errors import InputError, require
from clave.io.appending import open_to_append, own_lines, write_whole
from clave.io.parquet import read_table
from clave.io.replacing import replacing
from clave.records import LABELS, Label, Record, Status
from clave.scoring.metrics import probability_array
from clave.scoring.statistics import Array

Objects = NDArray[np.object_]


class Key(NamedTuple):
    """What names a prediction within one run."""

    judge: str
    id: str
    value: str
    labels: int | None
    seed: int | None


class Prediction(Record):
    """What one judge said of one text and one value, beside what people said."""

    judge: str
    id: str
    value: str
    system: str = ""
    split: str = ""
    source: str = ""
    group: str
    """The scenario; rows of one group are resampled together."""
    gold: Label
    label: Label | None = None
    """None unless the status is `ok`."""
    probabilities: tuple[float, float, float] | None = None
    """In the order of `clave.records.LABELS`; None where the judge gives none."""
    status: Status = "ok"
    reason: str = ""
    concepts: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    """US dollars; None where the price is not known."""
    latency: float | None = None
    """Seconds."""
    labels: int | None = None
    """Labels per value that the judge was calibrated on, where a run varies it."""
    seed: int | None = None
    perturbation: str = ""
    """The kind of edit that made the text; empty for texts as people labelled them."""
    strength: float | None = None
    base: str | None = None
    """The id of the text before the edit."""

    @property
    def key(self) -> Key:
        """What this row is, for resuming."""
        return Key(self.judge, self.id, self.value, self.labels, self.seed)


class PredictionWriter:
    """Appends predictions to a JSONL file, each with one write of a whole line; a broken last line is cut off on opening."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._done: set[Key] = set()

    def __enter__(self) -> PredictionWriter:
        self._fd = open_to_append(self.path)
        try:
            self._done |= {p.key for p in own_lines(self.path, self._read, b'{"judge":"', "a prediction")}
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def _read(self, line: bytes) -> Prediction | None:
        try:
            return Prediction.model_validate_json(line)
        except ValidationError as error:
            if not line.endswith(b"\n"):
                return None
            first = error.errors()[0]
            raise InputError(f"{self.path}: not a prediction: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def has(self, key: Key) -> bool:
        """Whether this row was written, now or in an earlier run."""
        return key in self._done

    def write(self, prediction: Prediction) -> None:
        """Append one prediction."""
        write_whole(self._fd, prediction.model_dump_json().encode() + b"\n")
        self._done.add(prediction.key)


def _lines(path: Path) -> Iterator[tuple[Prediction, int]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Prediction.model_validate_json(line), len(line)
            except ValidationError as error:
                first = error.errors()[0]
                raise InputError(f"{path}, line {number}: not a prediction: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def keys_of(path: str | Path, *, failed: bool = True) -> set[Key]:
    """What is judged in a JSONL file already, failed rows only where they are asked for too; nothing where there is no file."""
    return {p.key for p, _ in _lines(Path(path)) if failed or p.status != "failed"} if Path(path).is_file() else set()


def drop_failed(path: str | Path) -> int:
    """Take the failed rows out of a JSONL file, so that the next run tries them again; how many. Refused and abstained rows stay."""
    path = Path(path)
    rows = [prediction for prediction, _ in _lines(path)]
    kept = [p for p in rows if p.status != "failed"]
    with replacing(path) as file:
        file.writelines(p.model_dump_json().encode() + b"\n" for p in kept)
    return len(rows) - len(kept)


def compact(path: str | Path) -> Path:
    """Write the Parquet file beside a JSONL file of predictions, whole or not at all."""
    path = Path(path)
    target = path.with_suffix(".parquet")
    size = path.stat().st_size
    write_parquet(target, (prediction for prediction, _ in _lines(path)), lines=size)
    return target


def write_parquet(path: str | Path, predictions: Iterable[Prediction], *, lines: int | None = None) -> int:
    """Write predictions to a Parquet file, whole or not at all, sorted by key so that equal runs give equal files; how many.

    Args:
        path: The file.
        predictions: Its rows.
        lines: The size in bytes of the file of lines that they stand in, too: how it is known that none came after.
    """
    pyarrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    rows = [_flat(p) for p in sorted(predictions, key=lambda p: tuple("" if k is None else str(k) for k in p.key))]
    schema = _schema(pyarrow) if lines is None else _schema(pyarrow).with_metadata({_LINES: str(lines)})
    with replacing(Path(path)) as file:
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file, row_group_size=50_000, compression="zstd")
    return len(rows)


_LINES = b"bytes of predictions.jsonl"
_INTEGERS = {"calls", "prompt_tokens", "completion_tokens", "labels", "seed"}
_FLOATS = {"cost", "latency", "strength", *LABELS}
_LISTS = {"concepts", "evidence"}


def _columns() -> list[str]:
    """The fields of a prediction, with one column per label in place of the probabilities."""
    return [column for name in Prediction.model_fields for column in (LABELS if name == "probabilities" else (name,))]


def _schema(pyarrow: Any) -> Any:
    kinds = {
        **dict.fromkeys(_INTEGERS, pyarrow.int64()),
        **dict.fromkeys(_FLOATS, pyarrow.float64()),
        **dict.fromkeys(_LISTS, pyarrow.list_(pyarrow.string())),
    }
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in _columns()])


def _flat(prediction: Prediction) -> dict[str, Any]:
    data = prediction.model_dump()
    chances = data.pop("probabilities") or (None, None, None)
    return data | dict(zip(LABELS, chances, strict=True))


@dataclass(frozen=True)
class PredictionTable:
    """Predictions in columns, each an array of one length; `probabilities` has shape (n, 3), NaN where there are none."""

    columns: dict[str, Objects]
    probabilities: Array

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> PredictionTable:
        """A table of records."""
        rows = list(predictions)
        return cls(
            {n: _objects([getattr(p, n) for p in rows]) for n in Prediction.model_fields if n != "probabilities"},
            probability_array([p.probabilities for p in rows]),
        )

    @classmethod
    def read(cls, path: str | Path) -> PredictionTable:
        """Read a `.parquet` or `.jsonl` file, or the run folder that holds `predictions.parquet` or `predictions.jsonl`.

        Raises:
            InputError: There is no such file, or it does not hold predictions.
        """
        path = Path(path)
        if path.is_dir():
            path = _of_run(path)
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        if path.suffix == ".jsonl":
            return cls.of(prediction for prediction, _ in _lines(path))
        table = read_table(path)
        missing = [name for name in _columns() if name not in table.column_names]
        if missing:
            raise InputError(f"{path}: not a file of predictions: it has no column {missing[0]!r}")
        expected = _schema(require("pyarrow", "parquet"))
        other = next((name for name in _columns() if table.schema.field(name).type != expected.field(name).type), None)
        if other is not None:
            raise InputError(f"{path}: not a file of predictions: its column {other!r} holds {table.schema.field(other).type}")
        columns = {n: _objects(table[n].to_pylist()) for n in Prediction.model_fields if n != "probabilities"}
        for name in _LISTS:
            columns[name] = _objects([tuple(texts or ()) for texts in columns[name]])
        chances = [np.asarray(table[n].to_pylist(), dtype=np.float64) for n in LABELS]
        return cls(columns, np.column_stack(chances))

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, name: str) -> Objects:
        return self.columns[name]

    def take(self, rows: NDArray[Any]) -> PredictionTable:
        """The rows of a mask or of indices."""
        return PredictionTable({n: c[rows] for n, c in self.columns.items()}, self.probabilities[rows])

    def where(self, **equal: Hashable) -> PredictionTable:
        """The rows whose columns hold these values."""
        mask = np.ones(len(self), dtype=bool)
        for name, value in equal.items():
            column = self.columns[name]
            mask &= np.fromiter((x == value for x in column), dtype=bool, count=len(column))
        return self.take(mask)

    def groups(self, *names: str) -> list[tuple[tuple[Any, ...], PredictionTable]]:
        """Parts of equal values in these columns, in the order in which they first appear."""
        places: dict[tuple[Any, ...], list[int]] = {}
        for i, key in enumerate(zip(*(self.columns[n] for n in names), strict=True)):
            places.setdefault(key, []).append(i)
        return [(key, self.take(np.array(rows))) for key, rows in places.items()]

    def distinct(self, name: str) -> list[Any]:
        """The values of a column, in the order in which they first appear."""
        return list(dict.fromkeys(self.columns[name]))

    def records(self) -> Iterator[Prediction]:
        """The rows as records."""
        for i, chances in enumerate(self.probabilities):
            known = tuple(float(c) for c in chances) if np.isfinite(chances).all() else None
            yield Prediction.model_validate({n: c[i] for n, c in self.columns.items()} | {"probabilities": known})


def _of_run(folder: Path) -> Path:
    """The file of a run's predictions: the Parquet file, unless lines were written since it was made of them.

    Raises:
        InputError: There is neither.
    """
    table, lines = folder / "predictions.parquet", folder / "predictions.jsonl"
    if lines.is_file() and (not table.is_file() or _lines_of(table) != lines.stat().st_size):
        return lines
    if not table.is_file():
        raise InputError(f"{folder}: holds neither predictions.parquet nor predictions.jsonl: name the folder of a benchmark run")
    return table


def _lines_of(table: Path) -> int | None:
    """The size of the file of lines that a Parquet file was made of; None where it does not say."""
    parquet = require("pyarrow.parquet", "parquet")
    try:
        said = (parquet.read_schema(table).metadata or {}).get(_LINES, b"")
    except (OSError, ValueError):
        return None
    return int(said) if said.isdigit() and len(said) < 20 else None


def _objects(values: list[Any]) -> Objects:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
