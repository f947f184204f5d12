"""A small evaluator that answers where it is sure enough, and a large one for the rest.

    cascade = Cascade(Clave.load("small"), Clave.load("large"), risk=0.1)
    for verdict in cascade.evaluate(responses): ...
    print(cascade.summary())     # how many calls were saved, and what is guaranteed

Each value has a threshold of its own, chosen on the human labels of the value that the small evaluator was fitted on, by its out-of-fold
probabilities: the lowest one at which, with the stated confidence, of the verdicts that the small evaluator gives on this value at most a
share `risk` is wrong (`clave.scoring.selective`). One threshold for all would keep the risk on average over the values, and break it on
some. The guarantee holds for responses that are like the labelled ones, and for nothing else: docs/design/cascade.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.evaluating.stream import Stream, SyncStream
from clave.evaluator import Clave
from clave.fitting.fitted import Fitted
from clave.fitting.prevalence import balance_of, estimated, prevalence_text, reweighed, rounded
from clave.io.manifest import Shares
from clave.llm.ledger import Ledger
from clave.records import LABELS, Response, Verdict
from clave.scoring.selective import CONFIDENCE, Threshold, choose_threshold
from clave.scoring.statistics import Array
from clave.settings import Settings
from clave.values import Value, ValueSystem

_WORKERS = 64
SMALL = "cascade: small model"
"""Flag of a verdict that the small evaluator gave."""


class Cascade:
    """See the module. Has what `clave.files.evaluating.evaluate_file` needs of an evaluator.

    Args:
        small: Fitted, and without a large model.
        large: Answers where the small one may not.
        risk: Share of the small one's verdicts on a value that may be wrong.
        confidence: Probability with which that must hold.
        prevalence: Shares of adhere, oppose and unrelated among the responses, by value: the threshold is chosen for these, and the small
            one's probabilities are compared with it as they are there. Verdicts keep the probabilities of the calibration's balance.

    Raises:
        InputError: The small one is not fitted or makes calls, or the two are for different value systems, or risk or
            confidence is not between 0 and 1.
    """

    def __init__(
        self,
        small: Clave,
        large: Clave,
        *,
        risk: float = 0.1,
        confidence: float = CONFIDENCE,
        prevalence: Mapping[str, Shares] | None = None,
    ) -> None:
        fitted = small.fitted
        if fitted is None or small.settings.calls:
            raise InputError("the small evaluator of a cascade must be calibrated, and without a large model")
        if small.system.hash != large.system.hash:
            raise InputError(
                f"the evaluators of a cascade must share a value system: {small.system.id} and {large.system.id} are not the same"
            )
        self.large = large
        self._small, self._large = small.judging, large.judging
        self.risk, self.confidence = risk, confidence
        balance = balance_of(fitted)
        self._weights = {value: np.array(shares) / balance[value] for value, shares in (prevalence or {}).items() if value in balance}
        self.guarantees_ = _guarantees(fitted, risk, confidence, self._weights)
        """By value, what is promised of the small one's verdicts on it, and what that rests on."""
        self.counts_ = Counter[str]()
        """Verdicts of the last evaluation by who gave them: small, large."""
        self.name = f"cascade-{small.name}-{large.name}-{risk:g}" + (f"-at-{_digest(prevalence)}" if prevalence else "")

    @property
    def system(self) -> ValueSystem:
        """The value system of both."""
        return self.large.system

    @property
    def settings(self) -> Settings:
        """Of the large one."""
        return self.large.settings

    @property
    def ledger(self) -> Ledger:
        """What the large one spent."""
        return self.large.ledger

    @property
    def values(self) -> tuple[str, ...]:
        """The values it evaluates when none is named."""
        return self.large.values

    def balances(self, flags: Sequence[str] = ()) -> Mapping[str, Array]:
        """See `Judging.balances`: of the one that gave the verdict."""
        return (self._small if SMALL in flags else self._large).balances()

    def values_of(self, response: Response) -> tuple[Value, ...]:
        """See `Judging.values_of`."""
        return self._large.values_of(response)

    def evaluate(
        self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> SyncStream[Verdict]:
        """See `Clave.evaluate`."""
        verdicts = self.aevaluate(responses, min_confidence=min_confidence, coverage=coverage, abstain_novel=abstain_novel)
        return SyncStream(verdicts, self._large.leave)

    def aevaluate(
        self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> Stream[Verdict]:
        """`evaluate`, async."""
        units = ((response, self.values_of(response)) for response in responses)
        return self.verdicts(units, min_confidence=min_confidence, coverage=coverage, abstain_novel=abstain_novel)

    def verdicts(
        self, units: Iterable[Unit], *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> Stream[Verdict]:
        """See `Judging.verdicts`; `coverage` bears on the large evaluator's verdicts."""
        floor = self._large.floor(min_confidence, coverage)
        self.counts_.clear()
        return Stream(units, partial(self._judge, min_confidence=min_confidence, floor=floor, abstain_novel=abstain_novel), _WORKERS)

    async def _judge(self, unit: Unit, min_confidence: float, floor: float, abstain_novel: bool) -> list[Verdict]:
        response, values = unit
        out, rest = list[Verdict](), list[Value]()
        for value in values:
            promised = self.guarantees_.get(value.id)
            threshold = promised.threshold if promised is not None else None
            one = (response, (value,))
            found = None if threshold is None else (await self._small.judge(one, min_confidence, abstain_novel=abstain_novel))[0]
            if found is None or found.label is None or self._sureness(found) < (threshold or 1):
                rest.append(value)  # also where it abstains: it is not sure enough for who asks
            else:
                out.append(found.model_copy(update={"evaluator": self.name, "flags": (*found.flags, SMALL)}))
        self.counts_["small"] += len(out)
        for part in self._large.split([(response, tuple(rest))] if rest else []):
            answers = await self._large.judge(part, floor, abstain_novel=abstain_novel)
            self.counts_["large"] += len(answers)
            out += [verdict.model_copy(update={"evaluator": self.name}) for verdict in answers]
        return out

    def _sureness(self, verdict: Verdict) -> float:
        """The highest probability, at the prevalence of the responses; 0 without a verdict."""
        if verdict.probabilities is None or verdict.label is None:
            return 0.0
        p = np.array([verdict.probabilities[label] for label in LABELS])
        there = reweighed(p, self._weights.get(verdict.value, np.ones(len(LABELS))))
        return float(there.max())

    def summary(self) -> str:
        """Calls saved, and the guarantee, in a few sentences."""
        small, total = self.counts_["small"], sum(self.counts_.values())
        sure, risk = f"{self.confidence:.0%}", f"{self.risk:.0%}"
        kept = {value: g for value, g in self.guarantees_.items() if g.threshold is not None}
        if not kept:
            labels = sum(g.rows for g in self.guarantees_.values())
            return (
                f"The small model gave none of {total:,} verdicts: on {labels} labels no threshold keeps its errors on any value at {risk} "
                f"with {sure} confidence. Label more, or allow a higher risk."
            )
        share = small / total if total else 0.0
        tested = "; ".join(
            f"{value} from probability {g.threshold:.2f} on, wrong in {g.wrong} of {g.answered}" for value, g in kept.items()
        )
        return (
            f"The small model gave {small:,} of {total:,} verdicts ({share:.0%} of the calls saved), on {len(kept)} of "
            f"{len(self.guarantees_)} values. With {sure} confidence at most {risk} of those on a value are wrong, on responses like the "
            f"labelled ones. On labels that it had not seen: {tested}."
        )


def prevalence_in(small: Clave, responses: Iterable[Response]) -> dict[str, Shares]:
    """The shares of labels by value that make a small evaluator's probabilities of these responses likeliest."""
    fitted, found = small.fitted, defaultdict[str, list[list[float]]](list)
    for verdict in small.evaluate(responses):
        if verdict.probabilities is not None:
            found[verdict.value].append([verdict.probabilities[label] for label in LABELS])
    balance = balance_of(fitted) if fitted is not None else {}
    return {value: rounded(estimated(np.array(rows), balance[value])) for value, rows in found.items() if value in balance}


def _guarantees(fitted: Fitted, risk: float, confidence: float, weights: Mapping[str, Array]) -> dict[str, Threshold]:
    y = np.array([LABELS.index(s.labelled.label) for s in fitted.samples])
    calibrated = fitted.learnt.calibration.apply(fitted.learnt.out_of_fold())
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for i, sample in enumerate(fitted.samples):
        rows[sample.labelled.value].append(i)
    found = {}
    for value, own in rows.items():
        more = weights.get(value, np.ones(len(LABELS)))
        there, labels = reweighed(calibrated[own], more), y[own]
        groups = [fitted.samples[i].labelled.group for i in own]
        wrong = there.argmax(axis=1) != labels
        found[value] = choose_threshold(there.max(axis=1), wrong, groups, risk=risk, confidence=confidence, weights=more[labels])
    return found


def _digest(prevalence: Mapping[str, Shares]) -> str:
    return hashlib.sha256(prevalence_text(prevalence).encode()).hexdigest()[:8]
