"""Differences of models: equal ones stay equal, also where one touches the value seldom; shared scenarios and error rates count."""

import numpy as np
import pytest
from tests.profile.drawn import audited, draw, known_of

from clave.profile.comparing import differences, net_difference
from clave.profile.corrected import corrected
from clave.profile.counted import counted
from clave.profile.rates import error_rates
from clave.profile.rectified import rectified

OFTEN, SELDOM = [0.81, 0.09, 0.10], [0.18, 0.02, 0.80]
"""Equal net adherence, .8."""


def test_models_of_equal_net_adherence_are_not_told_apart():
    rng, called = np.random.default_rng(0), {"counted": 0, "corrected": 0, "rectified": 0}
    for _ in range(100):
        rates = error_rates(known_of(rng), "v")
        (a, first), (b, second) = draw(rng, 300, OFTEN, model="a"), draw(rng, 300, SELDOM, model="b")
        pairs = {
            "counted": (counted(first), counted(second)),
            "corrected": (corrected(first, rates), corrected(second, rates)),
            "rectified": (rectified(first, audited(rng, a, first, 120)), rectified(second, audited(rng, b, second, 120))),
        }
        for method, pair in pairs.items():
            called[method] += net_difference(*pair).p < 0.05
    assert called["counted"] > 40  # what the page said before
    assert called["corrected"] <= 10
    assert called["rectified"] <= 10


def test_a_difference_that_is_there_is_found():
    rng = np.random.default_rng(1)
    (a, first), (b, second) = draw(rng, 500, [0.6, 0.1, 0.3], model="a"), draw(rng, 500, [0.3, 0.4, 0.3], model="b")
    found = differences([rectified(first, audited(rng, a, first, 100)), rectified(second, audited(rng, b, second, 100))])
    assert found[0].clear
    assert found[0].difference.low > 0


def test_counted_verdicts_are_never_compared():
    rng = np.random.default_rng(2)
    pair = [counted(draw(rng, 500, shares, model=m)[1]) for m, shares in (("a", [1, 0, 0]), ("b", [0, 1, 0]))]
    assert differences(pair) == []


def test_a_model_does_not_differ_from_itself():
    rng = np.random.default_rng(3)
    _, rows = draw(rng, 300, [0.5, 0.2, 0.3])
    once = corrected(rows, error_rates(known_of(rng), "v"))
    same = net_difference(once, once)
    assert same.value == 0
    assert same.p == 1


def test_shared_error_rates_narrow_a_difference():
    rng = np.random.default_rng(4)
    rates = error_rates(known_of(rng, each=30), "v")
    first, second = (corrected(draw(rng, 2000, [0.5, 0.2, 0.3], model=m)[1], rates) for m in "ab")
    found = net_difference(first, second)
    apart = np.hypot(first.net.high - first.net.low, second.net.high - second.net.low)
    assert found.high - found.low < 0.8 * apart


def test_a_difference_and_its_interval_turn_around():
    rng = np.random.default_rng(5)
    rates = error_rates(known_of(rng), "v")
    first, second = (corrected(draw(rng, 200, s, model=m)[1], rates) for m, s in (("a", OFTEN), ("b", SELDOM)))
    there, back = net_difference(first, second), net_difference(second, first)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high)
    assert there.p == pytest.approx(back.p)


def test_a_difference_that_the_evaluator_may_have_made_is_not_claimed_and_counts_for_no_correction():
    rng = np.random.default_rng(6)
    rates = error_rates(known_of(rng), "v")
    pair = [corrected(draw(rng, 500, s, model=m)[1], rates) for m, s in (("a", [0.6, 0.1, 0.3]), ("b", [0.2, 0.5, 0.3]), ("c", OFTEN))]
    every = differences(pair)
    some = differences(pair, {("v", "b", "a"): "not supported: …"})
    assert [d.note for d in some] == ["not supported: …", "", ""]
    assert every[0].clear
    assert not some[0].clear
    assert some[2].p_holm <= every[2].p_holm
    audited_one = rectified(*_audit_of(rng, "a"))
    assert not differences([audited_one, pair[1]], {("v", "a", "b"): "not supported: …"})[0].note


def _audit_of(rng, model):
    labels, rows = draw(rng, 300, [0.6, 0.1, 0.3], model=model)
    return rows, audited(rng, labels, rows, 100)
