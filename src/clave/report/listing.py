"""All verdicts of a report, to be searched, sorted and linked to in the page.

listed = Listed()
listed.add(verdict, "assistant-a", response)
listed.section({"care": "Care"})        # at most MOST verdicts; beyond that a random sample, and the page says so
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping
from itertools import count
from urllib.parse import quote

from clave.records import Response, Verdict
from clave.report.missing import flag_in_words
from clave.report.page import Listing, Section
from clave.text.plain import clean

MOST = 10_000
"""Verdicts that a page holds: it stays below ten megabytes, and a filter takes no noticeable time."""
_SHOWN = 600
"""Characters of a response."""
_QUOTED = 200
"""Characters of a quote, a concept or a reason."""


class Listed:
    """Keeps verdicts for the list while they stream by: all of them, or a random sample that no order of the rows changes."""

    def __init__(self) -> None:
        self.seen = 0
        self._kept: list[tuple[int, int, str, Verdict, Response | None]] = []
        self._place = count()

    def add(self, verdict: Verdict, model: str, response: Response | None = None) -> None:
        """Look at one verdict and the text that it judges."""
        self.seen += 1
        key = f"{model}\0{verdict.id}\0{verdict.value}".encode("utf-8", "replace")
        drawn = -int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
        entry = (drawn, next(self._place), model, verdict, response)
        if len(self._kept) < MOST:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def section(self, names: Mapping[str, str]) -> Section:
        """The section with the list."""
        models: dict[str, int] = {}
        values: dict[str, int] = {}
        texts: dict[tuple[str, str], tuple[int, tuple[str, int, str, str, int]]] = {}
        rows = []
        for _, _, model, verdict, response in sorted(self._kept, key=lambda kept: kept[1]):
            m, v = models.setdefault(model, len(models)), values.setdefault(verdict.value, len(values))
            if (model, verdict.id) not in texts:
                texts[model, verdict.id] = (len(texts), _text(verdict, m, response))
            rows.append((texts[model, verdict.id][0], v, verdict.label or verdict.status, *_said(verdict)))
        told = "" if self.seen <= MOST else f"A random {MOST:,} of {self.seen:,} verdicts; the file of verdicts has them all. "
        listing = Listing(
            models=tuple(map(clean, models)),
            values=tuple((clean(value), clean(names.get(value, value))) for value in values),
            texts=tuple(text for _, text in texts.values()),
            rows=tuple(rows),
        )
        text = f"{told}Each verdict has an address of its own: open it and copy the address of the page."
        title = "All verdicts" if self.seen <= MOST else "Verdicts"
        return Section("verdicts", title, text, listing=listing)


def address(verdict: Verdict, model: str) -> str:
    """Where the list shows a verdict, as the part of an address after `#`."""
    return "verdict=" + "/".join(quote(clean(part), safe="") for part in (verdict.id, verdict.value, model))


def _text(verdict: Verdict, model: int, response: Response | None) -> tuple[str, int, str, str, int]:
    if response is None:
        return clean(verdict.id), model, "", "", 0
    body = response.response
    return clean(verdict.id), model, _cut(response.scenario, 300), clean(body[:_SHOWN]), max(0, len(body) - _SHOWN)


def _said(verdict: Verdict) -> tuple[float | None, tuple[str, ...], tuple[str, ...], str]:
    """How sure it is, its quotes, its concepts, and its reason with what is flagged."""
    sure = round(max(verdict.probabilities.values()), 3) if verdict.probabilities and verdict.label else None
    reason = " · ".join(filter(None, (verdict.reason, *map(flag_in_words, verdict.flags))))
    quotes, concepts = (tuple(_cut(t, _QUOTED) for t in texts[:3]) for texts in (_quotes(verdict), _concepts(verdict)))
    return sure, quotes, concepts, _cut(reason, 2 * _QUOTED)


def _quotes(verdict: Verdict) -> list[str]:
    return [quote.text for quote in verdict.evidence]


def _concepts(verdict: Verdict) -> list[str]:
    return [concept.text for concept in verdict.concepts]


def _cut(text: str, most: int) -> str:
    return clean(text if len(text) <= most else text[:most].rstrip() + " …")
