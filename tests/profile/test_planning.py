"""Plans of several models and values: dealt by need, honest about what cannot be found."""

import re

import numpy as np
import pytest
from tests.profile.drawn import draw

from clave.profile.comparing import net_difference
from clave.profile.design import Design
from clave.profile.estimates import Rows
from clave.profile.planning import planned
from clave.profile.rectified import Audit, rectified


def cells(n, rng=None, shares=([0.6, 0.1, 0.3], [0.5, 0.2, 0.3])):
    rng = rng or np.random.default_rng(0)
    return [draw(rng, n, s, model=m, per_scenario=1)[1] for m, s in zip("ab", shares, strict=True)]


def test_a_budget_is_kept_and_dealt_by_need():
    rng = np.random.default_rng(1)
    plan = planned(cells(400, rng, ([0.7, 0.1, 0.2], [0.4, 0.3, 0.3])), labels=150)
    easy, hard = plan.cells
    assert easy.labels + hard.labels <= 150
    assert hard.labels > 1.5 * easy.labels
    assert hard.half_width == pytest.approx(easy.half_width, rel=0.4)


def test_what_cannot_be_found_is_said_and_not_drawn():
    plan = planned(cells(60), difference=0.1)
    assert [c.labels for c in plan.cells] == [0, 0]
    assert "cannot be found" in plan.sentences()[0]
    assert not plan.reached
    possible = re.search(r"plan for (\S+), or evaluate", plan.sentences()[0])[1]
    assert planned(cells(60), difference=float(possible)).reached
    wide = planned(cells(60), half_width=0.05)
    assert [c.new for c in wide.cells] == [0, 0]
    assert "cannot be reached" in wide.sentences()[0]
    assert not wide.reached


def test_the_power_that_is_promised_is_about_the_one_foreseen():
    plan = planned(cells(1500), difference=0.2, power=0.8)
    assert plan.pairs[0].power >= 0.79
    assert plan.pairs[0].most > plan.pairs[0].power
    assert all(0 < c.labels < 1500 for c in plan.cells)


def test_what_a_fully_labelled_study_finds_is_foreseen():
    """Of 135 scenarios, answered differently in a sixth, a difference of .10 in shares is found in four of five studies."""
    rng, foreseen, found = np.random.default_rng(2), [], []
    for _ in range(60):
        common, own = rng.random((1, 135)), rng.random((2, 135))
        at = np.where(rng.random(135) < 0.69, common, own)
        labels = [(at[i] > share).astype(int) for i, share in enumerate((0.85, 0.75))]
        pair = [draw(rng, 135, [1, 0, 0], model=m, per_scenario=1, labels=own)[1] for m, own in zip("ab", labels, strict=True)]
        foreseen.append(planned(pair, difference=0.2).pairs[0].most)
        whole = [Audit(np.arange(135), np.eye(3)[own], np.ones(135), np.zeros(135, int)) for own in labels]
        found.append(net_difference(*(rectified(rows, audit) for rows, audit in zip(pair, whole, strict=True))).p < 0.05)
    assert 0.68 < np.mean(found) < 0.92
    assert np.mean(found) - 0.25 < np.mean(foreseen) < np.mean(found)  # on the careful side: errors may be alike for the two models


def test_errors_that_two_models_share_promise_no_power():
    """An evaluator that goes by the scenario says the same of both models, and their labels have nothing to do with one another."""
    rng = np.random.default_rng(3)
    scenarios, ids = np.arange(200), tuple(map(str, range(200)))
    codes = rng.choice(3, 200, p=[0.6, 0.2, 0.2])
    said = 0.5 * np.eye(3)[codes] + 0.5 / 3
    pair = [Rows(model, "v", codes, said, scenarios, ids) for model in "ab"]
    audits = [Audit(scenarios, np.eye(3)[rng.choice(3, 200, p=[0.6, 0.2, 0.2])], np.ones(200), np.zeros(200, int)) for _ in pair]
    net = net_difference(*(rectified(rows, audit) for rows, audit in zip(pair, audits, strict=True)))
    smallest = (0.84 + 1.96) * (net.high - net.low) / 2 / 1.96
    assert planned(pair, difference=0.3).pairs[0].smallest > 0.6 * smallest  # by the correlation of verdicts it was 0


def test_labels_of_which_too_few_would_bear_on_the_value_are_too_few():
    """Of 30 labels some five bore on the value where a tenth of the responses do, and the report then said "too little"."""
    rng, said = np.random.default_rng(4), []
    for seed in range(30):
        labels, rows = draw(rng, 500, [0.1, 0.02, 0.88])
        assert planned([rows], labels=30).cells[0].labels == 0
        design = Design(rows)
        told = planned([rows], labels=design.fewest)
        assert told.reached
        assert (told.cells[0].labels, told.sentences()) == (design.fewest, [])
        said.append((labels[design.draw(design.fewest, seed=seed)] < 2).sum() >= 10)
    assert np.mean(said) > 0.7


def test_a_value_that_hardly_any_response_bears_on_is_said_and_not_drawn():
    codes = np.full(200, 2)
    codes[:4] = 0
    rows = Rows("a", "v", codes, 0.999 * np.eye(3)[codes] + 0.001 / 3, np.arange(200), tuple(map(str, range(200))))
    other = Rows("a", "w", np.arange(200) % 3, 0.9 * np.eye(3)[np.arange(200) % 3] + 0.1 / 3, np.arange(200), rows.ids)
    for wish in ({"half_width": 0.5}, {"labels": 60}):
        plan = planned([rows, other], **wish)
        assert not plan.reached
        assert [cell.labels > 0 for cell in plan.cells] == [False, True]
        assert len(plan.sentences()) == 1
        assert "for a on v about" in plan.sentences()[0]


def test_what_earlier_rounds_told_counts():
    labels, rows = draw(np.random.default_rng(6), 300, [0.3, 0.1, 0.6])
    first = Design(rows).draw(60, seed=0)
    assert (labels[first] < 2).sum() >= 10
    assert Design(rows, first, np.eye(3)[labels[first]]).fewest == 60
