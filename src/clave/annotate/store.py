"""The store: responses, annotators, labels with their history, adjudications, settings. Everything the page writes goes through here.

store = Store("labels.db", ValueSystem.load("moral_foundations"))
store.add_responses(read_responses("responses.jsonl"))
store.save(annotator="ana", response=1, value="care", label="adhere", key="…")
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from clave.annotate.judgement import Adjudication, Choice, Judgement
from clave.annotate.rows import judgement_of, response_key, response_row
from clave.annotate.tables import (
    AdjudicationRow,
    AnnotatorRow,
    AssignmentRow,
    HistoryRow,
    LabelRow,
    PickRow,
    ResponseRow,
    SettingRow,
    open_engine,
    reading,
    writing,
)
from clave.errors import InputError
from clave.records import Evidence, Label, LabelledResponse, Response
from clave.values import ValueSystem


class Store:
    """A database of labels for one value system."""

    def __init__(self, url: str, system: ValueSystem) -> None:
        self.system = system
        self.engine = open_engine(url)
        bound = self.setting("system")
        if bound is None:
            self.set("system", system.id)
        elif bound != system.id:
            self.close()
            raise InputError(f"the store {url} holds labels for value system {bound!r}, not {system.id!r}: name another with --store")

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    # ---- responses

    def add_responses(self, responses: Iterable[Response]) -> int:
        """Add responses that are not there yet; how many were new.

        Raises:
            InputError: An id stands in the store with another text, or a response names a value that the system has not.
        """
        new = 0
        with writing(self.engine) as session:
            there: dict[str, str] = dict(session.execute(select(ResponseRow.key, ResponseRow.digest)).all())
            batch: list[dict[str, Any]] = []
            for response in responses:
                row = response_row(response, self.system)
                if row["key"] in there:
                    if there[row["key"]] != row["digest"]:
                        raise InputError(f"response {response.id!r} stands in the store with another text: give it a new id")
                    continue
                there[row["key"]] = row["digest"]
                batch.append(row)
                new += 1
                if len(batch) == 2000:
                    session.execute(insert(ResponseRow), batch)
                    batch = []
            if batch:
                session.execute(insert(ResponseRow), batch)
        return new

    def response(self, pk: int) -> ResponseRow | None:
        """One response by its number in the store."""
        with reading(self.engine) as session:
            return session.get(ResponseRow, pk) if 0 < pk < 2**31 else None

    def texts(self, value: str, limit: int) -> list[tuple[int, str]]:
        """Numbers and texts of at most `limit` responses that can be labelled for a value and are not chosen yet, in random order."""
        chosen = select(PickRow.response).where(PickRow.value == value)
        query = (
            select(ResponseRow.pk, ResponseRow.scenario, ResponseRow.response)
            .where(ResponseRow.value.in_(("", value)), ResponseRow.pk.not_in(chosen))
            .order_by(ResponseRow.shuffle)
            .limit(limit)
        )
        with reading(self.engine) as session:
            return [(pk, f"{scenario}\n{response}".strip()) for pk, scenario, response in session.execute(query)]

    def count(self) -> int:
        """How many responses there are."""
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(ResponseRow)) or 0

    # ---- labels

    def annotator(self, name: str) -> int:
        """The number of an annotator, who is added when new."""
        with writing(self.engine) as session:
            return _annotator(session, name)

    def save(
        self,
        *,
        annotator: str,
        response: int,
        value: str,
        label: Choice,
        key: str,
        note: str = "",
        evidence: Sequence[Evidence] = (),
        seconds: float | None = None,
        at: float | None = None,
    ) -> bool:
        """Record a choice; a later one of the same annotator on the same item replaces it and both stay in the history.

        Args:
            key: The sender's own key of this message: sent again, it changes nothing.

        Returns:
            Whether anything was recorded.
        """
        with writing(self.engine) as session:
            if session.scalar(select(HistoryRow.pk).where(HistoryRow.key == key)) is not None:
                return False
            who = _annotator(session, annotator)
            said = {
                "annotator": who,
                "response": response,
                "value": value,
                "label": label,
                "note": note,
                "evidence_json": json.dumps([e.model_dump() for e in evidence]),
                "seconds": seconds,
                "at": time.time() if at is None else at,
            }
            _forget(session, who, response, value)
            session.add(LabelRow(**said))
            session.add(HistoryRow(**said, key=key))
            pick = select(PickRow.pk).where(PickRow.response == response, PickRow.value == value).scalar_subquery()
            session.execute(delete(AssignmentRow).where(AssignmentRow.annotator == who, AssignmentRow.pick == pick))
        return True

    def undo(self, annotator: str, key: str) -> tuple[int, str] | None:
        """Take back the annotator's last choice; the item it was for, or None when there is none."""
        with writing(self.engine) as session:
            who = _annotator(session, annotator)
            if session.scalar(select(HistoryRow.pk).where(HistoryRow.key == key)) is not None:
                return None
            last = session.scalar(
                select(LabelRow).where(LabelRow.annotator == who).order_by(LabelRow.at.desc(), LabelRow.pk.desc()).limit(1)
            )
            if last is None:
                return None
            item = (last.response, last.value)
            session.add(
                HistoryRow(annotator=who, response=item[0], value=item[1], label="", note="", evidence_json="[]", at=time.time(), key=key)
            )
            _forget(session, who, *item)
            pick = session.scalar(select(PickRow.pk).where(PickRow.response == item[0], PickRow.value == item[1]))
            if pick is None:  # an imported label: its item was never chosen here
                row = PickRow(response=item[0], value=item[1], rank=0, wanted=1, reason="undo")
                session.add(row)
                session.flush()
                pick = row.pk
            session.execute(delete(AssignmentRow).where(AssignmentRow.pick == pick, AssignmentRow.annotator == who))
            session.add(AssignmentRow(pick=pick, annotator=who, at=time.time() - 300))  # before what is on the screen now
            return item

    def last_said(self, annotator: str) -> dict[str, Any] | None:
        """Label, note and evidence of the annotator's last choice, to show them again when it is taken back."""
        query = select(LabelRow).join(AnnotatorRow).where(AnnotatorRow.name == annotator).order_by(LabelRow.at.desc(), LabelRow.pk.desc())
        with reading(self.engine) as session:
            row = session.scalar(query.limit(1))
            return None if row is None else {"label": row.label, "note": row.note, "evidence": json.loads(row.evidence_json)}

    def judgements(self, *, response: int | None = None, value: str | None = None) -> list[Judgement]:
        """What annotators now say, oldest first."""
        query = (
            select(LabelRow, ResponseRow, AnnotatorRow.name)
            .join(ResponseRow, LabelRow.response == ResponseRow.pk)
            .join(AnnotatorRow, LabelRow.annotator == AnnotatorRow.pk)
            .order_by(LabelRow.at, LabelRow.pk)
        )
        if response is not None:
            query = query.where(LabelRow.response == response)
        if value is not None:
            query = query.where(LabelRow.value == value)
        with reading(self.engine) as session:
            return [judgement_of(said, row, name) for said, row, name in session.execute(query)]

    def label_counts(self) -> dict[str, dict[str, int]]:
        """Per value: items by choice (an item with two equal labels counts once for each choice given), and `items` in all."""
        counts: dict[str, dict[str, int]] = {v: {"items": 0} for v in self.system.by_id}
        number_of = func.count(LabelRow.response.distinct())
        per_label = select(LabelRow.value, LabelRow.label, number_of).group_by(LabelRow.value, LabelRow.label)
        useful = LabelRow.label != "cannot_tell"
        in_all = select(LabelRow.value, number_of).where(useful).group_by(LabelRow.value)
        with reading(self.engine) as session:
            for value, label, number in session.execute(per_label):
                counts.setdefault(value, {"items": 0})[label] = number
            for value, number in session.execute(in_all):
                counts[value]["items"] = number
        return counts

    def labelled_by(self, annotator: str) -> int:
        """How many items an annotator has labelled."""
        query = select(func.count()).select_from(LabelRow).join(AnnotatorRow).where(AnnotatorRow.name == annotator)
        with reading(self.engine) as session:
            return session.scalar(query) or 0

    # ---- adjudication, gold, settings

    def adjudicate(self, response: int, value: str, label: Label, by: str, note: str = "") -> None:
        """Settle an item; a later word replaces an earlier one."""
        with writing(self.engine) as session:
            session.execute(delete(AdjudicationRow).where(AdjudicationRow.response == response, AdjudicationRow.value == value))
            session.add(AdjudicationRow(response=response, value=value, label=label, by=by, note=note, at=time.time()))

    def adjudications(self) -> list[Adjudication]:
        """All settled items, gold questions among them."""
        query = select(AdjudicationRow, ResponseRow.id).join(ResponseRow, AdjudicationRow.response == ResponseRow.pk)
        with reading(self.engine) as session:
            return [
                Adjudication.model_validate({"id": identity, "value": row.value, "label": row.label, "by": row.by, "note": row.note})
                for row, identity in session.execute(query)
            ]

    def add_gold(self, gold: Iterable[LabelledResponse]) -> int:
        """Add gold questions: shown to everybody now and then, with the known label kept as the settled one; how many."""
        rows = list(gold)
        self.add_responses(Response(id=g.id, response=g.response, scenario=g.scenario, value=g.value, metadata=g.metadata) for g in rows)
        for row in rows:
            with writing(self.engine) as session:
                pk = session.scalars(select(ResponseRow.pk).where(ResponseRow.key == response_key(row.id, row.value))).one()
                if session.scalar(select(PickRow.pk).where(PickRow.response == pk, PickRow.value == row.value)) is None:
                    session.add(PickRow(response=pk, value=row.value, rank=0, wanted=10**6, reason="gold"))
            self.adjudicate(pk, row.value, row.label, "gold")
        return len(rows)

    def find(self, identity: str, value: str) -> int | None:
        """The number of the response with this id that can be labelled for this value."""
        keys = [response_key(identity, value), response_key(identity, None)]
        with reading(self.engine) as session:
            return session.scalar(select(ResponseRow.pk).where(ResponseRow.key.in_(keys)).order_by(ResponseRow.value.desc()).limit(1))

    def setting(self, name: str) -> str | None:
        """A setting by name."""
        with reading(self.engine) as session:
            return session.scalar(select(SettingRow.text).where(SettingRow.name == name))

    def set(self, name: str, text: str) -> None:
        """Write a setting."""
        with writing(self.engine) as session:
            session.merge(SettingRow(name=name, text=text))


def _annotator(session: Session, name: str) -> int:
    found = session.scalar(select(AnnotatorRow.pk).where(AnnotatorRow.name == name))
    if found is None:
        row = AnnotatorRow(name=name)
        session.add(row)
        session.flush()
        found = row.pk
    return found


def _forget(session: Session, who: int, response: int, value: str) -> None:
    session.execute(delete(LabelRow).where(LabelRow.annotator == who, LabelRow.response == response, LabelRow.value == value))
