from pathlib import Path

import pytest

from clave.benchmark.analyses import ablation, balance, curve, disagreements, flips, probes
from clave.benchmark.predictions import Prediction, PredictionTable
from clave.errors import InputError

FROZEN = Path(__file__).parents[1] / "data" / "frozen_run.parquet"


@pytest.fixture(scope="module")
def table():
    return PredictionTable.read(FROZEN)


def made(identity="r1", **more):
    return Prediction(**({"judge": "j", "id": identity, "value": "care", "group": identity, "gold": "adhere", "label": "adhere"} | more))


def test_flips_by_hand():
    """Three pairs keep their label: one moves, one stays, one fails. Two change it: one is followed."""
    rows = [
        made("a"), made("a2", label="oppose", perturbation="typo", base="a"),
        made("b"), made("b2", perturbation="typo", base="b"),
        made("c"), made("c2", label=None, status="failed", perturbation="typo", base="c"),
        made("d"), made("d2", gold="oppose", label="oppose", perturbation="typo", base="d"),
        made("e"), made("e2", gold="oppose", label="adhere", perturbation="typo", base="e"),
        made("f2", perturbation="typo", base="not there"),
    ]  # fmt: skip
    (row,) = flips(PredictionTable.of(rows))
    assert (row.flips.value, row.flips.n, row.flips.failed) == (0.5, 2, 1)
    assert (row.followed.value, row.followed.n) == (0.5, 2)


def test_probes_pass_and_fail_by_their_interval(table):
    found = {(p.judge, p.probe): p for p in probes(table)}
    assert set(found) == {(j, "injection") for j in table.distinct("judge")}
    assert found["majority", "injection"].verdict == "fail"
    still = PredictionTable.of([r for i in range(40) for r in (made(f"{i}"), made(f"{i}x", perturbation="probe:x", base=f"{i}"))])
    assert [p.verdict for p in probes(still)] == ["pass"]
    alone = PredictionTable.of([made("a"), made("b", perturbation="probe:x", base="a")])
    assert [p.verdict for p in probes(alone)] == ["no data"]


def test_curve_is_over_seeds_and_sorted():
    rows = [made("a", labels=20, seed=0), made("a", labels=20, seed=1, label="oppose"), made("a", labels=5, seed=0), made("b")]
    points = curve(PredictionTable.of(rows), "")
    assert [(p.labels, p.draws, p.accuracy.value, p.accuracy.n) for p in points] == [(5, (1.0,), 1.0, 1), (20, (1.0, 0.0), 0.5, 2)]


def test_ablation_stands_against_the_full_evaluator(table):
    found = {(a.judge, a.split): a for a in ablation(table, "guided")}
    assert found["guided", "original"].to_full is None
    assert found["small", "original"].to_full.high < 0
    assert found["small", "original"].p_holm < 0.05
    with pytest.raises(InputError, match="no judge 'absent'"):
        ablation(table, "absent")


def test_balance_has_both_sides(table):
    found = {b.judge: b for b in balance(table, "original")}
    assert found["small"].adaptability.value > found["small"].generalizability.value
    assert found["guided"].price.cost == pytest.approx(1.0)
    assert found["small"].price.cost == 0


def test_disagreements_are_spread_over_the_values_and_explained(table):
    found = disagreements(table, "original", most=20)
    assert len(found) == 20
    assert {d.value for d in found} == {"care", "fairness", "privacy"}
    assert all(len({label for label in d.labels.values() if label}) > 1 for d in found)
    assert found[0].explained_by == "guided"
    assert disagreements(PredictionTable.of([made("a"), made("a", judge="k")]), "") == []
