"""A small evaluator that answers where it is sure enough, and a large one for the rest.

    cascade = Cascade(Clave.load("small"), Clave.load("large"), risk=0.1)
    for verdict in cascade.evaluate(responses): ...
    print(cascade.summary())     # how many calls were saved, and what is guaranteed

The threshold is chosen on the human labels that the small evaluator was fitted on, by its out-of-fold probabilities: the lowest one at
which, with the stated confidence, of the verdicts that the small evaluator gives at most a share `risk` is wrong. It is found by testing
thresholds one after the other from the strictest down until one fails (Learn then Test with fixed-sequence testing, Angelopoulos et al.
2021, https://arxiv.org/abs/2110.01052), with exact binomial tests on one verdict of each scenario, since those of one scenario are no
independent trials. The guarantee holds for responses that are like the labelled ones, and for nothing else: docs/design/cascade.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.evaluating.stream import Stream, SyncStream
from clave.evaluator import Clave
from clave.llm.ledger import Ledger
from clave.records import LABELS, Record, Response, Verdict
from clave.settings import Settings
from clave.values import Value, ValueSystem

_GRID = tuple(round(0.99 - 0.01 * k, 2) for k in range(66))
"""Thresholds from the strictest to the laxest: fixed beforehand, as the test of a sequence demands."""
_WORKERS = 64
SMALL = "cascade: small model"
"""Flag of a verdict that the small evaluator gave."""


class Guarantee(Record):
    """What was promised, and what it rests on."""

    risk: float
    """Most of the small evaluator's own verdicts that may be wrong."""
    confidence: float
    """Probability, over the draw of labelled samples, with which that holds."""
    threshold: float | None
    """Calibrated probability from which on the small evaluator answers; None: nowhere can it be promised."""
    scenarios: int
    """Scenarios among the labelled samples on which the threshold was tested."""
    answered: int = 0
    """Those of them in which the small evaluator would have answered."""
    wrong: int = 0
    """And in which it would have been wrong."""


def choose_threshold(
    probabilities: NDArray[np.float64],
    y: NDArray[np.int64],
    groups: Sequence[str],
    *,
    risk: float,
    confidence: float = 0.9,
    seed: int = 0,
) -> Guarantee:
    """Find the lowest threshold at which the error rate above it is at most `risk`.

    Args:
        probabilities: Calibrated and out-of-fold, shape (n, 3).
        y: Index of each row's label, shape (n,).
        groups: Scenario of each row.
        risk: Share of answered verdicts that may be wrong, above 0 and below 1.
        confidence: Probability with which that must hold.
        seed: Of the draw of one verdict in each scenario.

    Raises:
        InputError: Risk or confidence is out of range.
    """
    from scipy.stats import binom

    if not 0 < risk < 1 or not 0 < confidence < 1:
        raise InputError("risk and confidence must lie between 0 and 1")
    order = np.random.default_rng(seed).permutation(len(y))
    top, wrong = probabilities.max(axis=1)[order], (probabilities.argmax(axis=1) != y)[order]
    group = np.unique(list(groups), return_inverse=True)[1][order]
    scenarios = len(set(groups))
    best = Guarantee(risk=risk, confidence=confidence, threshold=None, scenarios=scenarios)
    for threshold in _GRID:
        answered = np.flatnonzero(top >= threshold)
        one_each = answered[np.unique(group[answered], return_index=True)[1]]
        n, errors = len(one_each), int(wrong[one_each].sum())
        if binom.cdf(np.ceil(n * risk / 2), n, risk) > 1 - confidence:
            continue  # so few would not pass with half the errors allowed: the sequence of tests must not end on them
        if binom.cdf(errors, n, risk) > 1 - confidence:
            break
        best = best.model_copy(update={"threshold": threshold, "answered": n, "wrong": errors})
    return best


