import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel

from clave.errors import InputError
from clave.scoring.statistics import Estimate, difference, estimate, group_index, holm, wilson


def mean(total):
    return total[..., 0] / total[..., 1]


def rows(values):
    return np.column_stack([values, np.ones(len(values))])


def test_estimate_prints_its_interval_its_n_and_its_failures():
    assert str(Estimate(value=0.8123, low=0.78, high=0.8414, n=1540, failed=2)) == "0.812 [0.780, 0.841] (n = 1,540, 2 failed)"
    assert str(Estimate(value=0.5, low=None, high=None, n=1)) == "0.500 (n = 1)"
    assert str(Estimate(value=None, low=None, high=None, n=0, failed=7)) == "– (n = 0, 7 failed)"


@pytest.mark.parametrize(("right", "n"), [(0, 1), (3, 3), (5, 9), (40, 41)])
def test_wilson_is_that_of_scipy(right, n):
    interval = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_a_share_of_nothing_has_no_interval():
    with pytest.raises(ValueError, match="no interval"):
        wilson(0.5, 0)


def test_of_many_rows_each_its_own_the_interval_is_wilsons():
    right = np.arange(3000) % 10 > 0
    found = estimate(rows(right), None, mean)
    assert (found.low, found.high) == pytest.approx(wilson(0.9, 3000), abs=2e-5)


def scenarios(rng, sizes, chance, alike):
    """Rows of scenarios whose rows share their luck: beta-binomial, with this correlation."""
    of = (
        rng.beta(chance * (1 - alike) / alike, (1 - chance) * (1 - alike) / alike, size=len(sizes))
        if alike
        else np.full(len(sizes), chance)
    )
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return rng.random(len(groups)) < of[groups], groups


@pytest.mark.parametrize("alike", [0.0, 0.4])
@pytest.mark.parametrize("chance", [0.7, 0.95, 0.99])
@pytest.mark.parametrize(
    "sizes", [[1] * 30, [1, 2, 3, 4] * 30, [40, 20, 10, 8, 6, 5, 4, 3, 2, 2], [44] * 6], ids=["thirty", "small", "uneven", "six"]
)
def test_the_interval_holds_the_truth_near_one_and_with_few_or_uneven_scenarios(sizes, chance, alike):
    """A percentile bootstrap holds it in .25 of runs for thirty rows at .99, and in .15 for six scenarios."""
    rng, covered, runs = np.random.default_rng(7), 0, 300
    for _ in range(runs):
        right, groups = scenarios(rng, sizes, chance, alike)
        found = estimate(rows(right), groups, mean)
        covered += found.low <= chance <= found.high
    assert covered / runs >= 0.88


def test_a_score_that_is_not_a_share_has_an_interval_that_holds_it():
    """The ratio of two means, between -1 and 1: its interval is as narrow as its variance allows, which is less than that of a share."""
    rng, covered, widths = np.random.default_rng(3), 0, []
    for _ in range(300):
        x = rng.normal(0.9, 0.05, (40, 1))
        found = estimate(np.hstack([x, np.ones_like(x)]), None, mean, bounds=(-1.0, 1.0))
        covered += found.low <= 0.9 <= found.high
        widths.append(found.high - found.low)
    assert covered / 300 >= 0.91
    assert np.mean(widths) < 0.05


def test_rows_of_one_scenario_widen_the_interval():
    right = np.tile(np.arange(50) % 2, 10)
    alone = estimate(rows(right), None, mean)
    clustered = estimate(rows(right), list(np.tile(np.arange(50), 10)), mean)
    assert clustered.value == alone.value == 0.5
    assert (clustered.high - clustered.low) > 2.5 * (alone.high - alone.low)


def test_the_interval_is_the_same_for_any_order_of_rows():
    right = np.random.default_rng(0).random(200) < 0.6
    groups = np.array([f"scenario {i // 2}" for i in range(200)])
    order = np.random.default_rng(1).permutation(200)
    assert estimate(rows(right[order]), list(groups[order]), mean) == estimate(rows(right), list(groups), mean)


def test_one_group_has_a_value_but_no_interval():
    found = estimate(rows([1, 0, 1]), ["a", "a", "a"], mean)
    assert (found.value, found.low, found.high) == (2 / 3, None, None)


def test_a_score_that_hinges_on_one_group_has_no_interval():
    """Without the second group there is nothing to divide by."""
    found = estimate([[0, 0], [1, 2]], None, mean)
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_nothing_gives_no_value():
    assert estimate(np.zeros((0, 2)), None, mean, failed=3) == Estimate(value=None, low=None, high=None, n=0, failed=3)
    assert difference(np.zeros((0, 2)), np.zeros((0, 2)), None, mean).p is None


def test_groups_must_be_as_many_as_rows():
    with pytest.raises(InputError, match="2 groups for 3 rows"):
        group_index(["a", "b"], 3)


def test_paired_difference_is_surer_than_two_separate_intervals():
    rng = np.random.default_rng(3)
    hard = rng.random(400) < 0.7
    first, second = hard.copy(), hard.copy()
    second[np.flatnonzero(hard)[:20]] = False
    found = difference(rows(first), rows(second), None, mean)
    single = estimate(rows(first), None, mean)
    assert found.value == pytest.approx(0.05)
    assert found.high - found.low < single.high - single.low
    assert found.p < 0.01


def test_on_many_rows_the_p_value_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(4)
    first, second = rng.random(3000) < 0.72, rng.random(3000) < 0.69
    expected = ttest_rel(first.astype(float), second.astype(float)).pvalue
    assert difference(rows(first), rows(second), None, mean).p == pytest.approx(expected, rel=0.05)


def test_evaluators_that_never_part_are_not_certain_to_be_equal():
    right = np.arange(100) % 3 > 0
    few, many = (difference(rows(right[:n]), rows(right[:n]), None, mean) for n in (10, 100))
    assert (few.value, few.p) == (many.value, many.p) == (0, 1)
    assert few.low < many.low < 0 < many.high < few.high


def test_a_true_equality_is_rejected_about_as_often_as_said():
    rng = np.random.default_rng(11)
    rejected = 0
    for _ in range(400):
        first, second = rng.random((2, 150)) < 0.7
        rejected += difference(rows(first), rows(second), None, mean).p < 0.05
    assert 0.025 <= rejected / 400 <= 0.08


def test_the_p_value_has_no_floor():
    """Fifty others must be able to be told from the best, whatever corrects for their number."""
    found = difference(rows(np.ones(500)), rows(np.zeros(500)), None, mean)
    assert found.p < 1e-12


def test_holm_by_hand():
    """Sorted .01 .03 .04 by three: .03, then max(.03, .06), then max(.06, .04)."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed: nothing to compare with")
    assert holm(p_values) == pytest.approx(list(multitest.multipletests(p_values, method="holm")[1]))
