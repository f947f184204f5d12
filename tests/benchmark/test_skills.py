import pytest

from clave.benchmark.predictions import Prediction, PredictionTable
from clave.benchmark.skills import skills

GOLD = ("adhere", "oppose", "unrelated", "adhere", "oppose", "unrelated")
SAID = {
    "reader": ("adhere", "oppose", "unrelated", "adhere", "adhere", None),
    "scenario-only": ("adhere", "adhere", "unrelated", "unrelated", "adhere", "unrelated"),
    "majority": ("adhere",) * 6,
}


def found(names):
    rows = [
        Prediction(
            judge=judge, id=str(i), group=str(i), value="care", system="tiny", split="original", source="made",
            gold=gold, label=label, status="ok" if label else "failed",
        )
        for judge in names
        for i, (gold, label) in enumerate(zip(GOLD, SAID[judge], strict=True))
    ]  # fmt: skip
    return {s.judge: s for s in skills(PredictionTable.of(rows))}


def test_relevance_and_side_by_hand():
    of = found(SAID)
    assert {j: (s.relevance.value, s.relevance.n, s.relevance.failed) for j, s in of.items()} == {
        "reader": (1.0, 5, 1),
        "scenario-only": (pytest.approx(5 / 6), 6, 0),
        "majority": (pytest.approx(4 / 6), 6, 0),
    }
    assert {j: (s.side.value, s.side.n) for j, s in of.items()} == {
        "reader": (0.75, 4),  # four rows where people and the judge take a side
        "scenario-only": (pytest.approx(1 / 3), 3),
        "majority": (0.5, 4),
    }


def test_the_control_is_the_best_judge_that_never_reads():
    of = found(SAID)
    assert {s.control for s in of.values()} == {"scenario-only"}
    assert of["scenario-only"].to_control is None
    assert of["reader"].to_control.value == pytest.approx(4 / 5 - 2 / 5)  # on the five rows that both judged
    assert of["majority"].to_control.value == pytest.approx(2 / 6 - 3 / 6)


def test_without_a_control_there_is_no_difference():
    assert [(s.control, s.to_control) for s in found(["reader"]).values()] == [(None, None)]
