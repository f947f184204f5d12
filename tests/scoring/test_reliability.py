import numpy as np
import pytest

from clave.records import LABELS
from clave.scoring.reliability import calibration_error, reliability

A, X, U = LABELS


def judged(rng, n, kept, twins=1):
    """Gold labels and probabilities of a judge that says `adhere` with some confidence c and is right with the chance kept(c)."""
    group = np.arange(n) // twins
    c = np.clip(rng.beta(6, 2, n), 0.51, 0.99)[group * twins]
    right = rng.random(n)[group * twins] < kept(c)
    gold = [A if r else X for r in right]
    return gold, np.column_stack([c, 1 - c, np.zeros(n)]), list(group)


def calibrated(c):
    return c


def too_sure(c):
    return c - 0.1


def too_sure_at_the_top(c):
    return np.where(c > 0.8, c - 0.2, c)


def test_what_is_counted_by_hand():
    """Ten rows at .9 of which five are right (gap .4), ten at .6 that all are (gap .4), ten at 1 that are (no gap)."""
    chances = [[0.9, 0.1, 0.0]] * 10 + [[0.2, 0.6, 0.2]] * 10 + [[0.0, 0.0, 1.0]] * 10
    gold = [A] * 5 + [X] * 5 + [X] * 10 + [U] * 10
    assert calibration_error(gold, chances).counted == pytest.approx((4 + 4 + 0) / 30)
    assert reliability(gold, chances) == [(pytest.approx(0.6), 1.0, 10), (pytest.approx(0.9), 0.5, 10), (pytest.approx(1.0), 1.0, 10)]


def test_rows_of_one_confidence_share_a_bin():
    chances = np.tile([0.7, 0.3, 0.0], (40, 1))
    assert reliability([A] * 20 + [X] * 20, chances) == [(pytest.approx(0.7), 0.5, 40)]


@pytest.mark.parametrize("twins", [1, 2])
@pytest.mark.parametrize(
    ("kept", "n"), [(calibrated, 60), (calibrated, 264), (too_sure, 264), (too_sure_at_the_top, 264), (too_sure, 2000)]
)
def test_the_interval_holds_the_true_error(kept, n, twins):
    """By plain bins and a percentile bootstrap it held none of a hundred at n = 264 for a judge that keeps what it says."""
    rng = np.random.default_rng(5)
    c = np.clip(rng.beta(6, 2, 100_000), 0.51, 0.99)
    true = float(np.abs(c - kept(c)).mean())
    found = [calibration_error(*judged(rng, n, kept, twins)) for _ in range(100)]
    assert sum(e.low <= true <= e.high for e in found) >= 93
    assert all(e.low <= e.value <= e.high for e in found)


def test_what_chance_makes_is_what_a_calibrated_judge_shows():
    rng = np.random.default_rng(6)
    found = [calibration_error(*judged(rng, 264, calibrated)) for _ in range(100)]
    assert np.mean([e.by_chance for e in found]) == pytest.approx(np.mean([e.counted for e in found]), rel=0.05)
    assert np.mean([e.value for e in found]) < 0.6 * np.mean([e.counted for e in found])
    assert np.median([e.low for e in found]) == 0


def test_it_is_told_with_what_chance_makes():
    rng = np.random.default_rng(1)
    found = calibration_error(*judged(rng, 100, too_sure))
    assert str(found).endswith(f"(n = 100); as counted {found.counted:.3f}, by chance {found.by_chance:.3f}")
    assert str(calibration_error([A], [None])) == "– (n = 0, 1 failed)"


def test_one_scenario_has_no_interval():
    found = calibration_error([A, A, X], np.tile([0.8, 0.2, 0.0], (3, 1)), ["s"] * 3)
    assert (found.low, found.high) == (None, None)
    assert found.value == found.counted
