"""Where verdicts go: lines that are appended to, and the table that is made of them at the end.

output_of("verdicts.parquet")                  # verdicts.jsonl, then verdicts.parquet
output_of("verdicts.parquet", shard=(3, 16))   # the folder verdicts.parquet, in it part-00003-of-00016.jsonl, then .parquet
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from clave.errors import InputError, argument
from clave.io.tables import TABLES

STANDARD_OUTPUT = "-"


class Output(NamedTuple):
    """See the module."""

    lines: Path
    """JSONL: what a later run goes on with."""
    table: Path | None
    """Written whole from the lines at the end of a run."""


def output_of(output: str | Path, shard: tuple[int, int] | None = None) -> Output:
    """What an output means, by its ending; of a shard it is a folder that holds a part for each.

    Raises:
        InputError: The ending is unknown.
    """
    path = Path(output)
    if path.suffix not in (".jsonl", *TABLES):
        raise InputError(f"{path}: verdicts are written to a file that ends in .jsonl, {' or '.join(TABLES)}, or to - (standard output)")
    if shard is not None:
        part, parts = shard
        path = path / f"part-{part:05}-of-{parts:05}{path.suffix}"
    elif path.is_dir():
        raise InputError(f"{path} is a folder: a part of it is written with a shard, e.g. {argument('shard', (1, 16))}")
    return Output(path.with_suffix(".jsonl"), None if path.suffix == ".jsonl" else path)
