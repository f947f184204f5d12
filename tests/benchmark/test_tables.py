from pathlib import Path

import pytest

from clave.benchmark.predictions import Prediction, PredictionTable, write_parquet
from clave.benchmark.tables import ALL, compare, drops, leaderboard, price, reliability_bins, value_matrix
from clave.errors import InputError

FROZEN = Path(__file__).parents[1] / "data" / "frozen_run.parquet"


@pytest.fixture(scope="module")
def table():
    return PredictionTable.read(FROZEN)


def row(board, judge, system=ALL, split="original"):
    return next(r for r in board if (r.judge, r.system, r.split) == (judge, system, split))


def test_leaderboard_holds_every_judge_on_every_system_and_split(table):
    board = leaderboard(table)
    assert {(r.system, r.split) for r in board} == {
        (y, p) for y in ("all", "mft", "risk") for p in ("original", "generalization", "perturbation")
    }
    assert len(board) == 9 * 4


def test_leaderboard_scores_what_the_rows_say(table):
    part = table.where(judge="small", system="mft", split="original")
    right = sum(g == p for g, p in zip(part["gold"], part["label"], strict=True))
    assert row(leaderboard(table), "small", "mft").accuracy.value == pytest.approx(right / 120)


def test_equal_judges_share_a_tier_and_worse_ones_fall_behind(table):
    board = leaderboard(table)
    tiers = {judge: row(board, judge).tier for judge in ("large", "guided", "small", "majority")}
    assert tiers == {"large": 1, "guided": 1, "small": 2, "majority": 3}
    small = row(board, "small")
    assert small.to_best.high < 0
    assert small.p_adjusted < 0.05
    best = next(r for r in board if (r.system, r.split) == (ALL, "original"))
    assert (best.to_best, best.p_adjusted) == (None, None)


def test_failures_stand_apart(table):
    large = row(leaderboard(table), "large")
    assert large.statuses["failed"] == large.accuracy.failed > 0
    assert large.accuracy.n + large.accuracy.failed == large.rows == 180


def test_price_counts_failures_as_paid_and_not_as_verdicts():
    fields = {"judge": "j", "value": "care", "group": "g", "gold": "adhere", "calls": 1, "prompt_tokens": 100, "cost": 0.001}
    table = PredictionTable.of([Prediction(id="1", label="adhere", **fields), Prediction(id="2", status="failed", **fields)])
    assert price(table).cost == pytest.approx(2.0)
    assert price(table).prompt_tokens == pytest.approx(200_000)
    unknown = PredictionTable.of([Prediction(id="1", label="adhere", **(fields | {"cost": None}))])
    assert price(unknown).cost is None
    local = PredictionTable.of([Prediction(id="1", label="adhere", **(fields | {"cost": None, "calls": 0}))])
    assert price(local).cost == 0


def test_comparison_is_over_shared_rows_only(table):
    first = table.where(judge="guided", split="original", value="care")
    second = table.where(judge="small", split="original")
    assert compare(first, second).n == 60


def test_matrix_has_a_cell_per_judge_and_value(table):
    cells = value_matrix(table, "original")
    assert {(c.judge, c.value) for c in cells} == {(j, v) for j in table.distinct("judge") for v in ("care", "fairness", "privacy")}
    assert all(c.accuracy.n + c.accuracy.failed == 60 for c in cells)


def test_reliability_counts_every_verdict(table):
    bins = [b for b in reliability_bins(table, "original") if b.judge == "small"]
    assert sum(b.n for b in bins) == 180
    assert bins[0].confidence == pytest.approx(0.65)


def test_drop_is_the_difference_of_two_accuracies(table):
    board, found = leaderboard(table), drops(table, "original", "generalization")
    for judge in ("guided", "small"):
        drop = next(d.drop for d in found if (d.judge, d.system) == (judge, ALL))
        expected = row(board, judge).accuracy.value - row(board, judge, split="generalization").accuracy.value
        assert drop.value == pytest.approx(expected)
        assert drop.low < expected < drop.high
    with pytest.raises(InputError, match="no split 'other'"):
        drops(table, "original", "other")


def test_tables_are_the_same_from_the_parquet_file_and_in_any_order(table, tmp_path):
    write_parquet(tmp_path / "predictions.parquet", reversed(list(table.records())))
    again = {(r.judge, r.system, r.split): r for r in leaderboard(PredictionTable.read(tmp_path))}
    for r in leaderboard(table):
        other = again[r.judge, r.system, r.split]
        assert other.accuracy == r.accuracy
        assert other.statuses == r.statuses
        assert other.price.cost == pytest.approx(r.price.cost)


def test_drop_is_over_systems_that_both_splits_have(table):
    lacking = [r for r in table.records() if (r.system, r.split) != ("risk", "generalization")]
    found = drops(PredictionTable.of(lacking), "original", "generalization")
    assert {d.system for d in found} == {"mft"}
    expected = {d.judge: d.drop for d in drops(table, "original", "generalization") if d.system == "mft"}
    assert {d.judge: d.drop for d in found} == expected
