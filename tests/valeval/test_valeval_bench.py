"""`clave bench run --valeval` on a ValEval that the builder made: splits, limit, flips, what is left out, annotators, going on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clave.benchmark.analyses import flips
from clave.benchmark.annotators import ceilings
from clave.benchmark.data import load
from clave.benchmark.plan import Plan
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.tables import accuracy, drops, score
from clave.cli.bench import app
from clave.errors import InputError
from clave.valeval.row import ValEvalRow, read_split

JUDGES = "majority,tfidf,lexicon"
UNCALIBRATED = "rows of generalization whose value has no calibration rows"


def bench(built: SimpleNamespace, output: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["run", "--valeval", str(built.out), "-o", str(output), *options])


def split(built: SimpleNamespace, name: str) -> list[ValEvalRow]:
    return list(read_split(built.out / f"{name}.jsonl"))


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def done(built: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A run of three judges on every split."""
    folder = tmp_path_factory.mktemp("bench") / "run"
    ran = bench(built, folder, "--judges", JUDGES)
    assert ran.exit_code == 0, ran.output
    return SimpleNamespace(folder=folder, table=PredictionTable.read(folder), output=ran.output)


def test_every_row_of_a_calibrated_value_is_judged_once_with_the_label_of_its_source(built: SimpleNamespace, done: SimpleNamespace) -> None:
    known = {r.value for r in split(built, "calibration")}
    wanted = {
        (r.id, r.value, r.label, s, r.source, r.system)
        for s in ("original", "perturbation", "generalization")
        for r in split(built, s)
        if r.value in known
    }
    for (judge,), part in done.table.groups("judge"):
        found = list(zip(*(part[c] for c in ("id", "value", "gold", "split", "source", "system")), strict=True))
        assert set(found) == wanted, judge
        assert len(found) == len(wanted)


def test_a_value_without_calibration_rows_is_left_out_and_said(built: SimpleNamespace, done: SimpleNamespace) -> None:
    assert {r.value for r in split(built, "generalization")} - {r.value for r in split(built, "calibration")} == {
        *("physical_safety", "self_direction")
    }
    assert manifest(done.folder)["left_out"] == {UNCALIBRATED: "88"}
    assert UNCALIBRATED in (done.folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="every value needs calibration rows"):
        load(Plan(valeval=str(built.out), values=("physical_safety",)))


def test_calibration_rows_are_learnt_from_and_neither_choice_of_them_is_judged(built: SimpleNamespace, done: SimpleNamespace) -> None:
    data = load(Plan(valeval=str(built.out)))
    assert {r.id for r in data.calibration} == {r.id for r in split(built, "calibration")}
    learnt = {r.id for name in ("calibration", "calibration_random") for r in split(built, name)}
    assert learnt.isdisjoint(done.table["id"])
    for name in ("calibration", "calibration_random"):
        with pytest.raises(InputError, match=f"there is no split '{name}': there are original, perturbation, generalization"):
            load(Plan(valeval=str(built.out), splits=("original", name)))


def test_an_edited_row_is_paired_with_the_verdict_on_its_base(built: SimpleNamespace, done: SimpleNamespace) -> None:
    edited = split(built, "perturbation")
    said = {(j, i): label for j, i, label in zip(done.table["judge"], done.table["id"], done.table["label"], strict=True)}
    found = {(f.judge, f.perturbation, f.strength): f.flips for f in flips(done.table)}
    assert {(kind, strength) for _, kind, strength in found} == {(r.kind, r.strength) for r in edited}
    for (judge, kind, strength), rate in found.items():
        own = [r for r in edited if (r.kind, r.strength) == (kind, strength)]
        moved = sum(said[judge, r.id] != said[judge, r.base_id] for r in own)
        assert (rate.n, rate.failed) == (len(own), 0)
        assert rate.value == pytest.approx(moved / len(own))
    assert {rate.value for (judge, *_), rate in found.items() if judge == "majority"} == {0.0}
    assert {rate.value for (judge, kind, _), rate in found.items() if (judge, kind) == ("tfidf", "casing")} == {0.0}  # it reads lower case
    assert max(rate.value or 0 for (judge, *_), rate in found.items() if judge == "lexicon") > 0  # a word it knows is spelt otherwise


