"""A row of somebody's file as judgements: every type, length and range is checked before anything is kept.

brought("labels.csv, line 2", {"id": "r1", "value": "care", "label": "adhere", "annotator": "ana"})
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from clave.annotate.judgement import CHOICES, Choice, Judgement, plain
from clave.errors import InputError, argument
from clave.io.rows import identity_of
from clave.records import Evidence

UNKNOWN = "unknown"
"""The annotator of a row that names none."""


def _no_truth_value(cell: Any) -> Any:
    if isinstance(cell, bool):
        raise ValueError("must be a number")
    return cell


_Finite = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False), BeforeValidator(_no_truth_value)]


class _Brought(BaseModel):
    """What a row may hold, and how much of it."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(min_length=1, max_length=10_000)]
    value: Annotated[str, Field(min_length=1, max_length=64)]
    label: Choice
    annotator: Annotated[str, Field(min_length=1, max_length=64)]
    scenario: str = ""
    response: str = ""
    note: Annotated[str, Field(max_length=10_000)] = ""
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=50)] = ()
    seconds: _Finite | None = None
    at: _Finite | None = None


def brought(where: str, data: Mapping[str, Any]) -> list[Judgement]:
    """The judgements of a row: one, or one per annotator where the row holds a settled label and the votes behind it.

    Raises:
        InputError: With the place and what is wrong.
    """
    cells = {name: cell for name, cell in data.items() if cell not in (None, "")}
    for name in ("id", "value", "label"):
        if name not in cells:
            mend = f"it has {', '.join(cells) or 'nothing'}; name it with {argument('mapping', {'column': name})}"
            raise InputError(f"{where}: the row has no {name!r}: {mend}")
    try:
        own = {name: cells[name] for name in _Brought.model_fields if name in cells}
        own["id"], own["value"] = identity_of(cells["id"], where), _name(cells["value"], "value")
        own["label"] = _label(where, cells["label"])
        own["annotator"] = _name(cells.get("annotator", UNKNOWN), "annotator")
        own["evidence"] = _nested(cells.get("evidence", []))
        row = _Brought.model_validate(own)
        _check_evidence(row)
        nested = _nested(cells.get("metadata", {}))
        if not isinstance(nested, dict):
            raise ValueError("metadata: must be an object")
        votes = nested.pop("votes", None) if "annotator" not in cells else None
        columns = {name: cell for name, cell in cells.items() if name not in (*_Brought.model_fields, "metadata", "fold")}
        metadata = plain({**nested, **columns})
        judgement = Judgement.model_validate({**row.model_dump(), "metadata": metadata})
        return [judgement] if votes is None else _voters(where, judgement, votes)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{where}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deep") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _voters(where: str, settled: Judgement, votes: Any) -> list[Judgement]:
    if not isinstance(votes, dict):
        raise ValueError("metadata: 'votes' must be an object of annotators and labels")
    own = settled.model_dump(exclude={"annotator", "label", "metadata"})
    metadata = {k: v for k, v in settled.metadata.items() if k not in ("settled_by", "posterior")}
    said = [(_name(name, "votes"), _label(where, label)) for name, label in votes.items()]
    rows = [_Brought.model_validate({**own, "annotator": name, "label": label}) for name, label in said]
    return [Judgement.model_validate({**row.model_dump(), "metadata": metadata}) for row in rows]


def _check_evidence(row: _Brought) -> None:
    for quote in row.evidence:
        if not 0 <= quote.start < quote.end or (row.response and row.response[quote.start : quote.end] != quote.text):
            raise ValueError(f"evidence: {quote.text[:60]!r} does not stand in the response from {quote.start} to {quote.end}")


def _label(where: str, cell: Any) -> str:
    label = cell.strip().lower() if isinstance(cell, str) else cell
    if label not in CHOICES:
        raise InputError(f"{where}: label {cell!r} is not one of {', '.join(CHOICES)}")
    return str(label)


def _name(cell: Any, field: str) -> str:
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        raise ValueError(f"{field}: must be text or a whole number")
    text = str(cell)
    if not text.isprintable():
        raise ValueError(f"{field}: must be of characters that can be seen")
    return text


def _nested(cell: Any) -> Any:
    """A nested field: as it is, or JSON text in a CSV or Parquet cell."""
    return json.loads(cell) if isinstance(cell, str) else cell
