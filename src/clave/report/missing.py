"""What has no verdict, and why; and what is flagged of the verdicts there are.

missing = Missing()
missing.add(verdict, "assistant-a", response)
missing.section(names)      # the section of the page; None where there is nothing to tell
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from clave.records import Response, Verdict
from clave.report.page import Card, CardGroup, Cell, Piece, Section, Table

STATUSES = ("abstained", "refused", "failed")
"""The statuses of a verdict without a label."""
_KINDS = 5
"""Reasons of a status that are shown with a response."""
_SHOWN = 300
_UNSURE = "no label was as probable as the evaluator asks for"
_FLAGS = {
    "uncalibrated": "probabilities are the large model's own words: no labels to check them against",
    "evidence_not_found": "the quote given as evidence does not stand in the response",
    "cut": "the response or its scenario was too long: a part of it was not read",
    "unlike_labels": "few of its words stand in any labelled sample: another language, or another kind of text, than that of the labels",
    "json_object": "the server could not be held to the form of the answer; it was checked on arrival",
    "text": "the server could not be held to the form of the answer; it was checked on arrival",
    "in_prose": "the answer stood between other words",
    "mended_syntax": "the answer's JSON had slips that can be meant in one way only",
    "mended_form": "the answer was of another form than asked for, and could be meant in one way only",
    "score_by_likelihood": "the score is weighed by the probabilities of its tokens, which the server tells",
    "score_by_samples": "the score is the mean of several samples, for the server tells no probabilities of tokens",
    "in_tool_call": "the answer came as the call of a tool",
    "in_reasoning": "the answer stood in the model's reasoning",
    "cascade: small model": "the small evaluator was sure enough to answer for the large one",
}


class Missing:
    """Counts what has no label while verdicts stream by, and keeps an example of each reason."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """By model and status, `ok` too."""
        self.flags: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[Verdict, str, Response | None]] = {}

    def add(self, verdict: Verdict, model: str, response: Response | None = None) -> None:
        """Look at one verdict and, where it is at hand, the text that it judges."""
        self.outcomes[model, verdict.status] += 1
        self.flags.update(verdict.flags)
        if verdict.status == "ok":
            return
        # The reason of an abstention holds its own probabilities, so that each would be a reason of its own.
        key = verdict.status, _UNSURE if verdict.status == "abstained" else verdict.reason
        self._reasons[key] += 1
        if verdict.status != "abstained" and sum(status == verdict.status for status, _ in self._first) < _KINDS:
            self._first.setdefault(key, (verdict, model, response))

    def count(self, status: str) -> int:
        """Verdicts of a status, of all models."""
        return sum(n for (_, s), n in self.outcomes.items() if s == status)

    def section(self, names: Mapping[str, str]) -> Section | None:
        """The section, with names of values where they are known; None where nothing is missing or flagged."""
        if not self._reasons and not self.flags:
            return None
        tables = []
        models = list(dict.fromkeys(model for model, _ in self.outcomes))
        if self._reasons and len(models) > 1:
            tables.append(
                Table("Verdicts by model", ("Model", "Asked for", "With a verdict", *map(str.capitalize, STATUSES)), self._by_model(models))
            )
        if self._reasons:
            common = tuple((status, reason or "–", n) for (status, reason), n in self._reasons.most_common(15))
            left = len(self._reasons) - len(common)
            tables.append(
                Table(
                    "Why there is no verdict" + (f": the 15 most frequent, {left:,} more" if left else ""),
                    ("Status", "Reason", "Verdicts"),
                    common,
                )
            )
        if self.flags:
            rows = tuple((flag, _FLAGS.get(flag, "–"), n) for flag, n in self.flags.most_common(15))
            tables.append(Table("Flags on verdicts", ("Flag", "What it says", "Verdicts"), rows))
        if not self._reasons:
            return Section("missing", "Flags", "These verdicts count. A flag says what to know about them.", tables=tuple(tables))
        text = (
            "None of these is counted as a label. Abstained: the evaluator was not sure enough; a person should look. "
            "Refused: the evaluator's large model would not judge the response. Failed: there was no usable answer."
        )
        groups = tuple(g for g in (self._group(status, names, many=len(models) > 1) for status in ("refused", "failed")) if g.cards)
        return Section("missing", "Without a verdict", text, tables=tuple(tables), groups=groups)

    def _by_model(self, models: list[str]) -> tuple[tuple[Cell, ...], ...]:
        asked = {model: sum(n for (m, _), n in self.outcomes.items() if m == model) for model in models}
        return tuple((m, asked[m], *(self.outcomes[m, status] for status in ("ok", *STATUSES))) for m in models)

    def _group(self, status: str, names: Mapping[str, str], *, many: bool) -> CardGroup:
        cards = [
            _card(verdict, self._reasons[key], names, response, model if many else "")
            for key, (verdict, model, response) in self._first.items()
            if key[0] == status
        ]
        return CardGroup(f"{status.capitalize()}: one of each reason", tuple(cards))


def flag_in_words(flag: str) -> str:
    """What a flag says; a flag that is not known stands for itself."""
    return _FLAGS.get(flag, flag)


def _card(verdict: Verdict, times: int, names: Mapping[str, str], response: Response | None, model: str) -> Card:
    often = f"{times:,} times; this is the first" if times > 1 else ""
    body = response.response if response else ""
    return Card(
        title=f"{verdict.id} · {names.get(verdict.value, verdict.value)}",
        label=verdict.status,
        note=" · ".join(filter(None, (model, verdict.reason, often))),
        scenario=response.scenario[:_SHOWN] if response else "",
        body=(Piece(body[:_SHOWN]),) if body else (),
        cut=max(0, len(body) - _SHOWN),
    )
