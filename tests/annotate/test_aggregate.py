"""Majority and Dawid-Skene: votes kept, ties left open, a careless annotator found out."""

import numpy as np
import pytest

from clave.annotate.aggregate import aggregate, dawid_skene
from clave.annotate.judgement import Adjudication, Judgement


def said(identity: str, **by: str) -> list[Judgement]:
    return [
        Judgement.model_validate({"id": identity, "value": "care", "annotator": who, "label": label, "response": "x"})
        for who, label in by.items()
    ]


def test_majority_wins_and_keeps_who_said_what() -> None:
    result = aggregate(said("1", ana="adhere", ben="adhere", cho="oppose"))
    assert [(row.id, row.label) for row in result.labelled] == [("1", "adhere")]
    assert result.labelled[0].metadata == {"votes": {"ana": "adhere", "ben": "adhere", "cho": "oppose"}, "settled_by": "majority"}


@pytest.mark.parametrize("method", ["majority", "dawid-skene"])
def test_cannot_tell_is_no_vote_and_never_a_label(method: str) -> None:
    rows = said("1", ana="cannot_tell", ben="oppose") + said("2", ana="cannot_tell", ben="cannot_tell")
    result = aggregate(rows, method=method)  # type: ignore[arg-type]
    assert [(row.id, row.label) for row in result.labelled] == [("1", "oppose")]
    assert [(row.id, row.reason) for row in result.undecided] == [("2", "cannot_tell")]


def test_a_tie_is_settled_by_adjudication_only() -> None:
    rows = said("1", ana="adhere", ben="oppose")
    assert [u.reason for u in aggregate(rows).undecided] == ["tie"]
    settled = aggregate(rows, [Adjudication(id="1", value="care", label="unrelated", by="dee")])
    assert settled.undecided == []
    assert settled.labelled[0].label == "unrelated"
    assert settled.labelled[0].metadata["settled_by"] == "dee"


def test_one_step_of_dawid_skene_equals_the_hand_computation() -> None:
    """Items: both say 0; both say 1; they differ. First posteriors are the shares (1,0), (0,1), (.5,.5)."""
    counts = np.array([[[1, 0], [1, 0]], [[0, 1], [0, 1]], [[1, 0], [0, 1]]], dtype=float)
    posterior, rates, prior = dawid_skene(counts, iterations=1, smoothing=0.0 + 1e-12)
    assert prior == pytest.approx([0.5, 0.5])
    # Annotator 0, true 0: said 0 on item 0 (weight 1) and item 2 (.5), never 1 -> (1, 0); true 1: said 1 once, 0 half -> (1/3, 2/3).
    assert rates[0] == pytest.approx(np.array([[1, 0], [1 / 3, 2 / 3]]))
    assert rates[1] == pytest.approx(np.array([[2 / 3, 1 / 3], [0, 1]]))
    # Item 2: true 0: 1 * 1/3; true 1: 1/3 * 1 -> equal.
    assert posterior[2] == pytest.approx([0.5, 0.5])
    # Item 0: true 0: 1 * 2/3; true 1: 1/3 * 0.
    assert posterior[0] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("items", [20, 60, 150])
@pytest.mark.parametrize("right", [(0.8, 0.8, 0.8), (0.9, 0.7, 0.5)])
def test_labels_are_about_as_certain_as_they_are_right(items: int, right: tuple[float, ...]) -> None:
    """With next to no smoothing sixty items were stated with .95 and right in .89, twenty with .98."""
    rng = np.random.default_rng(1)
    stated, kept, majority = [], [], []
    for _ in range(60):
        truth = rng.integers(0, 3, items)
        counts = np.zeros((items, len(right), 3))
        for k, p in enumerate(right):
            wrong = (truth + rng.integers(1, 3, items)) % 3
            counts[np.arange(items), k, np.where(rng.random(items) < p, truth, wrong)] = 1
        posterior, _, _ = dawid_skene(counts)
        stated.append(posterior.max(axis=1).mean())
        kept.append((posterior.argmax(axis=1) == truth).mean())
        majority.append((counts.sum(axis=1).argmax(axis=1) == truth).mean())
    assert np.mean(stated) == pytest.approx(np.mean(kept), abs=0.05)
    assert np.mean(kept) > np.mean(majority) - 0.01


def test_dawid_skene_finds_the_planted_error_rates_and_beats_the_majority() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    right = [0.9, 0.9, 0.4, 0.4, 0.4]
    counts = np.zeros((600, 5, 3))
    for k, p in enumerate(right):
        wrong = (truth + rng.integers(1, 3, 600)) % 3
        counts[np.arange(600), k, np.where(rng.random(600) < p, truth, wrong)] = 1
    posterior, rates, _ = dawid_skene(counts)
    assert np.trace(rates, axis1=1, axis2=2) / 3 == pytest.approx(right, abs=0.06)
    majority = (counts.sum(axis=1) + rng.random((600, 3)) * 0.01).argmax(axis=1)
    assert (posterior.argmax(axis=1) == truth).mean() > (majority == truth).mean() + 0.05
