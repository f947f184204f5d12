"""Calibrated probabilities: rows sum to one, no verdict changes, confidence means what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clave.calibration import Calibration, cross_calibrated

rows = arrays.arrays(float, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(0.001, 1)).map(
    lambda x: x / x.sum(axis=1, keepdims=True)
)


@given(p=rows, temperature=st.floats(0.135, 7.4))
def test_rows_sum_to_one_and_the_order_of_labels_stays(p, temperature):
    out = Calibration(temperature=temperature).apply(p)
    np.testing.assert_allclose(out.sum(axis=1), 1)
    assert (out >= 0).all()
    higher = p[:, :, None] > p[:, None, :] + 1e-9
    assert (out[:, :, None] >= out[:, None, :])[higher].all()


def outcomes(temperature, n=4000):
    """Scores, and labels drawn as if each score had been sharpened by the temperature."""
    random = np.random.default_rng(0)
    scores = random.normal(0, 1.5, (n, 3))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    true = np.exp(scores / temperature) / np.exp(scores / temperature).sum(axis=1, keepdims=True)
    y = np.array([random.choice(3, p=row) for row in true])
    return p, y


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_is_found(temperature):
    p, y = outcomes(temperature)
    fitted = Calibration.fit(p, y)
    assert fitted.temperature == pytest.approx(temperature, rel=0.1)
    top = fitted.apply(p)
    assert top.max(axis=1).mean() == pytest.approx((top.argmax(axis=1) == y).mean(), abs=0.03)


def test_a_few_right_answers_do_not_make_certain():
    p = np.tile([0.9, 0.05, 0.05], (10, 1))
    assert Calibration.fit(p, np.zeros(10, int)).apply(p).max() < 0.99


@pytest.mark.parametrize("coverage", [0.2, 0.5, 0.8, 0.95])
def test_coverage_abstains_on_the_least_certain_share(coverage):
    p, y = outcomes(1.0)
    fitted = Calibration.fit(p, y)
    kept = fitted.apply(p).max(axis=1) >= fitted.min_confidence(coverage)
    assert kept.mean() == pytest.approx(coverage, abs=0.01)
    right = fitted.apply(p).argmax(axis=1) == y
    assert right[kept].mean() > right[~kept].mean()


def test_full_coverage_abstains_on_nothing():
    assert Calibration.fit(*outcomes(1.0, 50)).min_confidence(1.0) == 0
    assert Calibration().min_confidence(0.5) == 0


def test_it_stays_the_same_through_json():
    fitted = Calibration.fit(*outcomes(1.3, 100))
    assert Calibration.model_validate_json(fitted.model_dump_json()) == fitted


def test_the_temperature_that_a_row_is_scored_by_has_not_seen_its_scenario():
    p, y = outcomes(0.5, 60)
    groups = [str(i // 2) for i in range(60)]
    changed = y.copy()
    changed[:2] = (y[:2] + 1) % 3
    first, second = cross_calibrated(p, y, groups), cross_calibrated(p, changed, groups)
    assert (first[:2] == second[:2]).all()
    assert (first != second).any()
    np.testing.assert_allclose(first.sum(axis=1), 1)
    assert (first.argmax(axis=1) == p.argmax(axis=1)).all()