def test_the_drop_to_other_sources_is_over_the_systems_that_both_splits_have(done: SimpleNamespace) -> None:
    by = {(d.judge, d.system): d.drop for d in drops(done.table, "original", "generalization")}
    assert {system for _, system in by} == {"all", "schwartz", "social_risk"}
    own = done.table.where(judge="tfidf", system="schwartz")
    before, after = (score(own.where(split=s), accuracy).value for s in ("original", "generalization"))
    assert before is not None
    assert after is not None
    assert by["tfidf", "schwartz"].value == pytest.approx(before - after)


def test_only_the_splits_that_are_named_are_judged_in_that_order(built: SimpleNamespace, tmp_path: Path) -> None:
    ran = bench(built, tmp_path / "run", "--judges", "majority", "--splits", "generalization,original", "--json")
    assert {r["split"] for r in json.loads(ran.stdout)["leaderboard"]} == {"generalization", "original"}
    told = manifest(tmp_path / "run")
    assert list(told["splits"]) == ["generalization", "original"]
    assert told["original_split"] == "generalization"


def test_with_a_limit_edited_rows_come_with_their_base(built: SimpleNamespace) -> None:
    plan = Plan(valeval=str(built.out), limit=6)
    data = load(plan)
    sizes = Counter((g.split, value) for (_, value), g in data.gold.items())
    assert max(sizes.values()) == 6
    judged = {r.id for r in data.rows}
    bases = [g.base for g in data.gold.values() if g.base]
    assert len(bases) > 10
    assert set(bases) <= judged
    assert [r.id for r in load(plan).rows] == [r.id for r in data.rows]
    assert [r.id for r in load(plan.model_copy(update={"seed": 1})).rows] != [r.id for r in data.rows]
    alone = load(plan.model_copy(update={"splits": ("perturbation",)}))  # nothing to be paired with: all may be drawn
    assert len(alone.rows) == sum(min(6, n) for n in Counter(r.value for r in split(built, "perturbation")).values())


def test_a_run_goes_on_where_it_stopped(built: SimpleNamespace, done: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert bench(built, folder, "--judges", "majority").exit_code == 0
    lines = (folder / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "predictions.jsonl").write_bytes(b"".join(lines[:100]) + lines[100][:20])
    assert bench(built, folder, "--judges", JUDGES).exit_code == 0
    again = (folder / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    assert again[:100] == lines[:100]
    assert len(again) == 3 * len(lines)
    assert said_in(PredictionTable.read(folder)) == said_in(done.table)
    with pytest.raises(InputError, match="another 'limit'"):
        raise bench(built, folder, "--judges", JUDGES, "--limit", "3").exception or AssertionError


def said_in(table: PredictionTable) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    keys = zip(table["judge"], table["id"], table["value"], strict=True)
    return dict(zip(keys, zip(table["label"], map(tuple, table.probabilities.tolist()), strict=True), strict=True))


def test_one_annotator_against_the_others_stands_beside_the_judges_where_a_source_tells(
    built: SimpleNamespace, done: SimpleNamespace, tmp_path: Path
) -> None:
    """In 8 of the 40 rows of XSTest the second annotator says something else."""
    (found,) = ceilings(done.folder)
    assert (found.split, found.sources, found.agreement.n) == ("generalization", ("xstest",), 40)
    assert found.agreement.value == pytest.approx(0.8)
    assert f"generalization, {found.name}: {found.agreement}" in done.output
    assert "one annotator against the others (xstest)" in (done.folder / "report.html").read_text(encoding="utf-8")
    ran = bench(built, tmp_path / "run", "--judges", "majority", "--splits", "original")
    assert "one annotator" not in ran.output
    assert "annotator against" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "annotations.jsonl").exists()
