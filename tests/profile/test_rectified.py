"""Shares rectified by an audit: unbiased, as sure as they say, and never worse than the labels alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profile.drawn import RATES, audited, draw

from clave.profile.design import Design
from clave.profile.estimates import QUANTITIES, quantities
from clave.profile.intervals import share_interval
from clave.profile.rectified import Audit, rectified


def covered(found, truth):
    return [found.estimates[q].low - 1e-9 <= t <= found.estimates[q].high + 1e-9 for q, t in zip(QUANTITIES, truth, strict=True)]


def test_intervals_cover_and_are_narrower_than_labels_alone():
    rng, shares = np.random.default_rng(0), [0.7, 0.1, 0.2]
    truth = quantities(np.array(shares))
    hits, errors, widths = [], [], []
    for _ in range(200):
        labels, rows = draw(rng, 500, shares)
        audit = audited(rng, labels, rows, 60)
        found, alone = rectified(rows, audit), rectified(rows, audit, predict=False)
        hits.append(covered(found, truth))
        errors.append(found.net.value - truth[4])
        widths.append((found.net.high - found.net.low) / (alone.net.high - alone.net.low))
    assert np.all(np.mean(hits, axis=0) > 0.91)
    assert abs(np.mean(errors)) < 0.02
    assert np.mean(widths) < 0.85


def test_verdicts_that_say_nothing_cost_nothing():
    rng, widths = np.random.default_rng(1), []
    for _ in range(60):
        labels, rows = draw(rng, 300, [0.5, 0.2, 0.3], np.full((3, 3), 1 / 3))
        audit = audited(rng, labels, rows, 40)
        found, alone = rectified(rows, audit).net, rectified(rows, audit, predict=False).net
        widths.append((found.high - found.low) / (alone.high - alone.low))
    assert np.mean(widths) <= 1.0
    assert max(widths) <= 1.03


def test_two_classes_without_twins_are_prediction_powered_inference():
    ppi = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(2)
    labels, rows = draw(rng, 400, [0.6, 0.4, 0.0], np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0, 1]]), per_scenario=1)
    two = rows.probabilities[:, :2] / rows.probabilities[:, :2].sum(axis=1, keepdims=True)
    rows = replace(rows, probabilities=np.column_stack([two, np.zeros(400)]))
    audit = audited(rng, labels, rows, 80)
    y, f, rest = audit.labels[:, :1], two[audit.rows, :1], np.delete(two[:, :1], audit.rows, axis=0)
    found = rectified(rows, audit)
    # ours predicts all rows, theirs those without a label: the same where the weight is scaled by the share of these
    weight = np.polyfit(f[:, 0], y[:, 0], 1)[0] * len(rest) / rows.n
    theirs = ppi.ppi_mean_pointestimate(y, f, rest, lam=weight)
    assert found.shares[0] == pytest.approx(float(np.squeeze(theirs)), abs=1e-6)
    # the weight that theirs chooses takes the variance of predictions from all rows, ours from the labelled: to first order the same
    tuned = ppi.ppi_mean_pointestimate(y, f, rest)
    assert found.shares[0] == pytest.approx(float(np.squeeze(tuned)), abs=0.005)
    # and their normal interval is as wide as ours: theirs neglects that the weight was learnt, ours is a score interval
    low, high = ppi.ppi_mean_ci(y, f, rest, alpha=0.05, lam=weight)
    assert found.estimates["adhere"].high - found.estimates["adhere"].low == pytest.approx(float(high[0] - low[0]), rel=0.08)


def test_an_audit_of_everything_leaves_nothing_open_about_these():
    labels, rows = draw(np.random.default_rng(3), 60, [0.5, 0.3, 0.2])
    whole = Audit(np.arange(60), np.eye(3)[labels], np.ones(60), np.zeros(60, int))
    found = rectified(rows, whole, these=True)
    assert found.shares == pytest.approx(np.bincount(labels, minlength=3) / 60)
    assert found.net.low == found.net.value == found.net.high
    assert rectified(rows, whole).net.low < found.net.low


def test_for_just_these_the_drawing_alone_counts():
    rng, hits = np.random.default_rng(4), []
    labels, rows = draw(rng, 200, [0.5, 0.3, 0.2])
    truth = quantities(np.bincount(labels, minlength=3) / 200)
    for _ in range(200):
        audit = audited(rng, labels, rows, 80)
        hits.append(covered(rectified(rows, audit, these=True), truth))
    assert np.all(np.mean(hits, axis=0) > 0.9)


def test_for_just_these_a_poor_evaluator_does_not_look_better_than_none():
    """By slopes that each response had a part in, the interval held the truth in .91 of such audits, and on real labels in .88."""
    rng, hits = np.random.default_rng(8), []
    labels = rng.choice(3, 900, p=[0.5, 0.5, 0.0])
    noise = rng.dirichlet([1, 1, 1], 900)
    rows = replace(draw(rng, 900, [1, 0, 0])[1], probabilities=noise, codes=noise.argmax(axis=1))
    truth = quantities(np.bincount(labels, minlength=3) / 900)
    for i in range(300):
        design = Design(rows)
        chosen = design.draw(25, seed=i)
        weights = design.sizes / np.bincount(design.strata[chosen], minlength=len(design.sizes))
        audit = Audit(chosen, np.eye(3)[labels[chosen]], weights[design.strata[chosen]], design.strata)
        hits.append(covered(rectified(rows, audit, these=True), truth)[4])
    assert np.mean(hits) > 0.93


def test_one_rare_label_among_fifty_does_not_make_it_frequent():
    """Two of 882 were harmful; where an audit of fifty saw one of them, its interval left the truth out, in a tenth of the audits."""
    labels = np.zeros(882, int)
    labels[[5, 400]] = 1
    rows = replace(draw(np.random.default_rng(9), 882, [1, 0, 0], per_scenario=1)[1], probabilities=np.tile([0.9, 0.05, 0.05], (882, 1)))
    chosen = np.arange(5, 55)
    audit = Audit(chosen, np.eye(3)[labels[chosen]], np.full(50, 882 / 50), np.zeros(882, int))
    found = rectified(rows, audit, these=True)
    assert found.labels == 50
    assert found.net.low < found.net.value < 1 - 2 * 2 / 882 < found.net.high


@pytest.mark.parametrize(("events", "n"), [(2, 50), (3, 20), (10, 40), (19, 40), (880, 882)])
def test_plain_trials_have_jeffreys_interval(events, n):
    from scipy.stats import beta

    share, middle = events / n, (events + 0.5) / (n + 1)
    low, high = share_interval(share, middle * (1 - middle) / n, n, min(events, n - events))
    own, other = beta.ppf(0.025, events + 0.5, n - events + 0.5), beta.ppf(0.975, events + 0.5, n - events + 0.5)
    assert (low, high) == (pytest.approx(own), pytest.approx(other))


def test_a_label_that_was_drawn_once_may_be_as_rare_as_you_like():
    """Once among fifty it was taken for no rarer than .0021, and two of 882 are .0023; in a stratum of much weight it was worse."""
    for share in (0.01, 0.02, 0.05):  # by the weight of its stratum
        assert share_interval(share, share**2, 50, 1)[0] == 0
        assert share_interval(1 - share, share**2, 50, 1)[1] == 1
    assert share_interval(0.04, 0.02**2 * 2, 50, 2)[0] > 0


@pytest.mark.parametrize("n", [10, 50, 400])
def test_a_label_that_was_never_drawn_has_the_exact_end(n):
    low, high = share_interval(0.0, 0.0, n, 0)
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / n)))
    assert share_interval(1.0, 0.0, n, 0) == (pytest.approx(0.025 ** (1 / n)), 1)


@given(share=st.floats(0, 1), spread=st.floats(0, 2), trials=st.floats(1, 5000), events=st.floats(0, 100), freedom=st.floats(1, 1000))
def test_an_interval_holds_its_estimate(share, spread, trials, events, freedom):
    low, high = share_interval(share, spread**2 / trials, trials, events, freedom)
    assert 0 <= low <= share <= high <= 1
    assert low < high


def test_too_little_is_said():
    rng = np.random.default_rng(5)
    labels, rows = draw(rng, 200, [0.05, 0.02, 0.93])
    found = rectified(rows, audited(rng, labels, rows, 30))
    assert not found.supported
    assert "too little" in found.note


def test_the_order_of_rows_and_the_names_of_scenarios_change_nothing():
    rng = np.random.default_rng(6)
    labels, rows = draw(rng, 120, [0.5, 0.2, 0.3], RATES)
    audit = audited(rng, labels, rows, 50)
    order = rng.permutation(120)
    place = np.argsort(order)
    shuffled = type(rows)("m", "v", rows.codes[order], rows.probabilities[order], 900 - rows.scenarios[order], novelty=None)
    other = Audit(place[audit.rows], audit.labels, audit.weights, audit.strata[order])
    a, b = rectified(rows, audit), rectified(shuffled, other)
    assert a.shares == pytest.approx(b.shares)
    assert a.net.low == pytest.approx(b.net.low)
