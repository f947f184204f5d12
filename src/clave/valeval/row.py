"""A row of a ValEval split file, and reading and writing split files.

    rows = list(read_split(Path("valeval") / "original.jsonl"))
    write_split(Path("valeval"), "original", rows)          # original.jsonl and original.parquet, the same bytes on every run

`clave.io.read_labels` reads these files as they are: what it does not know becomes metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from clave.errors import InputError, require
from clave.io import read_rows
from clave.io.replacing import replacing
from clave.records import Label, Record
from clave.valeval.provenance import Origin

SPLITS = ("calibration", "calibration_random", "original", "perturbation", "generalization", "related")
"""`calibration_random` is drawn from the same scenarios as `calibration`, at random in place of by diversity."""
TESTED = ("original", "generalization", "related")
"""Splits of unedited rows that evaluators are tested on."""
VIEWS = ("decides", "hard", "verified")
"""Files of rows that stand in a test split too: see views.py."""


class ValEvalRow(Record):
    """One text, one value, one label."""

    id: str
    system: str
    value: str
    split: str
    scenario: str
    response: str
    label: Label
    label_origin: Origin
    """Whether people said so: see provenance.py."""
    source: str
    license: str
    group: str
    """Rows with one group are near twins; a group never stands in two of calibration, original and generalization."""
    agreement: str = ""
    """What the source says of its annotators' agreement on the row."""
    annotations: tuple[str, ...] = ()
    """What each annotator said, where the source tells: labels, or `none`. Edited rows keep those of their base."""
    base_id: str = ""
    """Perturbation: the original row."""
    kind: str = ""
    """Perturbation: the kind of edit."""
    strength: int = 0
    """Perturbation: 1 to 3; 0 for rows that are not edited."""
    decides: Literal["", "relevance", "side"] = ""
    """What other responses to the same prompt, in the same split and with the same value, differ in: whether they bear on the value at all
    (`relevance`), or on which side they stand (`side`). Empty: the prompt alone gives the label away."""
    verified: bool = False
    """A person looked the label over."""
    corrected: bool = False
    """And changed it."""


def row_id(source: str, system: str, value: str, scenario: str, response: str) -> str:
    """A row's id: a hash of what it says, so that it stays the same when other rows come and go."""
    text = "\0".join((system, value, scenario, response))
    return f"{source}-{hashlib.sha256(text.encode()).hexdigest()[:14]}"


def write_split(folder: Path, split: str, rows: Sequence[ValEvalRow]) -> list[Path]:
    """Write a split as JSON Lines and as Parquet, sorted by id, without anything that changes from run to run."""
    parquet, pyarrow = require("pyarrow.parquet", "parquet"), require("pyarrow", "parquet")
    rows = sorted(rows, key=lambda r: (r.system, r.value, r.id))
    lines, table = folder / f"{split}.jsonl", folder / f"{split}.parquet"
    with replacing(lines) as file:
        file.writelines(json.dumps(row.model_dump(), ensure_ascii=False).encode() + b"\n" for row in rows)
    text = pyarrow.string()
    kinds = {"strength": pyarrow.int8(), "verified": pyarrow.bool_(), "corrected": pyarrow.bool_(), "annotations": pyarrow.list_(text)}
    schema = pyarrow.schema([(name, kinds.get(name, text)) for name in ValEvalRow.model_fields])
    # Every option that the file depends on is named, so that another default in a later version changes no byte by itself.
    with replacing(table) as file:
        parquet.write_table(
            pyarrow.Table.from_pylist([r.model_dump() for r in rows], schema),
            file,
            compression="zstd",
            compression_level=9,
            version="2.6",
            data_page_version="1.0",
            row_group_size=10_000,
            use_dictionary=True,
            write_statistics=True,
            store_schema=False,
        )
    return [lines, table]


def read_split(path: Path) -> Iterator[ValEvalRow]:
    """Rows of a split file.

    Raises:
        InputError: A row is not a row of ValEval; names the file, the line and the field.
    """
    for row in read_rows(path):
        try:
            yield ValEvalRow.model_validate(row.data)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{row.where}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
