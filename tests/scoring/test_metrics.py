import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from clave.errors import InputError
from clave.records import LABELS
from clave.scoring.metrics import (
    accuracy,
    accuracy_difference,
    annotator_ceiling,
    brier,
    calibration_error,
    coverage_at_risk,
    flip_rate,
    kappa,
    macro_f1,
    recalls,
    reliability,
)

A, X, U = LABELS
GOLD = [A, A, A, A, X, X, X, U, U, U]
PREDICTED = [A, A, A, X, X, X, U, U, U, A]
"""Confusion: adhere 3/1/0, oppose 0/2/1, unrelated 1/0/2."""


def test_accuracy_f1_and_kappa_by_hand():
    assert accuracy(GOLD, PREDICTED).value == pytest.approx(0.7)
    # F1: adhere 2*3/(4+4), oppose 2*2/(3+3), unrelated 2*2/(3+3)
    assert macro_f1(GOLD, PREDICTED).value == pytest.approx((6 / 8 + 4 / 6 + 4 / 6) / 3)
    # expected agreement: (4*4 + 3*3 + 3*3) / 100 = 0.34
    assert kappa(GOLD, PREDICTED).value == pytest.approx((0.7 - 0.34) / (1 - 0.34))


def test_recall_of_each_label_by_hand():
    found = recalls(GOLD, PREDICTED)
    assert {label: (round(e.value, 4), e.n) for label, e in found.items()} == {A: (0.75, 4), X: (0.6667, 3), U: (0.6667, 3)}


def test_a_missing_verdict_is_counted_and_is_neither_right_nor_wrong():
    estimate = accuracy([*GOLD, A, X], [*PREDICTED, None, None])
    assert (estimate.value, estimate.n, estimate.failed) == (pytest.approx(0.7), 10, 2)
    assert macro_f1([*GOLD, U], [*PREDICTED, None]).value == macro_f1(GOLD, PREDICTED).value


def test_no_verdict_at_all_has_no_score():
    estimate = accuracy([A, X], [None, None])
    assert (estimate.value, estimate.n, estimate.failed) == (None, 0, 2)
    assert calibration_error([A, X], [None, None]).value is None
    assert coverage_at_risk([A, X], [None, None]).value is None


def test_kappa_is_not_defined_where_only_one_label_occurs():
    assert kappa([A, A], [A, A]).value is None


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=2, max_size=60))
def test_scores_are_those_of_scikit_learn(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    assert accuracy(gold, predicted).value == pytest.approx(accuracy_score(gold, predicted))
    assert macro_f1(gold, predicted).value == pytest.approx(f1_score(gold, predicted, average="macro"))
    if len({*gold, *predicted}) > 1:
        assert kappa(gold, predicted).value == pytest.approx(cohen_kappa_score(gold, predicted))


def test_calibration_error_by_hand():
    """Two rows at .9 of which one is right (gap .4), two at .6 of which both are (gap .4): .4 in all; a fifth at 1, right."""
    chances = [[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.2, 0.6, 0.2], [0.2, 0.6, 0.2], [0.0, 0.0, 1.0]]
    gold = [A, X, X, X, U]
    assert calibration_error(gold, chances).value == pytest.approx((2 * 0.4 + 2 * 0.4 + 0) / 5)
    assert reliability(gold, chances) == [(pytest.approx(0.6), 1.0, 2), (pytest.approx(0.9), 0.5, 2), (1.0, 1.0, 1)]


def test_gaps_within_a_bin_cancel_and_across_bins_do_not():
    """.67 and .73 share the bin (10/15, 11/15]; .66 stands in the one below."""
    right, wrong = [0.67, 0.33, 0], [0.73, 0.27, 0]
    assert calibration_error([A, X], [right, wrong]).value == pytest.approx(abs(1 - 1.40) / 2)
    assert calibration_error([A, X], [[0.66, 0.34, 0], wrong]).value == pytest.approx((0.34 + 0.73) / 2)


def test_brier_by_hand():
    chances = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    assert brier([A, X], chances).value == pytest.approx(((0.25 + 0.09 + 0.04) + 2) / 2)
    assert brier([A, X, U], [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], None]).failed == 1


def test_coverage_at_risk_by_hand():
    """Surest first: right, right, wrong, right, wrong. With a quarter allowed wrong, four of five can be answered."""
    sure = [0.95, 0.9, 0.8, 0.7, 0.6]
    chances = [[s, 1 - s, 0] for s in sure]
    gold = [A, A, X, A, X]
    assert coverage_at_risk(gold, chances, risk=0.25).value == pytest.approx(0.8)
    assert coverage_at_risk(gold, chances, risk=0.1).value == pytest.approx(0.4)
    assert coverage_at_risk([X, A], [[0.9, 0.1, 0], [0.6, 0.4, 0]], risk=0.1).value == 0


def test_rows_of_one_confidence_are_answered_together():
    chances = [[0.8, 0.2, 0]] * 2
    assert coverage_at_risk([A, X], chances, risk=0.1).value == coverage_at_risk([X, A], chances, risk=0.1).value == 0


def test_flip_rate_counts_pairs():
    estimate = flip_rate([A, A, X, U, None, A], [A, X, X, A, A, None])
    assert (estimate.value, estimate.n, estimate.failed) == (0.5, 4, 2)


def test_difference_is_over_rows_with_both_verdicts():
    difference = accuracy_difference([A, A, X, X], [A, A, X, None], [A, X, None, X])
    assert (difference.value, difference.n, difference.failed) == (0.5, 2, 2)


def test_annotator_ceiling_by_hand():
    """A A X: the two A find the others split (1/2 each), X finds two A (0): 1 of 3. A A: 2 of 2. One annotator says nothing."""
    estimate = annotator_ceiling([[A, A, X], [A, A], [U]])
    assert (estimate.value, estimate.n, estimate.failed) == (pytest.approx(3 / 5), 2, 1)


def test_unequal_lengths_and_unknown_labels_are_told():
    with pytest.raises(InputError, match="2 labels on one side and 1"):
        accuracy([A, X], [A])
    with pytest.raises(InputError, match="'yes' is not a label"):
        accuracy([A], ["yes"])
    with pytest.raises(InputError, match="1 gold labels and 2 rows"):
        brier([A], [[1, 0, 0], [1, 0, 0]])


def test_row_order_changes_no_score():
    rng = np.random.default_rng(5)
    gold, predicted = [LABELS[i] for i in rng.integers(0, 3, 90)], [LABELS[i] for i in rng.integers(0, 3, 90)]
    chances, groups = rng.dirichlet([1, 1, 1], size=90), [f"g{i // 3}" for i in range(90)]
    order = rng.permutation(90)
    for score, second in (
        (accuracy, predicted),
        (kappa, predicted),
        (brier, chances),
        (calibration_error, chances),
        (coverage_at_risk, chances),
    ):
        mixed = score([gold[i] for i in order], [second[i] for i in order], [groups[i] for i in order])
        assert score(gold, second, groups).value == pytest.approx(mixed.value)
