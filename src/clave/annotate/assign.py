"""Which item an annotator sees next: the open one, a gold question, then the value that needs labels most.

    task = next_task(store, "ana", rules=Rules(overlap=0.2))

Picks are made ahead by `clave.annotate.sampling`; when none is left a random response is picked, so the page never waits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from clave.annotate.engine import reading, writing
from clave.annotate.judgement import GOLD
from clave.annotate.saying import annotator_number
from clave.annotate.store import Store
from clave.annotate.tables import AssignmentRow, LabelRow, PickRow, ResponseRow
from clave.records import Record

BLOCK = 10
"""Labels of one value before the next value's turn: a person applies one guideline better than twelve in turn."""
HELD = 15 * 60.0
"""Seconds for which an item on somebody's screen is kept from others: a courtesy, on which nothing depends but a label more."""


class Rules(Record):
    """How labelling is organised."""

    target: int = 100
    """Items wanted per value; an item counts when somebody has labelled it."""
    overlap: float = 0.2
    """Share of the items of each value that two annotators label, each without seeing the other's label: 1 = all of them."""
    gold_every: int = 10
    """One item in so many is a gold question, while there are any."""


class Assignment(NamedTuple):
    """An item to label."""

    response: int
    value: str
    reason: str


def next_task(
    store: Store, annotator: str, rules: Rules, value: str | None = None, *, after: Assignment | None = None, now: float | None = None
) -> Assignment | None:
    """The annotator's next item, kept for them; None when nothing is left for this annotator.

    That is so when every value has its target and every item that two are to label has been labelled by two, or by this annotator.

    Args:
        value: Only this value, and beyond the target too.
        after: The item on the screen: the one to show after it is wanted, so that a key need not wait for the server.
        now: Unix time, for tests.
    """
    now = time.time() if now is None else now
    with writing(store.engine) as session:
        who = annotator_number(session, annotator)
        pick = _open(session, who, value, after) or _gold(session, who, rules, value, after)
        counts = _begun_items(session, now)
        for wanted in [] if pick else [value] if value else _by_need(session, store, rules, who, counts):
            enough = value is None and counts.get(wanted, 0) >= rules.target
            pick = _from_picks(session, who, wanted, now, after, begun=enough)
            if pick is None and not enough:
                pick = _random(session, wanted, rules)
            if pick:
                break
        if pick is None:
            return None
        held = session.scalar(select(AssignmentRow).where(AssignmentRow.pick == pick.pk, AssignmentRow.annotator == who))
        if held is None:
            session.add(AssignmentRow(pick=pick.pk, annotator=who, at=now))
        else:
            held.at = now
        return Assignment(pick.response, pick.value, pick.reason)


def add_picks(store: Store, value: str, responses: Sequence[int], reason: str, rules: Rules) -> None:
    """Append responses to a value's queue; every so many of them is for two annotators."""
    with writing(store.engine) as session:
        taken = set(session.scalars(select(PickRow.response).where(PickRow.value == value)))
        for response in responses:
            if response not in taken:
                taken.add(response)
                _append(session, response, value, reason, rules)


def apply_overlap(store: Store, rules: Rules) -> None:
    """Let the overlap hold for items that were chosen under another one, before the page was started anew."""
    with writing(store.engine) as session:
        for pick in session.scalars(select(PickRow).where(PickRow.reason != GOLD)):
            pick.wanted = _wanted(pick.rank, rules)


def waiting(store: Store, value: str) -> int:
    """How many picks of a value nobody has labelled yet."""
    labelled = select(LabelRow.pk).where(LabelRow.response == PickRow.response, LabelRow.value == PickRow.value).exists()
    with reading(store.engine) as session:
        query = select(func.count()).select_from(PickRow).where(PickRow.value == value, PickRow.reason != GOLD, ~labelled)
        return session.scalar(query) or 0


def second_labels(store: Store) -> dict[str, tuple[int, int]]:
    """Per value: how many items have two annotators' labels, of how many labelled so far that are to have them."""
    here = (LabelRow.response == PickRow.response) & (LabelRow.value == PickRow.value)
    query = (
        select(PickRow.value, func.count(LabelRow.pk)).join(LabelRow, here).where(PickRow.wanted == 2).group_by(PickRow.pk, PickRow.value)
    )
    found: dict[str, tuple[int, int]] = dict.fromkeys(store.system.by_id, (0, 0))
    with reading(store.engine) as session:
        for value, said in session.execute(query):
            done, asked = found.get(value, (0, 0))
            found[value] = (done + (said > 1), asked + 1)
    return found


