"""Labels that people settled: what the page of an audit saves and a build applies.

{"id": "beavertails-0c1d…", "value": "privacy", "from": "adhere", "to": "unrelated", "note": "…"}       one JSON object a line

The id is a hash of the text and the value, so that a corrections file holds nothing of the data and goes with any build. `to` may
be the label that the row has: it was looked over and stands. Corrections are applied after the cut: no row changes its split because
another was corrected. Rows that were looked over and stay make the view `verified`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from clave.errors import InputError
from clave.io import read_rows
from clave.io.rows import good_rows
from clave.records import Label, Record
from clave.valeval.row import ValEvalRow


class Correction(Record):
    """One label that a person settled. `to` may be `drop`: no label fits."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    value: str
    old: Label = Field(alias="from")
    new: Label | Literal["drop"] = Field(alias="to")
    note: str = ""


def read_corrections(path: Path) -> dict[str, Correction]:
    """Corrections by row id.

    Raises:
        InputError: A line is not a correction, or a row is corrected twice; names the line.
    """
    found: dict[str, Correction] = {}
    for row in good_rows(read_rows(path), "stop", None):
        try:
            correction = Correction.model_validate(row.data)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{row.where}: not a correction: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
        if correction.id in found:
            raise InputError(f"{row.where}: row {correction.id} is corrected twice: keep one of the lines")
        found[correction.id] = correction
    return found


def check_corrections(pool: Sequence[ValEvalRow], corrections: Mapping[str, Correction]) -> dict[str, Correction]:
    """Those corrections whose source is built at all.

    Raises:
        InputError: A correction names a row that its source does not have, or a label the row does not have.
    """
    sources, labels = {r.source for r in pool}, {r.id: r.label for r in pool}
    ours = {i: c for i, c in corrections.items() if i.rpartition("-")[0] in sources}
    for identity, correction in sorted(ours.items()):
        label = labels.get(identity)
        if label is None:
            raise InputError(f"correction of {identity}: there is no such row: it was written for another reading of the labels")
        if correction.old != label:
            raise InputError(f"correction of {identity}: it is from {correction.old!r} and the row says {label!r}")
    return ours


def corrected(rows: Sequence[ValEvalRow], corrections: Mapping[str, Correction]) -> list[ValEvalRow]:
    """Rows with their labels settled and marked, without those that were dropped."""
    out = []
    for row in rows:
        correction = corrections.get(row.id)
        if correction is None:
            out.append(row)
        elif correction.new != "drop":
            changed = correction.new != row.label
            origin = {"label_origin": "stated"} if changed else {}
            out.append(row.model_copy(update={"label": correction.new, "verified": True, "corrected": changed, **origin}))
    return out
