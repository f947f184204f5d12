"""What one annotator said of one response for one value: the record that the store, agreement and aggregation share.

    Judgement(id="r1", value="care", annotator="ana", label="adhere", response="…")

`cannot_tell` is a choice of the page and not a label: it is kept and counted, and never stands among labels for calibration.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from pydantic import Field

from clave.records import Evidence, Label, LabelledResponse, Record

Choice = Literal["adhere", "oppose", "unrelated", "cannot_tell"]
CHOICES: tuple[Choice, ...] = get_args(Choice)

DEEPEST = 20
"""Levels of a response's metadata."""
GOLD = "gold"
"""Who settled an item whose label was known before anybody was asked."""


class Judgement(Record):
    """One annotator's choice, with what stands behind it."""

    id: str
    value: str
    annotator: str
    label: Choice
    scenario: str = ""
    response: str = ""
    note: str = ""
    evidence: tuple[Evidence, ...] = ()
    seconds: float | None = None
    """Time the item was in view until the choice; None where it is not known."""
    at: float | None = None
    """Unix time of the choice."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """The response's own."""


class Adjudication(Record):
    """The label that settles a disagreement, and who settled it."""

    id: str
    value: str
    label: Label
    by: str
    note: str = ""


def labelled(judgement: Judgement, label: Label, **metadata: Any) -> LabelledResponse:
    """A row for calibration that carries the response and a settled label."""
    return LabelledResponse(
        id=judgement.id,
        value=judgement.value,
        label=label,
        scenario=judgement.scenario,
        response=judgement.response,
        metadata={**judgement.metadata, **metadata},
    )


def votes(judgements: list[Judgement]) -> dict[str, Choice]:
    """Who said what of one item."""
    return {j.annotator: j.label for j in judgements}


def by_item(judgements: list[Judgement]) -> dict[tuple[str, str], list[Judgement]]:
    """Judgements grouped by `(id, value)`, in the order of their first appearance."""
    items: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in judgements:
        items.setdefault((judgement.id, judgement.value), []).append(judgement)
    return items


def plain(value: Any, depth: int = 0) -> Any:
    """Metadata as JSON can hold it: not a number becomes null, what JSON has not becomes text.

    Raises:
        ValueError: Nested deeper than anybody means to.
    """
    if depth > DEEPEST:
        raise ValueError(f"its columns are nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        return {str(k): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v, depth + 1) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
