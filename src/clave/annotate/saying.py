"""What annotators say, written to the tables: a choice, and a choice taken back. Order is a sequence number, never the clock.

from clave.annotate.engine import writing

with writing(engine) as session:
    say(session, Said(annotator=1, response=1, value="care", label="adhere"), key="…")
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from clave.annotate.judgement import Choice
from clave.annotate.tables import AnnotatorRow, AssignmentRow, HistoryRow, LabelRow, PickRow
from clave.records import Evidence


class Said(NamedTuple):
    """A choice, by the numbers of the store."""

    annotator: int
    response: int
    value: str
    label: Choice
    note: str = ""
    evidence: Sequence[Evidence] = ()
    seconds: float | None = None
    at: float | None = None
    """Unix time; None = now."""
    imported_by: int | None = None
    """Who brought it in from a file; None = said on the page."""


def annotator_number(session: Session, name: str) -> int:
    """The number of an annotator, who is added when new."""
    found = session.scalar(select(AnnotatorRow.pk).where(AnnotatorRow.name == name))
    if found is None:
        row = AnnotatorRow(name=name)
        session.add(row)
        session.flush()
        found = row.pk
    return found


def known(session: Session, key: str) -> bool:
    """Whether a message with this key has come before."""
    return session.scalar(select(HistoryRow.pk).where(HistoryRow.key == key)) is not None


def say(session: Session, said: Said, key: str) -> None:
    """Record a choice; an earlier one of the same annotator on the same item stays in the history alone."""
    columns = {
        "annotator": said.annotator,
        "response": said.response,
        "value": said.value,
        "label": said.label,
        "note": said.note,
        "evidence_json": json.dumps([e.model_dump() for e in said.evidence]),
        "seconds": said.seconds,
        "at": time.time() if said.at is None else said.at,
        "imported_by": said.imported_by,
    }
    _forget(session, said.annotator, said.response, said.value)
    session.add(LabelRow(**columns))
    session.add(HistoryRow(**columns, key=key))
    session.flush()  # one after the other: the row's number is the order
    pick = select(PickRow.pk).where(PickRow.response == said.response, PickRow.value == said.value).scalar_subquery()
    session.execute(delete(AssignmentRow).where(AssignmentRow.annotator == said.annotator, AssignmentRow.pick == pick))


def last_said(session: Session, who: int) -> LabelRow | None:
    """The annotator's last choice on the page; what an import brought is not theirs to take back."""
    mine = select(LabelRow).where(LabelRow.annotator == who, LabelRow.imported_by.is_(None))
    return session.scalar(mine.order_by(LabelRow.pk.desc()).limit(1))


def take_back(session: Session, last: LabelRow, key: str) -> None:
    """Take a choice back and put its item on the annotator's screen again, in place of what was there."""
    who, response, value = last.annotator, last.response, last.value
    session.add(HistoryRow(annotator=who, response=response, value=value, label="", note="", evidence_json="[]", at=time.time(), key=key))
    _forget(session, who, response, value)
    pick = session.scalar(select(PickRow.pk).where(PickRow.response == response, PickRow.value == value))
    if pick is None:  # labelled by its number, never chosen here
        row = PickRow(response=response, value=value, rank=0, wanted=1, reason="undo")
        session.add(row)
        session.flush()
        pick = row.pk
    session.execute(delete(AssignmentRow).where(AssignmentRow.annotator == who))
    session.add(AssignmentRow(pick=pick, annotator=who, at=time.time()))


def _forget(session: Session, who: int, response: int, value: str) -> None:
    session.execute(delete(LabelRow).where(LabelRow.annotator == who, LabelRow.response == response, LabelRow.value == value))
