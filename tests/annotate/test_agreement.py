"""Agreement against published worked examples, hand-computed ones, and intervals against simulation."""

import numpy as np
import pytest

from clave.annotate import agreement as a
from clave.annotate.judgement import Judgement


def columns(*annotators: str) -> list[list[str]]:
    """Labels per item from one string per annotator; `.` = missing."""
    return [[label for label in item if label != "."] for item in zip(*annotators, strict=True)]


def judgements(*annotators: str) -> list[Judgement]:
    names = {"a": "adhere", "o": "oppose", "u": "unrelated", "?": "cannot_tell"}
    return [
        Judgement.model_validate({"id": str(i), "value": "care", "annotator": f"p{who}", "label": names[c]})
        for who, said in enumerate(annotators)
        for i, c in enumerate(said)
        if c != "."
    ]


@pytest.mark.parametrize(
    ("annotators", "alpha"),
    [
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_equals_krippendorffs_own_examples(annotators: tuple[str, ...], alpha: float) -> None:
    """Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011: examples A (binary), B (nominal), C (four observers, missing)."""
    assert a.krippendorff_alpha(a.value_counts(columns(*annotators))) == pytest.approx(alpha, abs=0.0006)


def test_kappa_equals_cohens_own_example() -> None:
    """Cohen 1960: 200 cases, three categories, observed .70, expected .41, kappa .492."""
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    pairs = [("abc"[i], "abc"[j]) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    report = a.pair_agreement("v", ("p", "q"), pairs)
    assert report.percent.point == pytest.approx(0.70)
    assert report.kappa.point == pytest.approx(0.2900 / 0.5900)
    assert report.confusion == tuple(tuple(row) for row in table)


def test_report_equals_figures_computed_by_hand() -> None:
    report = a.agreement(judgements("aaou", "aaoo", "a.u?"))
    value = report.values[0]
    # Items: aaa, aa, oou, uo -> agreeing shares 1, 1, 1/3, 0.
    assert value.percent.point == pytest.approx((1 + 1 + 1 / 3 + 0) / 4)
    # n = 10 labels: a 5, o 3, u 2. Disagreeing ordered pairs / (m - 1): oou 4/2, uo 2/1. 1 - (n - 1) * 4 / (100 - 38).
    assert value.alpha.point == pytest.approx(1 - 9 * 4 / 62)
    assert (value.items, value.overlap, value.annotators, value.cannot_tell) == (4, 4, 3, 1)
    first = report.pairs[0]
    # p0 aaou, p1 aaoo: observed 3/4, expected (2*2 + 1*2 + 1*0)/16.
    assert first.kappa.point == pytest.approx((0.75 - 6 / 16) / (1 - 6 / 16))
    assert first.labels == ("adhere", "oppose", "unrelated")
    assert first.confusion == ((2, 0, 0), (0, 1, 0), (0, 1, 0))


def test_items_to_discuss_come_worst_first_and_name_who_said_what() -> None:
    report = a.agreement(judgements("aau", "aao", "aoa"))
    assert [(d.id, round(d.spread, 2)) for d in report.to_discuss] == [("2", 1.0), ("1", 0.67)]
    assert report.to_discuss[0].votes == {"p0": "unrelated", "p1": "oppose", "p2": "adhere"}


@pytest.mark.parametrize("said", [("aaaa",), ("aaaa", "aaaa"), ("aa..", "..oo")])
def test_a_coefficient_that_does_not_exist_is_none(said: tuple[str, ...]) -> None:
    report = a.agreement(judgements(*said))
    assert report.values[0].alpha.point is None
    assert all(pair.kappa.point is None for pair in report.pairs)


def test_the_formulas_of_sums_equal_the_packages() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        pairs = [tuple(rng.choice(list("aou"), 2)) for _ in range(25)]
        pairs += [(x, x) for x in rng.choice(list("aou"), 25)]
        counts = a.value_counts(pairs)
        cells = np.zeros(9)
        for x, y in pairs:
            cells["aou".index(x) * 3 + "aou".index(y)] += 1
        disagreeing = sum(2.0 for x, y in pairs if x != y)
        assert a.alpha_of(np.array([disagreeing, *counts.sum(axis=0)])) == pytest.approx(a.krippendorff_alpha(counts))
        assert a.kappa_of(cells) == pytest.approx(a.cohen_kappa(pairs))


@pytest.mark.parametrize(("items", "copied"), [(12, 0.8), (12, 0.95), (30, 0.8), (30, 0.95), (100, 0.8)])
def test_intervals_hold_the_true_figures_also_of_few_items(items: int, copied: float) -> None:
    """Two annotators copy the truth with this probability and else guess: the true alpha and kappa of balanced labels are its square.

    A percentile bootstrap held alpha in .55 of the runs of twelve items at .95.
    """
    rng = np.random.default_rng(7)
    covered, runs = np.zeros(3), 150
    truths = (copied**2 + (1 - copied**2) / 3, copied**2, copied**2)
    for _ in range(runs):
        truth = rng.integers(0, 3, items)
        said = [np.where(rng.random(items) < copied, truth, rng.integers(0, 3, items)) for _ in range(2)]
        found = a.pair_agreement("v", ("p", "q"), [("aou"[x], "aou"[y]) for x, y in zip(*said, strict=True)])
        for i, (estimate, true) in enumerate(zip((found.percent, found.kappa, found.alpha), truths, strict=True)):
            covered[i] += estimate.low is None or estimate.high is None or estimate.low <= true <= estimate.high
    assert (covered / runs >= 0.90).all(), covered / runs


def test_the_same_judgements_in_another_order_give_the_same_figures() -> None:
    rows = judgements("aaouaou", "aaooaaa", "aouaouu")
    one, other = a.agreement(rows), a.agreement(rows[::-1])
    assert one.values[0].alpha.point == pytest.approx(other.values[0].alpha.point)
    assert {p.annotators: p.kappa.point for p in one.pairs} == {p.annotators: p.kappa.point for p in other.pairs}


def test_pairs_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a, "MOST_PAIRS", 2)
    monkeypatch.setattr(a, "MOST_TOGETHER", 3)
    said = {"r1": "abc", "r2": "ab", "r3": "abcd"}
    report = a.agreement(
        [Judgement(id=i, value="care", label="adhere", annotator=who, response="x") for i, names in said.items() for who in names]
    )
    assert [(p.annotators, p.items) for p in report.pairs] == [(("a", "b"), 2), (("a", "c"), 1)]
    assert (report.pairs_left_out, report.items_left_out) == (1, 1)
