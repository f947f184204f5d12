"""Plans of several models and values: dealt by need, honest about what cannot be found."""

import numpy as np
import pytest
from tests.profile.drawn import draw

from clave.profile.planning import planned


def cells(n, rng=None, shares=([0.6, 0.1, 0.3], [0.5, 0.2, 0.3])):
    rng = rng or np.random.default_rng(0)
    return [draw(rng, n, s, model=m, per_scenario=1)[1] for m, s in zip("ab", shares, strict=True)]


def test_a_budget_is_kept_and_dealt_by_need():
    rng = np.random.default_rng(1)
    plan = planned(cells(400, rng, ([0.85, 0.02, 0.13], [0.15, 0.15, 0.7])), labels=150)
    easy, hard = plan.cells
    assert easy.labels + hard.labels <= 150
    assert hard.labels > 1.5 * easy.labels
    assert hard.half_width == pytest.approx(easy.half_width, rel=0.4)


def test_what_cannot_be_found_is_said_and_not_drawn():
    plan = planned(cells(60), difference=0.1)
    assert [c.labels for c in plan.cells] == [0, 0]
    assert "cannot be found" in plan.sentences()[0]
    wide = planned(cells(60), half_width=0.05)
    assert [c.new for c in wide.cells] == [0, 0]
    assert "too few" in wide.sentences()[0]


def test_the_power_that_is_promised_is_about_the_one_foreseen():
    plan = planned(cells(1500), difference=0.2, power=0.8)
    assert plan.pairs[0].power >= 0.79
    assert plan.pairs[0].most > plan.pairs[0].power
    assert all(0 < c.labels < 1500 for c in plan.cells)
