"""Which responses people should label so that a profile gets sure, how many, and what that will show.

    design = Design(rows)
    design.half_width(60)             # 0.14: what 60 labels are expected to give
    design.labels_for(0.20)           # 28: or None, where not even all of them would do
    design.draw(60, seed=0)           # places of the drawn rows

Responses are drawn at random within strata of verdict and confidence; a stratum gets labels by its size and by how much, going by the
evaluator's probabilities, its labels are likely to vary (Neyman 1934). A part of the labels goes by size alone, so that an evaluator that
is sure and wrong is found out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clave.fitting.prevalence import at_prevalence, estimated
from clave.profile.estimates import Rows
from clave.profile.intervals import Z, independent_trials
from clave.profile.rectified import FEWEST_RELEVANT
from clave.scoring.statistics import Array

_HALVED = 20
"""Verdicts of one label from which on they are split by confidence."""
_BY_SIZE = 0.2
"""Share of the labels that goes by the size of strata alone."""
_DOUBT = 0.05
"""How far the evaluator's probabilities are drawn towards a third each when labels are dealt."""
_TOWARDS_LIKELIEST = 0.6
"""How far the balance of a forecast lies from an even one to the run's likeliest, in logarithms. An evaluator that is less sure than it is
right makes the likeliest too extreme, one that is surer the other way."""
_SUREST = 0.9
"""Of a higher probability a forecast gives what is above this to the mix of the run: labels of certain verdicts would never vary."""
_RAREST = 0.005
"""Share of a label below which none is foreseen."""
_RELEVANCE = 0.1
"""How much relevance counts beside net adherence when labels are dealt to strata."""

_LIKELY = FEWEST_RELEVANT + 4
"""Labels expected to bear on the value from which on as many as net adherence takes are likely to: .89 of Poisson numbers."""


def strata_of(rows: Rows) -> NDArray[np.intp]:
    """The stratum of each verdict, shape (n,): by its label, and whether it is among the more certain half of these."""
    sure = rows.probabilities[np.arange(rows.n), rows.codes]
    ids = np.unique(rows.ids, return_inverse=True)[1] if rows.ids else np.arange(rows.n)
    strata, last = np.empty(rows.n, np.intp), 0
    for code in np.unique(rows.codes):
        own = np.flatnonzero(rows.codes == code)
        own = own[np.lexsort((ids[own], sure[own]))]
        for part in np.array_split(own, 2 if len(own) >= _HALVED else 1):
            strata[part] = last
            last += 1
    return strata


