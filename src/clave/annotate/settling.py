"""Items that annotators see differently, or that nobody could tell, with what each of them said: for the settling screen.

for dispute in disputes(store).shown: print(dispute.item.id, votes(dispute.said), dispute.settled)
"""

from __future__ import annotations

from typing import NamedTuple

from clave.annotate.judgement import GOLD, Adjudication, Judgement, by_item, votes
from clave.annotate.store import Store

SHOWN = 200
"""Disputes on the screen at once, open ones first."""


class Dispute(NamedTuple):
    """One item to settle."""

    response: int
    """Number in the store."""
    item: Judgement
    """One of the judgements, for the texts."""
    said: list[Judgement]
    settled: Adjudication | None


class Disputes(NamedTuple):
    """What is on the settling screen."""

    shown: list[Dispute]
    open: int
    settled: int


def disputes(store: Store) -> Disputes:
    """The items with different labels, and those that nobody could tell; open ones first. Gold questions need no settling."""
    adjudications = {(a.id, a.value): a for a in store.adjudications()}
    found = []
    for (identity, value), said in by_item(store.judgements()).items():
        settled = adjudications.get((identity, value))
        if settled is not None and settled.by == GOLD:
            continue
        given = set(votes(said).values())
        if len(given) < 2 and given != {"cannot_tell"}:
            continue
        number = store.find(identity, value)
        assert number is not None
        found.append(Dispute(number, said[0], said, settled))
    found.sort(key=lambda d: d.settled is not None)
    still = sum(d.settled is None for d in found)
    return Disputes(found[:SHOWN], still, len(found) - still)
