"""Coverage and prevalence of a run: told once all verdicts are there, kept when a run goes on, and never mixed."""

import asyncio
import json

import pytest

from clave import Clave, LabelledResponse, Response
from clave.errors import InputError
from clave.files.evaluating import evaluate_file
from clave.files.finishing import SUFFIX
from clave.files.source import ResponseSource
from clave.io import read_verdicts, write_jsonl
from clave.io.manifest import read_manifest
from clave.profile.known import known_of
from clave.records import LABELS

SAID = {"adhere": "We help and protect her gently", "oppose": "We hurt and mock her cruelly", "unrelated": "The train leaves at noon"}


@pytest.fixture(scope="module")
def clave():
    labels = [
        LabelledResponse(id=f"{value}{label}{i}", response=f"{SAID[label]}, number {i}.", value=value, label=label)
        for value in ("care", "fairness")
        for label in LABELS
        for i in range(8)
    ]
    return Clave("mft").fit(labels)


def answers(n):
    """Ever less like the labels: what was learnt from them is ever less sure."""
    return [
        Response(id=f"r{i}", response=f"{SAID[LABELS[i % 3]]}, case {i}." if i % 2 else f"The {i} trains help to mock noon.")
        for i in range(n)
    ]


@pytest.fixture
def run(clave, tmp_path):
    def go(n=40, output="v.jsonl", **options):
        write_jsonl(tmp_path / "r.jsonl", answers(n))
        place = output if output == "-" else tmp_path / output
        return asyncio.run(evaluate_file(clave.judging, ResponseSource(str(tmp_path / "r.jsonl")), place, **options))

    return go


@pytest.mark.parametrize("coverage", [0.8, 0.5, 0.05])
def test_so_many_are_kept_of_each_value_as_was_asked_for_and_they_are_the_surest(run, tmp_path, coverage):
    """A floor off the labelled samples kept all 40 where .8 were asked for."""
    done = run(coverage=coverage)
    verdicts = list(read_verdicts(tmp_path / "v.jsonl"))
    for value in ("care", "fairness"):
        own = [v for v in verdicts if v.value == value]
        kept = [max(v.probabilities.values()) for v in own if v.status == "ok"]
        left = [max(v.probabilities.values()) for v in own if v.status == "abstained"]
        assert len(kept) == round(40 * coverage)
        assert min(kept) >= max(left)
        assert done.counts[value, "abstained"] == len(left)
    plain = list(read_verdicts(tmp_path / "v.plain.jsonl"))
    assert [(v.id, v.probabilities) for v in plain] == [(v.id, v.probabilities) for v in verdicts]
    assert all(v.label for v in plain)


def test_a_run_goes_on_and_its_share_holds_for_all(run, tmp_path):
    assert run(n=20, coverage=0.5).new == 40
    done = run(n=40, coverage=0.5)
    assert done.new == 40
    assert done.counts["care", "abstained"] == 20
    assert run(n=40, coverage=0.5).new == 0


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ({"coverage": 0.5}, {"coverage": 0.8}, "with coverage 0.5, and this run has coverage 0.8"),
        (
            {"prevalence": "auto"},
            {"prevalence": {"care": (0.1, 0.1, 0.8)}},
            r"with prevalence auto, and this run has prevalence care=0.1/0.1/0.8",
        ),
        ({"prevalence": "auto"}, {"coverage": 0.5}, "coverage"),
        ({"coverage": 0.5}, {"coverage": 0.5, "prevalence": "auto"}, "without prevalence, and this run has prevalence auto"),
        ({"prevalence": "auto"}, {}, f"{SUFFIX}"),
        ({"coverage": 0.5}, {}, "with coverage 0.5, and this run has coverage 1"),
        ({}, {"coverage": 0.5}, "no coverage and no prevalence made"),
        ({}, {"prevalence": "auto"}, "no coverage and no prevalence made"),
    ],
)
def test_what_was_made_otherwise_is_not_made_anew(run, tmp_path, first, then, said):
    """Plain verdicts were overwritten by a later run with a prevalence."""
    run(**first)
    before = (tmp_path / "v.jsonl").read_bytes()
    with pytest.raises(InputError, match=said):
        run(**then)
    assert (tmp_path / "v.jsonl").read_bytes() == before


def test_the_manifest_says_both_balances_and_other_evaluators_names_keep_profiles_apart(run, clave, tmp_path):
    run(prevalence={"care": (0.001, 0.001, 0.998)})
    manifest = read_manifest(tmp_path / "v.jsonl")
    assert manifest.options["prevalence"] == "care=0.001/0.001/0.998"
    assert manifest.shifts["care"].prevalence == (0.001, 0.001, 0.998)
    assert manifest.shifts["care"].calibration == pytest.approx([1 / 3] * 3, abs=1e-3)
    assert manifest.shifts["fairness"].prevalence == manifest.shifts["fairness"].calibration
    assert "prevalence" not in json.loads((tmp_path / "v.plain.manifest.json").read_text())["options"]
    verdicts = list(read_verdicts(tmp_path / "v.jsonl"))
    assert {v.label for v in verdicts if v.value == "care"} == {"unrelated"}
    with pytest.raises(InputError, match="plain"):
        known_of(clave.fitted, [v.evaluator for v in verdicts])


def test_tables_and_parts_of_a_folder_hold_the_finished_verdicts_alone(run, clave, tmp_path):
    run(output="t.csv", coverage=0.5)
    assert sum(v.status == "abstained" for v in read_verdicts(tmp_path / "t.csv")) == 40
    for part in (1, 2):
        source = ResponseSource(str(tmp_path / "r.jsonl"), shard=(part, 2))
        asyncio.run(evaluate_file(clave.judging, source, tmp_path / "parts.jsonl", coverage=0.5))
    found = list(read_verdicts(tmp_path / "parts.jsonl"))
    assert len({(v.id, v.value) for v in found}) == len(found) == 80
    assert sum(v.status == "abstained" for v in found) in (40, 41, 42)
    assert read_manifest(tmp_path / "parts.jsonl").options["coverage"] == 0.5


def test_where_it_cannot_be_had_it_is_refused_before_anything_is_judged(run, tmp_path):
    with pytest.raises(InputError, match="in place of -"):
        run(output="-", coverage=0.5)
    with pytest.raises(InputError, match="coverage must be above 0"):
        run(coverage=0)
    assert not list(tmp_path.glob("v*"))
