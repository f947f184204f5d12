"""Gold questions: items whose label is known, shown now and then to everybody. Annotators never see the known label.

add_gold(store, read_labels("gold.jsonl", values=system.by_id))
gold_scores(store)      # name -> right and asked, by what each said first
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import and_, delete, func, select

from clave.annotate.engine import reading, writing
from clave.annotate.judgement import GOLD
from clave.annotate.rows import response_key
from clave.annotate.store import Store, add_responses
from clave.annotate.tables import AdjudicationRow, AnnotatorRow, HistoryRow, PickRow, ResponseRow
from clave.records import LabelledResponse, Response

EVERYBODY = 10**6
"""Annotators wanted for a gold question."""


def add_gold(store: Store, gold: Iterable[LabelledResponse]) -> int:
    """Add gold questions, with the known label kept as the settled one; how many."""
    rows = list(gold)
    with writing(store.engine) as session:
        questions = (Response(id=g.id, response=g.response, scenario=g.scenario, value=g.value, metadata=g.metadata) for g in rows)
        add_responses(session, questions, store.system)
        for row in rows:
            pk = session.scalars(select(ResponseRow.pk).where(ResponseRow.key == response_key(row.id, row.value))).one()
            if session.scalar(select(PickRow.pk).where(PickRow.response == pk, PickRow.value == row.value)) is None:
                session.add(PickRow(response=pk, value=row.value, rank=0, wanted=EVERYBODY, reason=GOLD))
            session.execute(delete(AdjudicationRow).where(AdjudicationRow.response == pk, AdjudicationRow.value == row.value))
            session.add(AdjudicationRow(response=pk, value=row.value, label=row.label, by=GOLD, note="", at=time.time()))
    return len(rows)


def gold_scores(store: Store) -> dict[str, tuple[int, int]]:
    """Per annotator: how many gold questions were right, of how many, by the first answer on the page: later ones may be corrections."""
    first = (
        select(func.min(HistoryRow.pk))
        .where(HistoryRow.label != "", HistoryRow.imported_by.is_(None))
        .group_by(HistoryRow.annotator, HistoryRow.response, HistoryRow.value)
    )
    known = and_(AdjudicationRow.response == HistoryRow.response, AdjudicationRow.value == HistoryRow.value, AdjudicationRow.by == GOLD)
    query = (
        select(AnnotatorRow.name, HistoryRow.label == AdjudicationRow.label)
        .join(AnnotatorRow, HistoryRow.annotator == AnnotatorRow.pk)
        .join(AdjudicationRow, known)
        .where(HistoryRow.pk.in_(first))
        .order_by(AnnotatorRow.name)
    )
    scores: dict[str, tuple[int, int]] = {}
    with reading(store.engine) as session:
        for name, hit in session.execute(query):
            right, asked = scores.get(name, (0, 0))
            scores[name] = (right + bool(hit), asked + 1)
    return scores
