"""Judgements from a file into a store: all or none, each once however often the file is read, none in the place of another.

from clave.annotate.exchange import read_judgements

take_in(store, read_judgements("labels.jsonl"), by="ana")
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from clave.annotate.engine import writing
from clave.annotate.judgement import Judgement
from clave.annotate.saying import Said, annotator_number, known, say
from clave.annotate.store import Store, add_responses, find_response
from clave.annotate.tables import LabelRow, ResponseRow
from clave.errors import InputError
from clave.records import Response


class TakenIn(NamedTuple):
    """What became of a file's judgements."""

    imported: int
    kept: int
    """Judgements that say something else than what their annotator has said here: what stands here stays."""


def take_in(store: Store, judgements: Sequence[Judgement], by: str) -> TakenIn:
    """Add the judgements, and their responses where the store has them not.

    Args:
        by: Who imports; the history keeps it beside the annotator's name.

    Raises:
        InputError: A judgement's response is neither in the store nor in the row, or stands there with another text.
    """
    imported = kept = 0
    with writing(store.engine) as session:
        importer = annotator_number(session, by)
        _bring_responses(session, store, judgements)
        for judgement in judgements:
            content = f"{judgement.annotator}\0{judgement.id}\0{judgement.value}\0{judgement.label}\0{judgement.note}\0{judgement.at}"
            key = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
            if known(session, key):
                continue
            pk = find_response(session, judgement.id, judgement.value)
            assert pk is not None
            who = annotator_number(session, judgement.annotator)
            here = (LabelRow.annotator == who, LabelRow.response == pk, LabelRow.value == judgement.value)
            said = session.scalar(select(LabelRow.label).where(*here))
            if said is not None:
                kept += said != judgement.label
                continue
            row = Said(
                who, pk, judgement.value, judgement.label, judgement.note, judgement.evidence, judgement.seconds, judgement.at, importer
            )
            say(session, row, key)
            imported += 1
    return TakenIn(imported, kept)


def _bring_responses(session: Session, store: Store, judgements: Sequence[Judgement]) -> None:
    """Compare the texts of known responses, add new ones."""
    new: dict[str, Response] = {}
    for j in judgements:
        pk = find_response(session, j.id, j.value)
        if pk is None and not j.response:
            raise InputError(f"the store has no response {j.id!r} and the row brings none: add a column `response`")
        there = session.get(ResponseRow, pk) if pk is not None else new.get(j.id)
        if there is None:
            new[j.id] = Response(id=j.id, scenario=j.scenario, response=j.response, metadata=j.metadata)
        elif _differs(there.response, j.response) or _differs(there.scenario, j.scenario):
            place = "in the store" if pk is not None else "in the file"
            raise InputError(f"response {j.id!r} stands {place} with another text: give it a new id")
    add_responses(session, new.values(), store.system)


def _differs(here: str, brought: str) -> bool:
    """Whether a text is another one; a row may leave it out, and CSV and Parquet cannot hold half a surrogate pair."""
    return bool(brought) and here.encode("utf-8", "replace") != brought.encode("utf-8", "replace")
