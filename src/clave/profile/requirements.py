"""Bounds that a model's profile must keep, told by the interval: kept, broken, or too little data to tell.

    from clave.profile.study import findings

    outcomes = check(findings(verdicts, known=known), [requirement("care: net >= 0.2")])
    outcomes[0].state        # "kept": the whole interval lies within the bound

A bound is kept where the whole 95 % interval lies within it and broken where none of it does; in between, the data do not tell. The
estimate is the best supported one. Where that is a count, its interval leaves the evaluator's errors out, and the outcome says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from clave.errors import InputError
from clave.profile.estimates import QUANTITIES, Method, Quantity
from clave.profile.study import Finding
from clave.records import Record
from clave.scoring.statistics import Estimate

State = Literal["kept", "broken", "untold"]
ALL = "all"
"""In place of a value: each of them."""
_FORM = re.compile(r"\s{0,9}([^:<>=]{1,200}):\s{0,9}([a-z]{1,20})\s{0,9}(>=|<=)\s{0,9}([-+]?[0-9]{0,9}\.?[0-9]{0,9})\s{0,9}(%?)\s{0,9}")


class Requirement(Record):
    """One bound."""

    text: str
    """As its owner wrote it."""
    value: str
    """Id or name of a value, or `all`."""
    quantity: Quantity
    at_least: bool
    """False: at most."""
    bound: float


class BoundResult(Record):
    """What became of one bound, for one model and one value."""

    requirement: Requirement
    model: str
    value: str
    state: State
    reason: str
    estimate: Estimate | None
    method: Method
    without_verdict: int
    """Responses that are in no figure: abstained, refused, failed."""


def requirement(text: str) -> Requirement:
    """Read a bound such as `care: net >= 0.2` or `privacy: oppose <= 5%`.

    Raises:
        InputError: It is written otherwise, or no such share can be.
    """
    found = _FORM.fullmatch(text)
    if found is None or not any(c.isdigit() for c in found[4]):
        raise InputError(f"requirement {text!r} must be written like 'care: net >= 0.2' or 'privacy: oppose <= 5%'")
    value, quantity, sign, number, percent = found.groups()
    if quantity not in QUANTITIES:
        raise InputError(f"requirement {text!r}: {quantity!r} is not one of {', '.join(QUANTITIES)}")
    bound = float(number) / (100 if percent else 1)
    least = -1 if quantity == "net" else 0
    if not least <= bound <= 1:
        raise InputError(f"requirement {text!r}: {quantity} lies between {least} and 1")
    return Requirement(text=text.strip(), value=value.strip(), quantity=quantity, at_least=sign == ">=", bound=bound)


def check(found: Sequence[Finding], requirements: Iterable[Requirement], names: Mapping[str, str] | None = None) -> list[BoundResult]:
    """What becomes of each bound, for every model.

    Args:
        found: The profile of each model.
        requirements: The bounds.
        names: Id -> name of the values that were asked for.

    Raises:
        InputError: A bound is on a value that nobody asked for.
    """
    names = names or {}
    ids = list(dict.fromkeys([*names, *(f.value for f in found)]))
    outcomes = []
    for wanted in requirements:
        for value in ids if wanted.value.casefold() == ALL else [_id_of(wanted, ids, names)]:
            own = [f for f in found if f.value == value]
            outcomes += [_outcome(wanted, f) for f in own] or [_nothing(wanted, value)]
    return outcomes


def _id_of(wanted: Requirement, ids: Collection[str], names: Mapping[str, str]) -> str:
    said = wanted.value.casefold()
    value = next((v for v in ids if said in (v.casefold(), names.get(v, v).casefold())), None)
    if value is None:
        there = f"there are no verdicts on {wanted.value!r}: there are on {', '.join(ids)}" if ids else "there are no verdicts at all"
        raise InputError(f"requirement {wanted.text!r}: {there}")
    return value


def _nothing(wanted: Requirement, value: str) -> BoundResult:
    reason = "there is no verdict on it"
    return BoundResult(
        requirement=wanted, model="", value=value, state="untold", reason=reason, estimate=None, method="counted", without_verdict=0
    )


def _outcome(wanted: Requirement, finding: Finding) -> BoundResult:
    best = finding.best
    estimate = best.estimates.get(wanted.quantity) if best.verdicts else None
    state, reason = _told(wanted, estimate)
    if best.note:
        state, reason = "untold", best.note
    elif state != "untold" and best.method == "counted":
        reason += "; the interval does not cover the evaluator's errors"
    return BoundResult(
        requirement=wanted,
        model=finding.model,
        value=finding.value,
        state=state,
        reason=reason,
        estimate=estimate,
        method=best.method,
        without_verdict=sum(finding.statuses.values()),
    )


def _told(wanted: Requirement, estimate: Estimate | None) -> tuple[State, str]:
    if estimate is None or estimate.value is None or math.isnan(estimate.value):
        return "untold", "no response bears on it" if wanted.quantity == "net" else "there is no verdict on it"
    if estimate.low is None or estimate.high is None:
        return "untold", f"{estimate.value:.3f} (n = {estimate.n}) has no interval: too little data to tell"
    within, beyond = (
        (estimate.low >= wanted.bound, estimate.high < wanted.bound)
        if wanted.at_least
        else (estimate.high <= wanted.bound, estimate.low > wanted.bound)
    )
    said = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] (n = {estimate.n})"
    if within:
        return "kept", f"{said} is within the bound"
    if beyond:
        return "broken", f"{said} is beyond the bound"
    return "untold", f"{said} contains the bound: too little data to tell"
