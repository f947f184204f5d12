"""Verdicts at another balance of labels than the calibration's: probabilities, labels and abstention, put right by Bayes' rule.

    found = shifted_file("plain.jsonl", "verdicts.jsonl", fitted, prevalence="auto")
    found["care"].prevalence            # (0.12, 0.03, 0.85), where a third each was calibrated on

Calibrated probabilities hold at the balance of the calibration labels, which people choose. Where responses bear on a value more seldom,
a verdict stated at .74 is right less often. Given the labels' true shares, or those that make the run's probabilities likeliest (Saerens,
Latinne and Decaestecker 2002), each probability is weighed by new over old share of its label. It holds where responses of one label
look as the calibration's do, as `clave.profile.support` tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from clave.errors import InputError
from clave.fitting.fitted import Fitted
from clave.io.verdicts import read_verdicts, write_jsonl
from clave.records import LABELS, Record, Verdict
from clave.scoring.statistics import Array

Shares = tuple[float, float, float]
Prevalence = Literal["auto"] | Mapping[str, Shares]
SUFFIX = "@prevalence"
"""Ends the name of the evaluator on shifted verdicts: error rates of the plain ones say nothing of them."""
_ROUNDS = 1000


class Shift(Record):
    """Of one value."""

    calibration: Shares
    """Shares of adhere, oppose and unrelated among the calibration labels."""
    prevalence: Shares
    """In the run, given or estimated."""


def prevalence_of(text: str, values: Sequence[str]) -> Prevalence:
    """`auto`, `0.1/0.05/0.85` for all values, or `care=0.1/0.05/0.85,fairness=…`: shares of adhere, oppose and unrelated.

    Raises:
        InputError: It is written otherwise, or the shares do not sum to one.
    """
    if text == "auto":
        return "auto"
    found: dict[str, Shares] = {}
    for part in text.split(","):
        value, equals, shares = part.strip().rpartition("=")
        if equals and value not in values:
            raise InputError(f"`prevalence`: the evaluator does not know value {value!r}, only {', '.join(values)}")
        for one in [value] if equals else values:
            found[one] = _shares(shares)
    return found


def _shares(text: str) -> Shares:
    try:
        adhere, oppose, unrelated = map(float, text.split("/"))
    except ValueError:
        raise InputError(f"`prevalence` {text!r}: write auto, or the shares of adhere/oppose/unrelated, e.g. 0.1/0.05/0.85") from None
    if min(adhere, oppose, unrelated) < 0 or abs(adhere + oppose + unrelated - 1) > 0.005:
        raise InputError(f"`prevalence` {text!r}: the three shares must be 0 or more, and sum to 1")
    return adhere, oppose, unrelated


def balance_of(fitted: Fitted) -> dict[str, Array]:
    """Shares of the calibration labels of each value, half a label added to each, (3,)."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sample in fitted.samples:
        counts[sample.labelled.value][sample.labelled.label] += 1
    return {value: np.array([own[label] + 0.5 for label in LABELS]) / (own.total() + 1.5) for value, own in counts.items()}


def estimated(probabilities: Array, balance: Array) -> Array:
    """The shares of labels that make probabilities calibrated at a balance likeliest, shape (3,), by expectation maximisation.

    Args:
        probabilities: Of the run, shape (n, 3).
        balance: Shares that they were calibrated at, shape (3,).
    """
    shares = balance
    for _ in range(_ROUNDS):
        new = at_prevalence(probabilities, balance, shares).mean(axis=0)
        if np.abs(new - shares).max() < 1e-7:
            return np.asarray(new)
        shares = new
    return np.asarray(shares)


def at_prevalence(probabilities: Array, balance: Array, shares: Array) -> Array:
    """Probabilities calibrated at one balance of labels, at another, shape (n, 3)."""
    weighed = probabilities * shares / balance
    total = weighed.sum(axis=-1, keepdims=True)
    return np.where(total > 0, weighed / np.maximum(total, 1e-300), probabilities)


def shifted_file(
    source: Path, target: Path, fitted: Fitted, prevalence: Prevalence, *, min_confidence: float = 0.0, coverage: float = 1.0
) -> dict[str, Shift]:
    """Write verdicts at another prevalence.

    Args:
        source: Plain verdicts of the evaluator, without abstention.
        target: Where to write, whole or not at all.
        fitted: The evaluator.
        prevalence: Of each value, or `auto` to estimate it from the run.
        min_confidence: Below this probability a verdict is abstained.
        coverage: Abstain on the least certain 1 - coverage of each value's verdicts.

    Returns:
        By value, what was calibrated on and what there is.
    """
    balance, found = balance_of(fitted), dict[str, Shift]()
    by_value: defaultdict[str, list[list[float]]] = defaultdict(list)
    for verdict in read_verdicts(source):
        if verdict.probabilities is not None:
            by_value[verdict.value].append([verdict.probabilities[label] for label in LABELS])
    floors: dict[str, float] = {}
    for value, rows in sorted(by_value.items()):
        p = np.array(rows)
        given = None if prevalence == "auto" else prevalence.get(value, tuple(balance[value].tolist()))
        shares = estimated(p, balance[value]) if given is None else np.array(given)
        found[value] = Shift(calibration=_rounded(balance[value]), prevalence=_rounded(shares))
        top = np.sort(at_prevalence(p, balance[value], np.array(found[value].prevalence)).max(axis=1))
        least = top[min(len(top) - 1, round((1 - coverage) * len(top)))] if coverage < 1 else 0.0
        floors[value] = max(min_confidence, float(least))
    write_jsonl(target, (_shifted(v, balance, found, floors, fitted.name) for v in read_verdicts(source)))
    return found


def _rounded(shares: Array) -> Shares:
    adhere, oppose, unrelated = (round(float(s), 4) for s in shares)
    return adhere, oppose, unrelated


def _shifted(verdict: Verdict, balance: Mapping[str, Array], found: Mapping[str, Shift], floors: Mapping[str, float], name: str) -> Verdict:
    if verdict.probabilities is None:
        return verdict.model_copy(update={"evaluator": name + SUFFIX})
    p = np.array([[verdict.probabilities[label] for label in LABELS]])
    new = at_prevalence(p, balance[verdict.value], np.array(found[verdict.value].prevalence))[0]
    label, sure = LABELS[int(new.argmax())], float(new.max())
    floor = floors[verdict.value]
    update: dict[str, object] = {
        "evaluator": name + SUFFIX,
        "probabilities": {known: round(float(x), 6) for known, x in zip(LABELS, new, strict=True)},
        "label": label if sure >= floor else None,
        "status": "ok" if sure >= floor else "abstained",
    }
    if sure < floor:
        update["reason"] = f"{label} at {sure:.2f}, below {floor:.2f}: {verdict.reason}"
    elif label != verdict.label:
        update["reason"] = f"at this prevalence rather {label} than {verdict.label}: {verdict.reason}"
    return verdict.model_copy(update=update)
