"""Where verdicts go: lines that are appended to, and the table that is made of them at the end.

output_of("verdicts.parquet")                  # verdicts.jsonl, then verdicts.parquet
output_of("verdicts.parquet", shard=(3, 16))   # the folder verdicts.parquet, in it part-00003-of-00016.jsonl, then .parquet
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from clave.errors import InputError, argument
from clave.io.tables import TABLES

STANDARD_OUTPUT = "-"
_PART = re.compile(r"part-\d{5}-of-(\d{5})\.")


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


def parts_in(output: str | Path) -> int | None:
    """How many parts a folder of verdicts was begun in; None where there is none.

    Raises:
        InputError: It was begun in two ways.
    """
    found = {int(match[1]) for path in Path(output).glob("part-*-of-*") if (match := _PART.match(path.name))}
    if len(found) > 1:
        raise InputError(f"{output} holds parts of {', '.join(map(str, sorted(found)))}: name another output")
    return found.pop() if found else None
