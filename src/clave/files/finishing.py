"""What can be told of verdicts only once all are there: at another balance of labels, and which of them are the least certain.

    finish = Finish(coverage=0.8)
    finish.write(Path("verdicts.jsonl"), Path("surest.jsonl"), judging.balances)

Verdicts are written as they come into a file beside the output, which a later run goes on with; at the end the output is made of it whole.
A floor that was read off the labelled samples would not do: an evaluator that learnt from all labels is surer of new responses than one
that learnt from a part was of the rest, and abstained on .10 to .20 of them where a fifth was asked for (docs/design/statistics.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clave.evaluating.verdicts import UNLIKE, novel_abstained
from clave.fitting.prevalence import Prevalence, at_prevalence, estimated, prevalence_text, rounded
from clave.io.manifest import Shift
from clave.io.sources import PLAIN
from clave.io.verdicts import read_verdicts, write_jsonl
from clave.records import LABELS, Verdict
from clave.scoring.statistics import Array

SUFFIX = "@prevalence"
"""Ends the name of the evaluator on verdicts at another prevalence: error rates of the plain ones say nothing of them."""
Balances = Callable[[Sequence[str]], Mapping[str, Array]]
"""From a verdict's flags to the balance of labels, by value, that its probabilities are calibrated at."""


@dataclass(frozen=True)
class Finished:
    """What was written."""

    counts: Mapping[tuple[str, str], int]
    """(value, label or status) -> verdicts."""
    shifts: Mapping[str, Shift] = field(default_factory=dict)


@dataclass(frozen=True)
class Finish:
    """See the module.

    Args:
        min_confidence: Below this probability a verdict is abstained.
        coverage: Share of each value's verdicts that is kept, the most certain; the others are abstained.
        prevalence: Shares of labels of each value, or `auto` to estimate them from the run; None leaves the calibration's.
        abstain_novel: Abstain on responses unlike the labelled samples.
    """

    min_confidence: float = 0.0
    coverage: float = 1.0
    prevalence: Prevalence | None = None
    abstain_novel: bool = False

    def __bool__(self) -> bool:
        return self.coverage < 1 or self.prevalence is not None

    @property
    def options(self) -> dict[str, float | str]:
        """For the manifest."""
        shift = {} if self.prevalence is None else {"prevalence": prevalence_text(self.prevalence)}
        novel = {"abstain_novel": 1.0} if self.abstain_novel else {}
        return {"min_confidence": self.min_confidence, "coverage": self.coverage, **shift, **novel}

    def write(self, source: Path, target: Path, balances: Balances) -> Finished:
        """Make the output, whole or not at all.

        Args:
            source: Plain verdicts, without abstention.
            target: The output.
            balances: What their probabilities are calibrated at.
        """
        plain: defaultdict[str, list[list[float]]] = defaultdict(list)
        at: defaultdict[str, list[Array]] = defaultdict(list)
        for verdict in read_verdicts(source):
            if verdict.probabilities is not None:
                plain[verdict.value].append([verdict.probabilities[label] for label in LABELS])
                at[verdict.value].append(balances(verdict.flags)[verdict.value])
        shifts, floors = dict[str, Shift](), dict[str, float]()
        for value, rows in sorted(plain.items()):
            p, balance = np.array(rows), np.array(at[value])
            if self.prevalence is not None:
                shifts[value] = self._shift(value, p, balance)
                p = at_prevalence(p, balance, np.array(shifts[value].prevalence))
            floors[value] = max(self.min_confidence, _floor(p.max(axis=1), self.coverage))
        counts = Counter[tuple[str, str]]()

        def finished(verdict: Verdict) -> Verdict:
            if verdict.value in shifts:
                verdict = _shifted(verdict, balances(verdict.flags)[verdict.value], shifts[verdict.value])
            if self.abstain_novel and UNLIKE in verdict.flags:
                verdict = novel_abstained(verdict)
            verdict = _abstained(verdict, floors.get(verdict.value, 0.0))
            counts[verdict.value, verdict.label or verdict.status] += 1
            return verdict

        write_jsonl(target, map(finished, read_verdicts(source)))
        return Finished(counts, shifts)

    def _shift(self, value: str, probabilities: Array, balance: Array) -> Shift:
        own = balance.mean(axis=0)
        given = None if isinstance(self.prevalence, str) or self.prevalence is None else self.prevalence.get(value, tuple(own))
        shares = estimated(probabilities, balance) if given is None else np.array(given)
        return Shift(calibration=rounded(own), prevalence=rounded(shares))


def plain_path(output: Path) -> Path:
    """Where verdicts are written as they come."""
    return output.with_name(output.stem + PLAIN)


def _floor(sure: Array, coverage: float) -> float:
    """The probability that the most certain share reaches."""
    left_out = min(len(sure) - 1, round((1 - coverage) * len(sure)))
    return float(np.sort(sure)[left_out]) if left_out else 0.0


def _shifted(verdict: Verdict, balance: Array, shift: Shift) -> Verdict:
    update: dict[str, object] = {"evaluator": verdict.evaluator + SUFFIX}
    if verdict.probabilities is not None:
        p = np.array([[verdict.probabilities[label] for label in LABELS]])
        new = at_prevalence(p, balance, np.array(shift.prevalence))[0]
        label = LABELS[int(new.argmax())]
        update |= {"probabilities": {known: round(float(x), 6) for known, x in zip(LABELS, new, strict=True)}, "label": label}
        if label != verdict.label:
            update["reason"] = f"at this prevalence rather {label} than {verdict.label}: {verdict.reason}"
    return verdict.model_copy(update=update)


def _abstained(verdict: Verdict, floor: float) -> Verdict:
    if verdict.probabilities is None or verdict.label is None or (sure := verdict.probabilities[verdict.label]) >= floor - 1e-6:
        return verdict
    reason = f"its probability {sure:.2f} is below {floor:.2f}; without that: {verdict.reason}"
    return verdict.model_copy(update={"label": None, "status": "abstained", "reason": reason})
