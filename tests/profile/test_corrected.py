"""Shares corrected by error rates, and when those are not carried over."""

from dataclasses import replace

import numpy as np
import pytest
from tests.profile.drawn import RATES, draw, known_of

from clave.profile.corrected import corrected, likeliest
from clave.profile.estimates import QUANTITIES, Rows, quantities
from clave.profile.rates import error_rates
from clave.profile.support import unlike, unsupported


@pytest.mark.parametrize("shares", [[0.7, 0.1, 0.2], [0.18, 0.02, 0.8], [0.1, 0.0, 0.9]])
def test_intervals_cover_under_another_balance_of_labels(shares):
    rng, truth, hits = np.random.default_rng(0), quantities(np.array(shares)), []
    for _ in range(100):
        _, rows = draw(rng, 500, shares)
        found = corrected(rows, error_rates(known_of(rng), "v"))
        hits.append([found.estimates[q].low - 1e-9 <= t <= found.estimates[q].high + 1e-9 for q, t in zip(QUANTITIES, truth, strict=True)])
    assert np.all(np.mean(hits, axis=0) > 0.9)


def test_two_classes_are_rogan_and_gladen_as_judgy_has_them():
    judgy = pytest.importorskip("judgy")
    labels = np.array([1] * 30 + [0] * 40)
    said = np.array([1] * 26 + [0] * 4 + [1] * 8 + [0] * 32)
    run = np.array([1] * 130 + [0] * 170)
    theirs, _, _ = judgy.estimate_success_rate(labels, said, run, bootstrap_iterations=10)
    rates = np.array([[26 / 30, 4 / 30, 0], [8 / 40, 32 / 40, 0], [0, 0, 1]])
    assert likeliest(np.array([130, 170, 0]) / 300, rates)[0] == pytest.approx(theirs, abs=1e-6)


def test_shares_are_likeliest_where_the_mix_cannot_be_met():
    shares = likeliest(np.array([0.05, 0.01, 0.94]), RATES)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)

    def likelihood(p):
        return float(np.array([0.05, 0.01, 0.94]) @ np.log(p @ RATES))

    for other in np.random.default_rng(0).dirichlet([0.3, 0.3, 3], 200):
        assert likelihood(shares) >= likelihood(other) - 1e-7


def test_values_lend_each_other_strength():
    rng = np.random.default_rng(1)
    alone, together = known_of(rng, values=("v",)), known_of(rng)
    wide, narrow = error_rates(alone, "v"), error_rates(together, "v")
    assert narrow.covariance[0, 0, 0] < wide.covariance[0, 0, 0]
    assert error_rates(together, "nobody") is None


def test_twins_among_the_labels_count_once():
    rng = np.random.default_rng(2)
    known = known_of(rng, values=("v",))
    twice = replace(
        known,
        values=known.values * 2,
        probabilities=np.tile(known.probabilities, (2, 1)),
        labels=np.tile(known.labels, 2),
        groups=known.groups * 2,
    )
    assert error_rates(twice, "v").covariance == pytest.approx(error_rates(known, "v").covariance)


def test_what_the_evaluator_has_not_seen_is_not_supported():
    rng, refused = np.random.default_rng(3), {"alike": 0, "novel": 0, "unsure": 0}
    for _ in range(40):
        known = known_of(rng, novelty=True)
        for kind in refused:
            novelty = rng.normal(0.6 if kind == "novel" else 0.5, 0.1, 300)
            _, rows = draw(rng, 300, [0.5, 0.2, 0.3], novelty=novelty)
            if kind == "unsure":
                rows = replace(rows, probabilities=0.7 * rows.probabilities + 0.1)
            refused[kind] += bool(unsupported([rows], known))
    assert refused["alike"] <= 4
    assert refused["novel"] >= 36
    assert refused["unsure"] >= 36


def test_a_small_drift_of_all_values_is_found_in_a_hundred_verdicts_of_each():
    """Half a standard deviation of novelty, where a fifth bears on the value: a test of shape alone found it in half of such runs."""
    rng, refused = np.random.default_rng(6), {"alike": 0, "more novel": 0, "less novel": 0}
    for _ in range(30):
        known = known_of(rng, novelty=True)
        for kind, mean in zip(refused, (0.5, 0.55, 0.47), strict=True):
            cells = [draw(rng, 100, [0.18, 0.02, 0.8], value=v, novelty=rng.normal(mean, 0.1, 100))[1] for v in "vwxy"]
            refused[kind] += len(unsupported(cells, known)) == len(cells)
    assert refused["more novel"] >= 27
    assert refused["alike"] <= 2
    assert refused["less novel"] <= 2  # the finished evaluator has seen more than one that was tried out of fold


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_verdicts_on_one_scenario_are_no_drift_by_themselves(n):
    known, probabilities = known_of(np.random.default_rng(7)), np.array([[0.5, 0.3, 0.2]])  # as unsure as few labelled rows are
    rows = Rows("m", "v", np.zeros(n, int), np.repeat(probabilities, n, axis=0), np.zeros(n, int))
    assert not unsupported([rows], known)


def test_two_models_that_the_evaluator_reads_otherwise_are_not_compared():
    """Against the labelled rows alone, a third of such pairs passed, and a quarter of these were called different."""
    rng, style = np.random.default_rng(5), RATES + np.array([[-0.1, 0.1, 0], [0, 0, 0], [0, 0, 0]])
    refused = {"alike": 0, "read otherwise": 0, "seldom relevant": 0}
    for _ in range(30):
        known = known_of(rng, novelty=True)
        for kind in refused:
            off = kind == "read otherwise"
            shares = ([0.72, 0.08, 0.2], [0.18, 0.02, 0.8] if kind == "seldom relevant" else [0.72, 0.08, 0.2])
            pair = [
                draw(
                    rng,
                    300,
                    s,
                    style if off and m == "b" else RATES,
                    model=m,
                    novelty=rng.normal(0.55 if off and m == "b" else 0.5, 0.1, 300),
                )[1]
                for m, s in zip("ab", shares, strict=True)
            ]
            refused[kind] += ("v", "a", "b") in unlike(pair, known)
    assert refused["alike"] <= 1
    assert refused["seldom relevant"] <= 1
    assert refused["read otherwise"] >= 27