def _append(session: Session, response: int, value: str, reason: str, rules: Rules) -> PickRow:
    rank = session.scalar(select(func.count()).select_from(PickRow).where(PickRow.value == value)) or 0
    pick = PickRow(response=response, value=value, rank=rank, wanted=_wanted(rank, rules), reason=reason)
    session.add(pick)
    session.flush()
    return pick


def _wanted(rank: int, rules: Rules) -> int:
    """Two annotators for every so many of a value's items, spread evenly over its queue."""
    return 2 if int((rank + 1) * rules.overlap) > int(rank * rules.overlap) else 1


def _mine(who: int) -> ColumnElement[bool]:
    own = select(LabelRow.pk).where(LabelRow.annotator == who, LabelRow.response == PickRow.response, LabelRow.value == PickRow.value)
    return own.exists()


def _not(after: Assignment | None) -> ColumnElement[bool]:
    return true() if after is None else or_(PickRow.response != after.response, PickRow.value != after.value)


def _open(session: Session, who: int, value: str | None, after: Assignment | None) -> PickRow | None:
    query = select(PickRow).join(AssignmentRow, AssignmentRow.pick == PickRow.pk).where(AssignmentRow.annotator == who)
    if value:
        query = query.where(PickRow.value == value)
    return session.scalar(query.where(_not(after)).order_by(AssignmentRow.pk).limit(1))


def _gold(session: Session, who: int, rules: Rules, value: str | None, after: Assignment | None) -> PickRow | None:
    done = session.scalar(select(func.count()).select_from(LabelRow).where(LabelRow.annotator == who)) or 0
    done += after is not None
    if done % rules.gold_every != rules.gold_every - 1:
        return None
    query = select(PickRow).where(PickRow.reason == GOLD, ~_mine(who), _not(after))
    if value:
        query = query.where(PickRow.value == value)
    return session.scalar(query.order_by(PickRow.pk).limit(1))


def _begun_items(session: Session, now: float) -> dict[str, int]:
    """Items per value that somebody has labelled, or has on the screen."""
    query = select(LabelRow.value, LabelRow.response).where(LabelRow.label != "cannot_tell").distinct()
    held = select(PickRow.value, PickRow.response).join(AssignmentRow, AssignmentRow.pick == PickRow.pk).where(_held(now))
    items = query.union(held).subquery()
    return dict(session.execute(select(items.c.value, func.count()).group_by(items.c.value)).all())


def _held(now: float) -> ColumnElement[bool]:
    """Whether an assignment still counts; a time far ahead is that of a clock that was put back, and holds nothing."""
    return AssignmentRow.at.between(now - HELD, now + HELD)


def _by_need(session: Session, store: Store, rules: Rules, who: int, counts: dict[str, int]) -> list[str]:
    """Values in turn: the team's poorest block of ten first, then the annotator's own, then the order of the system.

    A value that has its target still stands last in the list: a second annotator may be wanted for some of its items.
    """
    query = select(LabelRow.value, func.count()).where(LabelRow.annotator == who).group_by(LabelRow.value)
    mine = dict(session.execute(query).all())
    return sorted(store.system.ids(), key=lambda v: (min(counts.get(v, 0), rules.target) // BLOCK, mine.get(v, 0) // BLOCK))


def _from_picks(session: Session, who: int, value: str, now: float, after: Assignment | None, *, begun: bool) -> PickRow | None:
    """The first pick that I have not labelled and that still wants somebody; `begun`: of those that somebody has labelled."""
    labels = select(func.count()).select_from(LabelRow).where(LabelRow.response == PickRow.response, LabelRow.value == PickRow.value)
    held = (
        select(func.count()).select_from(AssignmentRow).where(AssignmentRow.pick == PickRow.pk, AssignmentRow.annotator != who, _held(now))
    )
    query = (
        select(PickRow)
        .where(PickRow.value == value, PickRow.reason != GOLD, ~_mine(who), _not(after))
        .where(labels.scalar_subquery() + held.scalar_subquery() < PickRow.wanted)
        .order_by(PickRow.rank)
        .limit(1)
    )
    return session.scalar(query.where(labels.scalar_subquery() > 0) if begun else query)


def _random(session: Session, value: str, rules: Rules) -> PickRow | None:
    picked = select(PickRow.pk).where(PickRow.response == ResponseRow.pk, PickRow.value == value).exists()
    query = select(ResponseRow.pk).where(or_(ResponseRow.value == "", ResponseRow.value == value), ~picked)
    response = session.scalar(query.order_by(ResponseRow.shuffle).limit(1))
    return None if response is None else _append(session, response, value, "random", rules)
