"""Examples for a report: the surest verdicts of each label, with their evidence marked in the text, and the borderline ones.

picked = Examples()
picked.add(verdict, "assistant-a", response)
picked.cards("care", "Care", models=False)
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from itertools import count

from clave.records import Evidence, Label, Response, Verdict
from clave.report.listing import address
from clave.report.missing import flag_in_words
from clave.report.page import Card, Neighbour, Piece
from clave.text.content import is_blank

SHOWN = 1200
"""Characters of a response that a card shows; the evidence is always within them."""
PER_LABEL = 2


class Examples:
    """Keeps the few best examples per value and label while verdicts stream by."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[tuple[float, str, int, str, Verdict, Response | None]]] = {}
        self._place = count()

    def add(self, verdict: Verdict, model: str, response: Response | None = None) -> None:
        """Look at one verdict and the text that it judges; of those with evidence and of sure ones the surest stay."""
        if verdict.status in ("failed", "refused"):
            return
        top = max(verdict.probabilities.values()) if verdict.probabilities else verdict.confidence or 0.0
        rank = top + 0.5 * bool(verdict.evidence or verdict.cases) if verdict.label else -top
        kept = self._kept.setdefault((verdict.value, verdict.label or verdict.status), [])
        heapq.heappush(kept, (rank, verdict.id, next(self._place), model, verdict, response))
        if len(kept) > PER_LABEL:
            heapq.heappop(kept)

    def cards(self, value: str, name: str, *, models: bool) -> tuple[Card, ...]:
        """Cards of one value: adhere, oppose, unrelated, then abstained; surest first."""
        cards = []
        for label in ("adhere", "oppose", "unrelated", "abstained"):
            kept = sorted(self._kept.get((value, label), []), key=lambda k: (-k[0], k[1]))
            for *_, model, verdict, response in kept[: 1 if label == "unrelated" else None]:
                cards.append(card(verdict, response, model, name, models=models))
        return tuple(cards)


def card(verdict: Verdict, response: Response | None, model: str, name: str, *, models: bool) -> Card:
    """A verdict with what explains it; without the response only the quotes can be shown."""
    notes = [model if models else "", _sureness(verdict) if verdict.label else "", verdict.reason, *map(flag_in_words, verdict.flags)]
    if verdict.novelty is not None and verdict.novelty > 0.6:
        notes.append("unlike what was labelled")
    if response and is_blank(response.response):
        notes.append("the response is empty")
    pieces, cut = marked(response.response, verdict.evidence) if response else (_quotes(verdict.evidence), 0)
    return Card(
        title=verdict.id,
        label=verdict.label or verdict.status,
        note=" · ".join(filter(None, notes)),
        said=_sentence(verdict, model if models else "", name),
        link=address(verdict, model),
        scenario=_cut(response.scenario, 400) if response else "",
        body=tuple(Piece(re.sub("\n{3,}", "\n\n", piece.text), piece.marked) for piece in pieces),
        cut=cut,
        concepts=tuple(Neighbour(c.text, "", _mapped(c.pool, c.labels)) for c in verdict.concepts),
        cases=tuple(Neighbour(_case(c.scenario, c.response), c.label, f"similarity {c.similarity:.2f}") for c in verdict.cases[:3]),
    )


_SAYS: Mapping[Label, str] = {"adhere": "adheres to", "oppose": "opposes", "unrelated": "has nothing to do with"}


def _sentence(verdict: Verdict, model: str, name: str) -> str:
    """The verdict as one says it: who, which side, which value, how surely, and what was found."""
    who = f"{_cut(model, 40)}'s response" if model else "The response"
    if verdict.label is None:
        return f"No verdict on {name}: the evaluator was not sure enough; a person should look."
    sure = f", {_sureness(verdict)}" if verdict.probabilities else ""
    found = "; ".join(_cut(concept.text, 120) for concept in verdict.concepts)
    return f"{who} {_SAYS[verdict.label]} {name}{sure}" + (f": {found}." if found else ".")


def _sureness(verdict: Verdict) -> str:
    if not verdict.probabilities:
        return ""
    top = max(verdict.probabilities.values())
    return f"{100 * top:.0f} % sure" if top < 0.995 else "over 99 % sure"


def _mapped(pool: str | None, labels: Mapping[Label, int]) -> str:
    if pool is None:
        return "no labelled concept is near"
    counts = ", ".join(f"{n} {label}" for label, n in labels.items())
    return f"near “{_cut(pool, 120)}”" + (f" (people said: {counts})" if counts else "")


def _case(scenario: str, response: str) -> str:
    return _cut(f"{_cut(scenario, 90)} → {response}" if scenario else response, 260)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rstrip() + " …"


def _quotes(evidence: Sequence[Evidence]) -> tuple[Piece, ...]:
    pieces = [piece for quote in evidence for piece in (Piece(" … "), Piece(_cut(quote.text, SHOWN), marked=True))]
    return tuple(pieces[1:])


def marked(text: str, evidence: Sequence[Evidence], most: int = SHOWN) -> tuple[tuple[Piece, ...], int]:
    """A text as pieces with the evidence marked, cut to `most` characters around it, and how many are left out.

    Offsets that do not hold the quote (a response edited since) are looked up by the quote; a quote that is not there is not marked.
    """
    spans = []
    for quote in evidence:
        start = quote.start if text[quote.start : quote.end] == quote.text else text.find(quote.text)
        if start >= 0 and quote.text:
            spans.append((start, start + len(quote.text)))
    before = most // 4
    begin = max(0, min(spans)[0] - before) if spans and min(spans)[0] > most - before else 0
    end = min(len(text), begin + most)
    pieces, at = [Piece("… ")] if begin else [], begin
    for start, stop in sorted(spans):
        start, stop = max(start, at), min(stop, end)
        if start < stop:
            pieces += [Piece(text[at:start])] if at < start else []
            pieces.append(Piece(text[start:stop], marked=True))
            at = stop
    pieces += [Piece(text[at:end])] if at < end else []
    return tuple(pieces), len(text) - (end - begin)
