from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from clave.records import Verdict
from clave.report.differences import model_differences, swap_test
from clave.report.profile import Tally, profile
from clave.scoring.statistics import wilson

DRAWS = 40_000


def columns(first, second):
    """The arguments of the test from {scenario: (adhere, oppose)} of two models."""
    rows = [(*counts, 0, 0) for counts in first.values()] + [(0, 0, *counts) for counts in second.values()]
    sums = np.array(rows, dtype=np.float64)
    return sums[:, :2], sums[:, 2:], [*first, *second]


def each(name, adhere, oppose):
    return {f"{name}{i}": (int(i < adhere), int(i >= adhere)) for i in range(adhere + oppose)}


def tallied(**models):
    """Verdicts of models from {model: {value: [labels]}}; scenarios are the models' own."""
    tally = Tally()
    for model, values in models.items():
        for value, labels in values.items():
            for i, label in enumerate(labels):
                tally.add(Verdict(id=f"{model}{i}", value=value, status="ok", label=label), model, f"{model}{i}")
    return tally


@pytest.mark.parametrize(("a", "b"), [((9, 2), (3, 8)), ((2, 0), (0, 2)), ((5, 5), (20, 3)), ((4, 0), (30, 30))])
def test_without_common_scenarios_it_is_fishers_exact_test(a, b):
    p = swap_test(*columns(each("a", *a), each("b", *b)), draws=DRAWS)
    by_difference = _fisher_by_difference(a, b)
    assert p == pytest.approx(by_difference, abs=0.01)
    if sum(a) == sum(b):
        assert p == pytest.approx(fisher_exact([a, b])[1], abs=0.01)


def _fisher_by_difference(a, b):
    """Fisher's test with tables ordered by how far the shares lie apart, by the hypergeometric distribution."""
    from scipy.stats import hypergeom

    n, m, adhere = sum(a), sum(b), a[0] + b[0]

    def apart(k):
        return abs(k / n - (adhere - k) / m)

    tables = range(max(0, adhere - m), min(n, adhere) + 1)
    return sum(hypergeom(n + m, adhere, n).pmf(k) for k in tables if apart(k) >= apart(a[0]) - 1e-9)


def test_of_common_scenarios_it_is_mcnemars_exact_test():
    """Of 14 scenarios the models differ on nine, eight of them one way."""
    said = [(1, 0)] * 8 + [(0, 1)] + [(1, 1)] * 3 + [(0, 0)] * 2
    first, second = ({f"s{i}": (pair[k], 1 - pair[k]) for i, pair in enumerate(said)} for k in (0, 1))
    assert swap_test(*columns(first, second), draws=DRAWS) == pytest.approx(binomtest(1, 9).pvalue, abs=0.005)


def test_a_mixed_case_is_that_of_all_swaps_and_deals():
    """Two common scenarios of unlike size, three of the first alone, two of the second alone: every outcome counted once."""
    first = {"s0": (2, 0), "s1": (1, 1), "a0": (1, 0), "a1": (3, 0), "a2": (1, 0)}
    second = {"s0": (0, 1), "s1": (0, 2), "b0": (0, 1), "b1": (1, 1)}
    alone = [first[k] for k in ("a0", "a1", "a2")] + [second[k] for k in ("b0", "b1")]

    def net(counts):
        adhere, oppose = map(sum, zip(*counts, strict=True))
        return (adhere - oppose) / (adhere + oppose)

    outcomes = []
    for swaps, mine in product(product((0, 1), repeat=2), combinations(range(5), 3)):
        sides = [[], []]
        for scenario, swap in zip(("s0", "s1"), swaps, strict=True):
            sides[swap].append(first[scenario])
            sides[1 - swap].append(second[scenario])
        for i, counts in enumerate(alone):
            sides[i not in mine].append(counts)
        outcomes.append(abs(net(sides[0]) - net(sides[1])))
    seen = abs(net(first.values()) - net(second.values()))
    expected = sum(o >= seen - 1e-9 for o in outcomes) / len(outcomes)
    assert swap_test(*columns(first, second), draws=DRAWS) == pytest.approx(expected, abs=0.01)


def test_order_of_rows_and_of_models_is_no_matter():
    first, second = each("a", 9, 2), each("b", 3, 8)
    p = swap_test(*columns(first, second))
    assert swap_test(*columns(dict(reversed(first.items())), dict(reversed(second.items())))) == p
    assert swap_test(*columns(second, first)) == pytest.approx(p, abs=0.01)


def test_two_against_two_is_no_clear_difference():
    tally = tallied(a={"care": ["adhere"] * 2}, b={"care": ["oppose"] * 2})
    (found,) = model_differences(tally, profile(tally))
    assert found.p_holm == pytest.approx(1 / 3, abs=0.04)
    assert not found.clear


def test_a_difference_of_agreeing_models_has_newcombes_interval():
    """Of p1 = 1 (n = 4) and p2 = 0 (n = 5), twice the interval of Newcombe's method 10."""
    tally = tallied(a={"care": ["adhere"] * 4}, b={"care": ["oppose"] * 5})
    (found,) = model_differences(tally, profile(tally))
    low = 1 - np.hypot(1 - wilson(1.0, 4)[0], wilson(0.0, 5)[1])
    assert (found.difference.low, found.difference.high) == (pytest.approx(2 * low), pytest.approx(2.0))


def test_many_comparisons_can_still_be_clear():
    """Seven models on five values, 105 comparisons: the correction must not swallow a difference that nobody would doubt."""
    values = [f"v{i}" for i in range(5)]
    models = {f"m{i}": {v: ["adhere" if i else "oppose"] * 12 + ["oppose" if i else "adhere"] for v in values} for i in range(7)}
    tally = tallied(**models)
    found = model_differences(tally, profile(tally))
    assert len(found) == 105
    assert {d.clear for d in found if "m0" in (d.first, d.second)} == {True}
    assert {d.clear for d in found if "m0" not in (d.first, d.second)} == {False}


def test_a_value_that_bears_on_one_model_only_is_not_compared():
    tally = tallied(a={"care": ["adhere"], "fairness": ["adhere"]}, b={"care": ["unrelated"], "fairness": ["oppose"]})
    assert [d.value for d in model_differences(tally, profile(tally))] == ["fairness"]
