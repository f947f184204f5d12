import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from clave.errors import InputError
from clave.records import LABELS
from clave.scoring.metrics import (
    accuracy,
    accuracy_difference,
    annotator_ceiling,
    brier,
    flip_rate,
    kappa,
    log_loss,
    macro_f1,
    recalls,
)
from clave.scoring.reliability import calibration_error
from clave.scoring.selective import coverage_at_risk

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


def test_a_score_at_its_bound_has_an_interval():
    """Two annotators of opposite minds: kappa is -1, and would not be without one of the rows."""
    found = kappa([A, X, A, X, A], [X, A, X, A, X])
    assert found.value < -0.9
    assert found.low < found.high
    exact = kappa([A, X], [X, A])
    assert exact.value == -1


def test_kappa_is_not_defined_where_only_one_label_occurs():
    assert kappa([A, A], [A, A]).value is None


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=2, max_size=60))
def test_scores_are_those_of_scikit_learn(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    assert accuracy(gold, predicted).value == pytest.approx(accuracy_score(gold, predicted))
    assert macro_f1(gold, predicted).value == pytest.approx(f1_score(gold, predicted, average="macro"))
    if len({*gold, *predicted}) > 1:
        assert kappa(gold, predicted).value == pytest.approx(cohen_kappa_score(gold, predicted))


def test_brier_by_hand():
    chances = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    assert brier([A, X], chances).value == pytest.approx(((0.25 + 0.09 + 0.04) + 2) / 2)
    assert brier([A, X, U], [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], None]).failed == 1


def test_log_loss_is_that_of_scikit_learn():
    rng = np.random.default_rng(2)
    chances, codes = rng.dirichlet([1, 1, 1], size=50), rng.integers(0, 3, 50)
    assert log_loss([LABELS[i] for i in codes], chances).value == pytest.approx(metrics.log_loss(codes, chances, labels=[0, 1, 2]))
    assert log_loss([A], [[0.0, 1.0, 0.0]]).value == pytest.approx(-np.log(1e-9))


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
        (log_loss, chances),
        (calibration_error, chances),
        (coverage_at_risk, chances),
    ):
        mixed = score([gold[i] for i in order], [second[i] for i in order], [groups[i] for i in order])
        assert score(gold, second, groups).value == pytest.approx(mixed.value)
