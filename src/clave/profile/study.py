"""The profile of a run: for each model and value the best supported of the three estimates, and the count beside it.

    verdicts = Verdicts()
    verdicts.add(verdict, model="model-a", scenario="s1")
    found = findings(verdicts, known=known)
    found[0].best.method, found[0].best.net, found[0].counted.net

Rectified by an audit comes before corrected by the evaluator's error rates, and that before counted.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clave.profile.auditing import Audits
from clave.profile.corrected import corrected
from clave.profile.counted import counted
from clave.profile.estimates import Profile, Rows
from clave.profile.rates import Known, error_rates
from clave.profile.rectified import Audit, rectified
from clave.profile.support import unsupported
from clave.records import LABELS, Label, Verdict


@dataclass(frozen=True)
class Finding:
    """One model and one value."""

    best: Profile
    counted: Profile
    counts: Mapping[Label, int]
    """Verdicts by label."""
    statuses: Mapping[str, int]
    """Verdicts without a label by status: they are in no share."""

    @property
    def model(self) -> str:
        return self.counted.model

    @property
    def value(self) -> str:
        return self.counted.value

    @property
    def clear(self) -> bool:
        """Whether it is shown that one side outweighs the other: the estimate is supported, and its interval leaves out zero."""
        net = self.best.net
        return self.best.supported and net.low is not None and net.high is not None and (net.low > 0 or net.high < 0)


@dataclass
class _Cell:
    """Numbers of one model's verdicts on one value, as they stream by."""

    codes: array[int] = field(default_factory=lambda: array("b"))
    probabilities: array[float] = field(default_factory=lambda: array("d"))
    scenarios: array[int] = field(default_factory=lambda: array("q"))
    novelty: array[float] = field(default_factory=lambda: array("d"))
    ids: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


class Verdicts:
    """Collects verdicts as they stream by, some fifty bytes and the id for each.

    Args:
        models: The order of the models; those that are not named follow as they come.
    """

    def __init__(self, models: Sequence[str] = ()) -> None:
        self._place = {model: place for place, model in enumerate(models)}
        self.cells: dict[tuple[str, str], _Cell] = {}
        self._scenarios: dict[str, int] = {}

    def add(self, verdict: Verdict, model: str, scenario: str) -> None:
        """Take one verdict; one without a label is counted by its status."""
        cell = self.cells.setdefault((model, verdict.value), _Cell())
        if verdict.label is None:
            cell.statuses[verdict.status] += 1
            return
        code = LABELS.index(verdict.label)
        given: dict[Label, float] = verdict.probabilities or {verdict.label: 1.0}
        cell.codes.append(code)
        cell.probabilities.extend(given.get(label, 0.0) for label in LABELS)
        cell.scenarios.append(self._scenarios.setdefault(scenario, len(self._scenarios)))
        cell.novelty.append(float("nan") if verdict.novelty is None else verdict.novelty)
        cell.ids.append(verdict.id)

    def rows(self) -> list[Rows]:
        """Of each model and value; without a label among the verdicts there is no row."""
        last = len(self._place)
        return [
            Rows(
                model=model,
                value=value,
                codes=np.array(cell.codes, np.intp),
                probabilities=np.array(cell.probabilities, np.float64).reshape(-1, 3),
                scenarios=np.array(cell.scenarios, np.intp),
                ids=tuple(cell.ids),
                novelty=np.array(cell.novelty, np.float64),
            )
            for (model, value), cell in sorted(self.cells.items(), key=lambda entry: self._place.get(entry[0][0], last))
        ]

    def statuses(self, model: str, value: str) -> dict[str, int]:
        """Verdicts without a label, by status."""
        return dict(sorted(self.cells[model, value].statuses.items()))


def findings(verdicts: Verdicts, *, known: Known | None = None, audits: Audits | None = None, these: bool = False) -> list[Finding]:
    """Estimate the shares of every model and value.

    Args:
        verdicts: Of all models.
        known: The evaluator's calibration labels, with what it said of them out of fold.
        audits: Labels of random samples.
        these: Intervals for just these responses, in place of scenarios like these.
    """
    cells = verdicts.rows()
    told = [rows for rows in cells if rows.n]
    notes = unsupported(told, known) if known is not None else {}
    found = []
    for rows in cells:
        cell = (rows.model, rows.value)
        plain = counted(rows, these=these)
        counts = dict(zip(LABELS, np.bincount(rows.codes, minlength=len(LABELS)).tolist(), strict=True))
        audit = audits.samples.get(cell) if audits is not None else None
        best = _best(rows, plain, known, notes.get(cell, ""), audit, these) if rows.n else plain
        found.append(Finding(best, plain, counts, verdicts.statuses(*cell)))
    return found


def _best(rows: Rows, plain: Profile, known: Known | None, note: str, audit: Audit | None, these: bool) -> Profile:
    audited = rectified(rows, audit, these=these) if audit is not None else None
    if audited is not None and audited.supported:
        return audited
    rates = error_rates(known, rows.value) if known is not None else None
    if rates is not None and not note:
        return corrected(rows, rates, these=these)
    return plain.refused(note or (audited.note if audited is not None else ""))