@dataclass(frozen=True)
class Design:
    """How one model's responses for one value are audited.

    Args:
        rows: All verdicts.
        seen: Places of responses that earlier rounds drew.
        labels: What people said of these, shape (len(seen), 3).
    """

    rows: Rows
    seen: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    labels: Array = field(default_factory=lambda: np.zeros((0, 3)))

    @cached_property
    def strata(self) -> NDArray[np.intp]:
        return strata_of(self.rows)

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Verdicts of each stratum."""
        return np.bincount(self.strata)

    @cached_property
    def trials(self) -> float:
        """How many independent verdicts these are worth."""
        return independent_trials(self.rows.one_hot, np.unique(self.rows.scenarios, return_inverse=True)[1])

    @cached_property
    def allowed_for(self) -> Array:
        """Shares of labels in each stratum by which more are dealt, (H, 3): by the evaluator's probabilities, with some doubt, and by the
        labels that there are.

        Probabilities hold at the balance of the calibration labels, which people choose to be about even. Where labels are rarer here,
        those of the rare side weigh most in net adherence and are expected too often: so the mean is taken of the probabilities as they
        are, and as they would be at the balance that makes the run's likeliest.
        """
        as_they_are = self._by_stratum(self.rows.probabilities)
        return self._told((1 - _DOUBT) * (as_they_are + self._balanced) / 2 + _DOUBT / 3)

    @cached_property
    def foreseen(self) -> Array:
        """Shares of labels in each stratum that are forecast, (H, 3). They leave out what is added for surprises when labels are dealt: it
        makes rare labels frequent, and a forecast too wide."""
        return self._told(self._by_stratum(self._forecast))

    @cached_property
    def _forecast(self) -> Array:
        """Probabilities that forecasts go by, (n, 3); once there are labels, at the balance that these show."""
        said = self._at_balance(_TOWARDS_LIKELIEST)
        if len(self.seen):
            found = self.sizes / self.rows.n @ self._told(self._by_stratum(said))
            said = at_prevalence(self.rows.probabilities, np.full(3, 1 / 3), np.maximum(found, _RAREST))
        mix = np.maximum(said.mean(axis=0), _RAREST)
        excess = np.maximum(self.rows.probabilities.max(axis=1, keepdims=True) - _SUREST, 0)
        believed: Array = (1 - excess) * said + excess * mix / mix.sum()
        return believed

    @cached_property
    def relevant(self) -> Array:
        """Share of each stratum that is expected to bear on the value, (H,): nearer to the likeliest balance than labels are dealt by. What
        allows for surprises there would promise too many where little bears on the value."""
        as_they_are = self._by_stratum(self.rows.probabilities)
        shares: Array = self._told((as_they_are + 3 * self._balanced) / 4)[:, :2].sum(axis=1)
        return shares

    @cached_property
    def _balanced(self) -> Array:
        """Mean probabilities of each stratum at the balance that makes the run's likeliest, (H, 3)."""
        return self._by_stratum(self._at_balance(1.0))

    def _at_balance(self, towards: float) -> Array:
        """Probabilities at a balance that lies so far from an even one to the run's likeliest, (n, 3)."""
        return at_prevalence(self.rows.probabilities, np.full(3, 1 / 3), self._likeliest**towards)

    @cached_property
    def _likeliest(self) -> Array:
        return np.maximum(estimated(self.rows.probabilities, np.full(3, 1 / 3)), _RAREST)

    def _by_stratum(self, probabilities: Array) -> Array:
        return np.stack([np.bincount(self.strata, p) for p in probabilities.T], axis=1) / self.sizes[:, None]

    def _told(self, said: Array) -> Array:
        """What is said of each stratum, put right by the labels that there are."""
        told = np.zeros_like(said)
        np.add.at(told, self.strata[self.seen], self.labels)
        weight = 4.0  # what is said counts as much as four labels of the stratum
        found: Array = (weight * said + told) / (weight + told.sum(axis=1, keepdims=True))
        return found

    def _spread(self, shares: Array) -> tuple[Array, Array]:
        """Of each stratum the standard deviation and the mean of what a label adds to net adherence, if it has such shares of labels."""
        up, down = _influence(self.sizes / self.rows.n @ shares)
        mean = shares[:, 0] * up - shares[:, 1] * down
        variance = shares[:, 0] * up**2 + shares[:, 1] * down**2 - mean**2
        return np.sqrt(np.maximum(variance, 0)), mean

    def forecast(self) -> tuple[Array, float]:
        """What the evaluator makes each label add to net adherence, less the mean, (n,), and which share that is of what labels vary by."""
        probabilities = self._forecast
        up, down = _influence(self.sizes / self.rows.n @ self.foreseen)
        said = probabilities[:, 0] * up - probabilities[:, 1] * down
        every = probabilities[:, 0] * up**2 + probabilities[:, 1] * down**2
        whole = float(every.mean() - said.mean() ** 2)
        return said - said.mean(), float(said.var()) / whole if whole > 0 else 0.0

    def allocation(self, n: int) -> NDArray[np.intp]:
        """How many labels each stratum has after the audit grew to n, shape (H,); at least two, and what was drawn before."""
        shares = self.allowed_for
        deviation, _ = self._spread(shares)
        relevant = shares[:, 0] + shares[:, 1]
        relevance = float(self.sizes / self.rows.n @ relevant)
        deviation = np.sqrt(deviation**2 + _RELEVANCE * relevant * (1 - relevant) / relevance**2)
        wish = self.sizes * deviation
        wish = n * ((1 - _BY_SIZE) * wish / wish.sum() + _BY_SIZE * self.sizes / self.rows.n)
        had = np.bincount(self.strata[self.seen], minlength=len(wish))
        given = np.maximum(np.minimum(2, self.sizes), had)
        for _ in range(max(0, min(n, self.rows.n) - int(given.sum()))):
            given[np.where(given < self.sizes, wish - given, -np.inf).argmax()] += 1
        return given

    def bearing(self, n: int) -> float:
        """How many of n labels, those of earlier rounds included, are expected to bear on the value."""
        new = self.allocation(n) - np.bincount(self.strata[self.seen], minlength=len(self.sizes))
        return float(self.labels[:, :2].sum() + new @ self.relevant)

    def bears(self, n: int) -> bool:
        """Whether so many of n labels are likely to bear on the value that net adherence has an interval."""
        return float(self.labels[:, :2].sum()) >= FEWEST_RELEVANT or self.bearing(n) >= _LIKELY

    @cached_property
    def can(self) -> bool:
        """Whether they are if all responses are labelled."""
        return self.bears(self.rows.n)

    @cached_property
    def fewest(self) -> int:
        """Labels that an audit must have: what was drawn before, two of each stratum, and so many that enough of them bear on the value.
        All of the verdicts where not even these are likely to."""
        return self._fewest(self.bears, int(self.allocation(0).sum()))

    def half_width(self, n: int) -> float:
        """Of the 95 % interval of net adherence over scenarios like these that n labels are expected to give."""
        return Z * math.sqrt(sum(self.variances(n)))

    def variances(self, n: int) -> tuple[float, float]:
        """Of net adherence, by the drawing of the labels, and by that of the scenarios."""
        deviation, mean = self._spread(self.foreseen)
        given, sizes = self.allocation(n), self.sizes
        weights = sizes / self.rows.n
        drawing = float((weights**2 * deviation**2 / given * (1 - given / sizes)).sum())
        scenarios = float((weights * (deviation**2 + mean**2)).sum()) / self.trials
        return drawing, scenarios

    def labels_for(self, half_width: float) -> int | None:
        """The fewest labels that are expected to give an interval no wider; None where not even all of them would."""
        if self.half_width(self.rows.n) > half_width or not self.can:
            return None
        return self._fewest(lambda n: self.half_width(n) <= half_width, self.fewest)

    def labels_for_drawing(self, half_width: float) -> int:
        """The same for just these responses: only the drawing of the labels counts, and all of them are always enough."""
        return self._fewest(lambda n: Z * math.sqrt(self.variances(n)[0]) <= half_width, self.fewest)

    def _fewest(self, enough: Callable[[int], bool], few: int) -> int:
        if enough(few):  # numbers are whole, so one label more is now and then dealt a little worse: a search might miss it
            return few
        many = self.rows.n
        while few < many:
            middle = (few + many) // 2
            few, many = (few, middle) if enough(middle) else (middle + 1, many)
        return few

    def draw(self, n: int, *, seed: int) -> NDArray[np.intp]:
        """Places of the responses that let the audit grow to n labels, those of earlier rounds left out."""
        rng, strata = np.random.default_rng(seed), self.strata
        more = self.allocation(n) - np.bincount(strata[self.seen], minlength=len(self.sizes))
        free = np.ones(self.rows.n, bool)
        free[self.seen] = False
        chosen = [rng.choice(np.flatnonzero(free & (strata == h)), count, replace=False) for h, count in enumerate(more) if count]
        return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.intp)


def _influence(shares: Array) -> tuple[float, float]:
    """How far an adhering label lifts net adherence, and an opposing one lowers it, at these shares of all three."""
    adhere, oppose, _ = shares
    return 2 * oppose / (adhere + oppose) ** 2, 2 * adhere / (adhere + oppose) ** 2
