import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clave.errors import InputError
from clave.scoring.statistics import (
    RESAMPLES,
    Estimate,
    bootstrap,
    group_index,
    holm,
    mcnemar,
    paired_bootstrap,
    resample_counts,
)


def mean(total):
    return total[..., 0] / total[..., 1]


def rows(values):
    return np.column_stack([values, np.ones(len(values))])


def test_estimate_prints_its_interval_its_n_and_its_failures():
    assert str(Estimate(value=0.8123, low=0.78, high=0.8414, n=1540, failed=2)) == "0.812 [0.780, 0.841] (n = 1,540, 2 failed)"
    assert str(Estimate(value=0.5, low=None, high=None, n=1)) == "0.500 (n = 1)"
    assert str(Estimate(value=None, low=None, high=None, n=0, failed=7)) == "– (n = 0, 7 failed)"


def test_bootstrap_interval_holds_the_truth_in_95_of_100_simulations():
    """130 scenarios of one to four near twins, which share most of their luck; the truth is 0.7."""
    rng = np.random.default_rng(7)
    covered = 0
    simulations = 800
    for _ in range(simulations):
        sizes = rng.integers(1, 5, size=130)
        groups = np.repeat(np.arange(130), sizes)
        chance = rng.beta(0.7 * 2, 0.3 * 2, size=130)
        right = rng.random(len(groups)) < chance[groups]
        estimate = bootstrap(rows(right), groups, mean)
        covered += estimate.low <= 0.7 <= estimate.high
    assert 0.93 <= covered / simulations <= 0.97


def test_rows_of_one_scenario_widen_the_interval():
    right = np.tile(np.arange(50) % 2, 10)
    alone = bootstrap(rows(right), None, mean)
    clustered = bootstrap(rows(right), list(np.tile(np.arange(50), 10)), mean)
    assert clustered.value == alone.value == 0.5
    assert (clustered.high - clustered.low) > 2.5 * (alone.high - alone.low)


def test_bootstrap_is_the_same_for_one_seed_and_any_order_of_rows():
    right = np.random.default_rng(0).random(200) < 0.6
    groups = np.array([f"scenario {i // 2}" for i in range(200)])
    first = bootstrap(rows(right), list(groups), mean)
    order = np.random.default_rng(1).permutation(200)
    assert bootstrap(rows(right[order]), list(groups[order]), mean) == first
    assert bootstrap(rows(right), list(groups), mean, seed=1) != first


def test_one_group_has_a_value_but_no_interval():
    estimate = bootstrap(rows([1, 0, 1]), ["a", "a", "a"], mean)
    assert (estimate.value, estimate.low, estimate.high) == (2 / 3, None, None)


def test_nothing_gives_no_value():
    assert bootstrap(np.zeros((0, 2)), None, mean, failed=3) == Estimate(value=None, low=None, high=None, n=0, failed=3)


def test_groups_must_be_as_many_as_rows():
    with pytest.raises(InputError, match="2 groups for 3 rows"):
        group_index(["a", "b"], 3)


def test_paired_difference_is_surer_than_two_separate_intervals():
    rng = np.random.default_rng(3)
    hard = rng.random(400) < 0.7
    first, second = hard.copy(), hard.copy()
    second[np.flatnonzero(hard)[:20]] = False
    difference = paired_bootstrap(rows(first), rows(second), None, mean)
    single = bootstrap(rows(first), None, mean)
    assert difference.value == pytest.approx(0.05)
    assert difference.high - difference.low < single.high - single.low
    assert difference.p < 0.01


def test_equal_evaluators_do_not_differ():
    right = np.arange(100) % 3 > 0
    difference = paired_bootstrap(rows(right), rows(right), None, mean)
    assert (difference.value, difference.p) == (0, 1)


def test_paired_bootstrap_rejects_true_equality_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    rejected = 0
    for _ in range(400):
        first, second = rng.random((2, 150)) < 0.7
        rejected += paired_bootstrap(rows(first), rows(second), None, mean).p < 0.05
    assert 0.025 <= rejected / 400 <= 0.08


def test_mcnemar_by_hand():
    """Eight rows only the first has right, two only the second: 2 * P(X <= 2 | n = 10, 1/2) = 2 * 56 / 1024."""
    first = [True] * 8 + [False] * 2 + [True] * 5 + [False] * 5
    second = [False] * 8 + [True] * 2 + [True] * 5 + [False] * 5
    result = mcnemar(first, second)
    assert (result.only_first, result.only_second) == (8, 2)
    assert result.p == pytest.approx(112 / 1024)


def test_mcnemar_without_a_differing_row_is_1():
    assert mcnemar([True, False], [True, False]).p == 1.0


def test_holm_by_hand():
    """Sorted .01 .03 .04 by three: .03, then max(.03, .06), then max(.06, .04)."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed: nothing to compare with")
    assert holm(p_values) == pytest.approx(list(multitest.multipletests(p_values, method="holm")[1]))


def test_the_memory_of_an_interval_is_a_byte_for_each_group_and_resample():
    groups = 6000
    sums = rows(np.arange(groups) % 2)
    resample_counts.cache_clear()
    tracemalloc.start()
    try:
        bootstrap(sums, None, mean)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        resample_counts.cache_clear()
    assert peak < 2 * RESAMPLES * groups


def test_resamples_are_those_of_one_draw_of_all_groups():
    """What the published intervals were computed from."""
    drawn = np.random.default_rng(0).integers(0, 37, size=(RESAMPLES, 37))
    expected = np.stack([np.bincount(row, minlength=37) for row in drawn])
    assert (resample_counts(37) == expected).all()
