"""The store: responses, annotators, labels with their history, adjudications, settings. Everything the page writes goes through here.

store = Store("labels.db", ValueSystem.load("mft"))
store.add_responses(read_responses("responses.jsonl"))
store.save(annotator="ana", response=1, value="care", label="adhere", key="a key of this click")
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from clave.annotate.engine import reading, without_password, writing
from clave.annotate.judgement import GOLD, Adjudication, Choice, Judgement
from clave.annotate.rows import judgement_of, response_key, response_row
from clave.annotate.saying import Said, annotator_number, known, last_said, say, take_back
from clave.annotate.tables import (
    AdjudicationRow,
    AnnotatorRow,
    LabelRow,
    PickRow,
    ResponseRow,
    SettingRow,
    open_store,
)
from clave.errors import InputError
from clave.records import Evidence, Label, Response
from clave.values import ValueSystem


class TakenBack(NamedTuple):
    """A choice that was taken back, to be shown again."""

    response: int
    value: str
    label: str
    note: str
    evidence: list[dict[str, Any]]


class Store:
    """A database of labels for one value system."""

    def __init__(self, url: str, system: ValueSystem) -> None:
        self.system = system
        self.engine = open_store(url)
        bound = self.setting("system")
        if bound is None:
            self.set("system", system.id)
        elif bound != system.id:
            self.close()
            place = without_password(url)
            raise InputError(f"the store {place} holds labels for value system {bound!r}, not {system.id!r}: name another `store`")

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    # ---- responses

    def add_responses(self, responses: Iterable[Response]) -> int:
        """Add responses that are not there yet; how many were new.

        Raises:
            InputError: An id stands in the store with another text, or a response names a value that the system has not.
        """
        with writing(self.engine) as session:
            return add_responses(session, responses, self.system)

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
    ) -> bool:
        """Record a choice; a later one of the same annotator on the same item replaces it and both stay in the history.

        Args:
            key: The sender's own key of this message: sent again, it changes nothing.

        Returns:
            Whether anything was recorded.
        """
        with writing(self.engine) as session:
            if known(session, key):
                return False
            say(session, Said(annotator_number(session, annotator), response, value, label, note, evidence, seconds), key)
        return True

    def undo(self, annotator: str, key: str) -> TakenBack | None:
        """Take back the annotator's last choice on the page; what it was, or None when there is none."""
        with writing(self.engine) as session:
            last = None if known(session, key) else last_said(session, annotator_number(session, annotator))
            if last is None:
                return None
            before = TakenBack(last.response, last.value, last.label, last.note, json.loads(last.evidence_json))
            take_back(session, last, key)
            return before

    def judgements(self, *, response: int | None = None, value: str | None = None) -> list[Judgement]:
        """What annotators now say, in the order in which they said it."""
        query = (
            select(LabelRow, ResponseRow, AnnotatorRow.name)
            .join(ResponseRow, LabelRow.response == ResponseRow.pk)
            .join(AnnotatorRow, LabelRow.annotator == AnnotatorRow.pk)
            .order_by(LabelRow.pk)
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

    def available(self) -> dict[str, int]:
        """How many responses can be labelled for each value."""
        query = select(ResponseRow.value, func.count()).group_by(ResponseRow.value)
        with reading(self.engine) as session:
            found: dict[str, int] = dict(session.execute(query).all())
        return {value: found.get("", 0) + found.get(value, 0) for value in self.system.by_id}

    def labelled_by(self, annotator: str) -> int:
        """How many items an annotator has labelled."""
        query = (
            select(func.count())
            .select_from(LabelRow)
            .join(AnnotatorRow, LabelRow.annotator == AnnotatorRow.pk)
            .where(AnnotatorRow.name == annotator)
        )
        with reading(self.engine) as session:
            return session.scalar(query) or 0

    def paces(self) -> list[float]:
        """Seconds that the last thousand labels took, where they were timed."""
        query = select(LabelRow.seconds).where(LabelRow.seconds.is_not(None)).order_by(LabelRow.pk.desc()).limit(1000)
        with reading(self.engine) as session:
            return [seconds for seconds in session.scalars(query) if seconds is not None]

    # ---- adjudication, settings

    def adjudicate(self, response: int, value: str, label: Label | None, by: str, note: str = "") -> None:
        """Settle an item; a later word replaces an earlier one, None takes it back.

        Raises:
            InputError: The item is a gold question, whose label is known.
        """
        with writing(self.engine) as session:
            here = (AdjudicationRow.response == response, AdjudicationRow.value == value)
            if session.scalar(select(AdjudicationRow.pk).where(*here, AdjudicationRow.by == GOLD)) is not None:
                raise InputError("this item is a gold question: its label is known")
            session.execute(delete(AdjudicationRow).where(*here))
            if label is not None:
                session.add(AdjudicationRow(response=response, value=value, label=label, by=by, note=note, at=time.time()))

    def adjudications(self) -> list[Adjudication]:
        """All settled items, gold questions among them."""
        query = select(AdjudicationRow, ResponseRow.id).join(ResponseRow, AdjudicationRow.response == ResponseRow.pk)
        with reading(self.engine) as session:
            return [
                Adjudication.model_validate({"id": identity, "value": row.value, "label": row.label, "by": row.by, "note": row.note})
                for row, identity in session.execute(query)
            ]

    def find(self, identity: str, value: str) -> int | None:
        """The number of the response with this id that can be labelled for this value."""
        with reading(self.engine) as session:
            return find_response(session, identity, value)

    def setting(self, name: str) -> str | None:
        """A setting by name."""
        with reading(self.engine) as session:
            return session.scalar(select(SettingRow.text).where(SettingRow.name == name))

    def set(self, name: str, text: str) -> None:
        """Write a setting."""
        with writing(self.engine) as session:
            session.merge(SettingRow(name=name, text=text))


def add_responses(session: Session, responses: Iterable[Response], system: ValueSystem) -> int:
    """Add responses within a transaction; see `Store.add_responses`."""
    new = 0
    there: dict[str, str] = dict(session.execute(select(ResponseRow.key, ResponseRow.digest)).all())
    batch: list[dict[str, Any]] = []
    for response in responses:
        row = response_row(response, system)
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


def find_response(session: Session, identity: str, value: str) -> int | None:
    """The number of the response with this id that can be labelled for this value."""
    keys = [response_key(identity, value), response_key(identity, None)]
    return session.scalar(select(ResponseRow.pk).where(ResponseRow.key.in_(keys)).order_by(ResponseRow.value.desc()).limit(1))
