"""Which item an annotator sees next: the open one, a gold question, then the value that needs labels most.

task = next_task(store, "ana", rules=Rules(overlap=0.2))

Picks are made ahead by `clave.annotate.sampling`; when none is left a random response is picked, so the page never waits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, or_, select, true
from sqlalchemy.orm import Session

from clave.annotate.store import Store, _annotator
from clave.annotate.tables import AssignmentRow, LabelRow, PickRow, ResponseRow, writing
from clave.records import Record

BLOCK = 10
"""Labels of one value before the next value's turn: a person applies one guideline better than twelve in turn."""
HELD = 15 * 60.0
"""Seconds for which an item on somebody's screen is kept from others."""


class Rules(Record):
    """How labelling is organised."""

    target: int = 100
    """Labelled items wanted per value."""
    overlap: float = 0.2
    """Share of items that two annotators label."""
    gold_every: int = 10
    """One item in so many is a gold question, while there are any."""


class Task(NamedTuple):
    """An item to label."""

    response: int
    value: str
    reason: str


def next_task(
    store: Store, annotator: str, rules: Rules, value: str | None = None, *, after: Task | None = None, now: float | None = None
) -> Task | None:
    """The annotator's next item, kept for them; None when the target is reached or nothing is left.

    Args:
        value: Only this value, and beyond the target too.
        after: The item on the screen: the one to show after it is wanted, so that a key need not wait for the server.
        now: Unix time, for tests.
    """
    now = time.time() if now is None else now
    with writing(store.engine) as session:
        who = _annotator(session, annotator)
        pick = _open(session, who, value, after) or _gold(session, who, rules, value, after)
        for wanted in [] if pick else _by_need(session, store, rules, value):
            pick = _from_picks(session, who, wanted, now, after) or _random(session, store, who, wanted, rules)
            if pick:
                break
        if pick is None:
            return None
        session.execute(delete(AssignmentRow).where(AssignmentRow.pick == pick.pk, AssignmentRow.annotator == who))
        session.add(AssignmentRow(pick=pick.pk, annotator=who, at=now))
        return Task(pick.response, pick.value, pick.reason)


def add_picks(store: Store, value: str, responses: Sequence[int], reason: str, rules: Rules) -> None:
    """Append responses to a value's queue; every so many of them is for two annotators."""
    with writing(store.engine) as session:
        taken = set(session.scalars(select(PickRow.response).where(PickRow.value == value)))
        for response in responses:
            if response not in taken:
                taken.add(response)
                _append(session, response, value, reason, rules)


def waiting(store: Store, value: str) -> int:
    """How many picks of a value nobody has labelled yet."""
    labelled = select(LabelRow.pk).where(LabelRow.response == PickRow.response, LabelRow.value == PickRow.value).exists()
    with writing(store.engine) as session:
        query = select(func.count()).select_from(PickRow).where(PickRow.value == value, PickRow.reason != "gold", ~labelled)
        return session.scalar(query) or 0


def _append(session: Session, response: int, value: str, reason: str, rules: Rules) -> PickRow:
    rank = session.scalar(select(func.count()).select_from(PickRow).where(PickRow.value == value)) or 0
    shared = int((rank + 1) * rules.overlap) > int(rank * rules.overlap)
    pick = PickRow(response=response, value=value, rank=rank, wanted=2 if shared else 1, reason=reason)
    session.add(pick)
    session.flush()
    return pick


def _mine(who: int) -> ColumnElement[bool]:
    own = select(LabelRow.pk).where(LabelRow.annotator == who, LabelRow.response == PickRow.response, LabelRow.value == PickRow.value)
    return own.exists()


def _not(after: Task | None) -> ColumnElement[bool]:
    return true() if after is None else or_(PickRow.response != after.response, PickRow.value != after.value)


def _open(session: Session, who: int, value: str | None, after: Task | None) -> PickRow | None:
    query = select(PickRow).join(AssignmentRow, AssignmentRow.pick == PickRow.pk).where(AssignmentRow.annotator == who)
    if value:
        query = query.where(PickRow.value == value)
    return session.scalar(query.where(_not(after)).order_by(AssignmentRow.at).limit(1))


def _gold(session: Session, who: int, rules: Rules, value: str | None, after: Task | None) -> PickRow | None:
    done = session.scalar(select(func.count()).select_from(LabelRow).where(LabelRow.annotator == who)) or 0
    done += after is not None
    if done % rules.gold_every != rules.gold_every - 1:
        return None
    query = select(PickRow).where(PickRow.reason == "gold", ~_mine(who), _not(after))
    if value:
        query = query.where(PickRow.value == value)
    return session.scalar(query.order_by(PickRow.pk).limit(1))


def _by_need(session: Session, store: Store, rules: Rules, value: str | None) -> list[str]:
    """Values that still need labels, the poorest block of ten first; in the order of the system when equal."""
    if value:
        return [value]
    query = select(LabelRow.value, func.count(LabelRow.response.distinct())).where(LabelRow.label != "cannot_tell").group_by(LabelRow.value)
    counts = dict(session.execute(query).all())
    return sorted((v for v in store.system.ids() if counts.get(v, 0) < rules.target), key=lambda v: counts.get(v, 0) // BLOCK)


def _from_picks(session: Session, who: int, value: str, now: float, after: Task | None) -> PickRow | None:
    """The first pick that I have not labelled and that still wants somebody."""
    labels = select(func.count()).select_from(LabelRow).where(LabelRow.response == PickRow.response, LabelRow.value == PickRow.value)
    held = (
        select(func.count())
        .select_from(AssignmentRow)
        .where(AssignmentRow.pick == PickRow.pk, AssignmentRow.annotator != who, AssignmentRow.at > now - HELD)
    )
    query = (
        select(PickRow)
        .where(PickRow.value == value, PickRow.reason != "gold", ~_mine(who), _not(after))
        .where(labels.scalar_subquery() + held.scalar_subquery() < PickRow.wanted)
        .order_by(PickRow.rank)
        .limit(1)
    )
    return session.scalar(query)


def _random(session: Session, store: Store, who: int, value: str, rules: Rules) -> PickRow | None:
    picked = select(PickRow.pk).where(PickRow.response == ResponseRow.pk, PickRow.value == value).exists()
    query = select(ResponseRow.pk).where(or_(ResponseRow.value == "", ResponseRow.value == value), ~picked)
    response = session.scalar(query.order_by(ResponseRow.shuffle).limit(1))
    return None if response is None else _append(session, response, value, "random", rules)
