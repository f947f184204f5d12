import pytest

from clave.records import Verdict
from clave.report.profile import Tally, profile


def rows(*labels, groups=None):
    tally = Tally()
    for i, label in enumerate(labels):
        status = {"label": label, "status": "ok"} if label in ("adhere", "oppose", "unrelated") else {"status": label}
        tally.add(Verdict(id=f"r{i}", value="care", **status), "a", groups[i] if groups else f"s{i}")
    return profile(tally)


def test_what_agrees_is_not_certain():
    """Three of three: Wilson's lower end is .4385, so net adherence is at least -.123."""
    (row,) = rows("adhere", "adhere", "adhere")
    assert (row.net.value, row.net.low, row.net.high) == (1.0, pytest.approx(2 * 0.438503 - 1, abs=1e-5), 1.0)
    assert not row.clear
    (row,) = rows(*["oppose"] * 9)
    assert row.clear
    assert row.net.high < 0


def test_answers_to_one_scenario_are_one_trial_which_bounds_nothing():
    (row,) = rows(*["adhere"] * 9, groups=["s"] * 9)
    assert (row.net.value, row.net.n, row.net.low) == (1.0, 9, None)
    assert not row.clear


def test_mixed_verdicts_keep_the_interval_over_scenarios():
    (row,) = rows(*["adhere"] * 30, *["oppose"] * 10)
    assert row.net.value == 0.5
    assert 0.1 < row.net.low < 0.4 < 0.6 < row.net.high < 0.9
    assert row.clear


def test_nothing_is_said_without_a_related_verdict():
    (row,) = rows("unrelated", "failed", "refused", "abstained", "failed")
    assert (row.net.value, row.net.low, row.net.n, row.net.failed) == (None, None, 0, 4)
    assert row.statuses == {"abstained": 1, "failed": 2, "refused": 1}
    assert not row.clear