class Cascade:
    """See the module. Has what `clave.files.evaluating.evaluate_file` needs of an evaluator.

    Args:
        small: Fitted, and without a large model.
        large: Answers where the small one may not.
        risk: Share of the small one's verdicts that may be wrong.
        confidence: Probability with which that must hold.

    Raises:
        InputError: The small one is not fitted or makes calls, or the two are for different value systems.
    """

    def __init__(self, small: Clave, large: Clave, *, risk: float = 0.1, confidence: float = 0.9) -> None:
        fitted = small.fitted
        if fitted is None or small.settings.calls:
            raise InputError("the small evaluator of a cascade must be calibrated, and without a large model (--model none)")
        if small.system.hash != large.system.hash:
            raise InputError(
                f"the evaluators of a cascade must share a value system: {small.system.id} and {large.system.id} are not the same"
            )
        self.large = large
        self._small, self._large = small.judging, large.judging
        y = np.array([LABELS.index(s.labelled.label) for s in fitted.samples])
        groups = [s.labelled.group for s in fitted.samples]
        calibrated = fitted.learnt.calibration.apply(fitted.learnt.out_of_fold())
        self.guarantee_ = choose_threshold(calibrated, y, groups, risk=risk, confidence=confidence, seed=small.settings.seed)
        self.counts_ = Counter[str]()
        """Verdicts of the last evaluation by who gave them: small, large."""
        self.name = f"cascade-{small.name}-{large.name}-{risk:g}"

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

    def values_of(self, response: Response) -> tuple[Value, ...]:
        """See `Judging.values_of`."""
        return self._large.values_of(response)

    def evaluate(self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0) -> SyncStream[Verdict]:
        """See `Clave.evaluate`."""
        verdicts = self.aevaluate(responses, min_confidence=min_confidence, coverage=coverage)
        return SyncStream(verdicts, self._large.leave)

    def aevaluate(self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0) -> Stream[Verdict]:
        """`evaluate`, async."""
        units = ((response, self.values_of(response)) for response in responses)
        return self.verdicts(units, min_confidence=min_confidence, coverage=coverage)

    def verdicts(self, units: Iterable[Unit], *, min_confidence: float = 0.0, coverage: float = 1.0) -> Stream[Verdict]:
        """See `Judging.verdicts`; `coverage` bears on the large evaluator's verdicts."""
        floor = self._large.floor(min_confidence, coverage)
        self.counts_.clear()
        return Stream(units, partial(self._judge, min_confidence=min_confidence, floor=floor), _WORKERS)

    async def _judge(self, unit: Unit, min_confidence: float, floor: float) -> list[Verdict]:
        response, values = unit
        threshold = self.guarantee_.threshold
        out, rest = list[Verdict](), list[Value]()
        for value in values:
            known = threshold is not None and value.id in self._small.values
            found = (await self._small.judge((response, (value,)), min_confidence))[0] if known else None
            if found is None or found.probabilities is None or found.label is None or max(found.probabilities.values()) < (threshold or 1):
                rest.append(value)  # also where it abstains: it is not sure enough for who asks
            else:
                out.append(found.model_copy(update={"evaluator": self.name, "flags": (*found.flags, SMALL)}))
        self.counts_["small"] += len(out)
        for part in self._large.split([(response, tuple(rest))] if rest else []):
            answers = await self._large.judge(part, floor)
            self.counts_["large"] += len(answers)
            out += [verdict.model_copy(update={"evaluator": self.name}) for verdict in answers]
        return out

    def summary(self) -> str:
        """Calls saved, and the guarantee, in two sentences."""
        g, small, total = self.guarantee_, self.counts_["small"], sum(self.counts_.values())
        sure, risk = f"{g.confidence:.0%}", f"{g.risk:.0%}"
        if g.threshold is None:
            return (
                f"The small model gave none of {total:,} verdicts: on {g.scenarios} labelled scenarios no threshold keeps its errors "
                f"at {risk} with {sure} confidence. Label more, or allow a higher risk."
            )
        share = small / total if total else 0.0
        return (
            f"The small model gave {small:,} of {total:,} verdicts ({share:.0%} of the calls saved). With {sure} confidence at most {risk} "
            f"of those are wrong, on responses like the labelled ones: from probability {g.threshold:.2f} on it was wrong in {g.wrong} of "
            f"{g.answered} labelled scenarios it had not seen."
        )
