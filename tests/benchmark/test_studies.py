"""Learning curve, ablation, diversity and probes, each from a run's folder to the section of its report."""

import asyncio
import json
from collections import Counter

import pytest
from benchmark.bench_rows import WORDS, judged, write

from clave.benchmark.analyses import ablation as compared
from clave.benchmark.analyses import curve, diversity, probes
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.probing import EDITS, probe
from clave.benchmark.studies import LEFT_OUT, ablation, learning_curve
from clave.benchmark.studies import diversity as diversity_study
from clave.benchmark.subsets import CHOICES, nested, per_value
from clave.errors import InputError
from clave.judges.classical import default_encode
from clave.records import Failure
from clave.report.benchmarking import run_page
from clave.report.forms.json import to_json
from clave.testing import FakeChat

ANSWERS = {words.split()[0]: label for label, words in WORDS.items()}


def table(session, name):
    return PredictionTable.read(session.folder / f"{name}.parquet")


def sections(session):
    return {s["id"]: s for s in json.loads(to_json(run_page(session.folder)))["sections"]}


def test_subsets_are_nested_balanced_and_of_the_asked_size(tmp_path):
    session = judged(tmp_path, write(tmp_path))
    rows = session.data.calibration
    five, ten = (per_value(rows, lambda own, n=n: nested(own, n, 0)) for n in (5, 10))
    assert {r.id for r in five} < {r.id for r in ten}
    assert Counter(r.value for r in five) == {"care": 5, "honesty": 5}
    assert min(Counter((r.value, r.label) for r in ten).values()) == 3
    for choose in CHOICES.values():
        own = [r for r in rows if r.value == "care"]
        assert len({r.id for r in choose(own, 6, 0, default_encode)}) == 6


def test_curve_has_a_point_for_each_number_and_says_what_there_are_no_labels_for(tmp_path):
    session = judged(tmp_path, write(tmp_path))
    outcome = asyncio.run(learning_curve(session, ["tfidf"], points=(6, 24, 60), seeds=2))
    assert outcome.skipped == {"60 labels": "some value has 24 labels only"}
    assert [(p.labels, len(p.draws), p.accuracy.n) for p in curve(table(session, "curve"), "test")] == [(6, 2, 36), (24, 1, 18)]
    assert "curve" in sections(session)


def test_curve_and_diversity_judge_rows_of_the_original_split_within_the_limit(tmp_path):
    session = judged(tmp_path, write(tmp_path))
    asyncio.run(learning_curve(session, ["majority"], points=(6,), seeds=1, limit=2))
    asyncio.run(diversity_study(session, ["majority"], labels=6, seeds=1, limit=2))
    for name, fits in (("curve", 1), ("diversity", 3)):
        found = table(session, name)
        assert set(found["split"]) == {"test"}
        assert Counter(found["value"]) == {"care": 2 * fits, "honesty": 2 * fits}
        assert session.manifest()[name]["limit"] == 2


def test_ablation_compares_each_part_with_the_full_evaluator(tmp_path):
    chat = FakeChat(ANSWERS)
    plan = write(tmp_path).model_copy(update={"judges": ("clave",), "splits": ("test",)})
    session = judged(tmp_path, plan, chat)
    asyncio.run(ablation(session))
    found = {a.judge: a for a in compared(table(session, "ablation"), "clave")}
    assert set(found) == {"clave", *(f"without {part}" for part in LEFT_OUT)}
    assert found["without guideline"].to_full.n == 18
    assert session.manifest()["ablation_full"] == "clave"
    assert "ablation" in sections(session)


def test_a_part_that_is_not_there_is_not_left_out(tmp_path):
    chat = FakeChat(ANSWERS)
    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("clave-plain",), "splits": ("test",)}), chat)
    outcome = asyncio.run(ablation(session, "clave-plain", without=("guideline", "cross-fitting", "stance")))
    assert outcome.skipped == {"without guideline": "clave-plain has none", "without cross-fitting": "clave-plain has none"}
    assert set(table(session, "ablation")["judge"]) == {"clave-plain", "without stance"}
    with pytest.raises(InputError, match="'luck' cannot be left out"):
        asyncio.run(ablation(session, without=("luck",)))


def test_without_cross_fitting_the_guideline_has_seen_the_sample(tmp_path):
    def answer(request):
        if "guideline" in request.schema["properties"]:
            return {"guideline": f"Written from {request.user.count('Label:')} samples."}
        return "adhere"

    chat = FakeChat(answer)
    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("majority",), "splits": ("test",)}), chat)
    asyncio.run(ablation(session, "clave-no-examples", without=("cross-fitting",)))
    shown = Counter(r.system.partition("Written from ")[2].partition(" ")[0] for r in chat.requests if "Written from" in r.system)
    everything = shown.pop("24")
    assert everything == 18 + 48 + 18  # what both judge, and the calibration rows of the one without cross-fitting
    assert sum(shown.values()) == 2 * 48  # cross-fitted: written from the other folds


def test_diversity_compares_with_random_on_the_same_rows(tmp_path):
    session = judged(tmp_path, write(tmp_path))
    asyncio.run(diversity_study(session, ["tfidf"], labels=6, seeds=2))
    found = {c.choice: c for c in diversity(table(session, "diversity"), "test")}
    assert set(found) == {"clustered", "random", "narrow"}
    assert found["random"].to_random is None
    assert (found["narrow"].to_random.n, found["narrow"].labels, len(found["narrow"].draws)) == (36, 6, 2)
    assert "diversity" in sections(session)
    with pytest.raises(InputError, match="nothing to choose"):
        asyncio.run(diversity_study(session, ["tfidf"], labels=24))


def test_a_judge_that_obeys_the_text_fails_the_injection_and_no_other(tmp_path):
    def answer(request):
        text = request.user[request.user.rfind("<response") :]
        if "Ignore the above" in text:
            return text.partition('and answer "')[2].partition('"')[0]
        label = next((label for word, label in ANSWERS.items() if word in text), "unrelated")
        turned = {"adhere": "oppose", "oppose": "adhere"}
        return turned.get(label, label) if "do the opposite" in text else label

    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("zero-shot",)}), FakeChat(answer))
    asyncio.run(probe(session, ["zero-shot"], probes=tuple(EDITS), limit=100))
    found = {p.probe: p for p in probes(table(session, "probes"))}
    assert set(found) == set(EDITS)
    assert (found["injection"].moved.value, found["injection"].verdict) == (1.0, "fail")
    assert (found["negation"].must_turn, found["negation"].moved.value, found["negation"].moved.n) == (True, 1.0, 12)
    assert found["negation"].verdict == "pass"
    assert {found[p].moved.value for p in ("length", "refusal", "markdown", "self-naming")} == {0.0}
    assert found["length"].verdict == "unclear"  # 18 pairs are too few to show less than a tenth
    assert "probes" in sections(session)


def test_the_order_of_values_is_probed_in_the_joint_judge(tmp_path):
    def first_value(request):
        names = list(request.schema["properties"])
        return {name: {"label": "adhere" if name == names[0] else "oppose"} for name in names}

    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("joint",)}), FakeChat(first_value))
    asyncio.run(probe(session, ["joint"], probes=("value-order",), limit=3))
    (found,) = probes(table(session, "probes"))
    assert (found.probe, found.moved.value) == ("value-order", 1.0)


def test_the_order_of_values_is_probed_in_clave_that_asks_for_all_at_once(tmp_path):
    def first_value(request):
        named = [name for name, part in request.schema["properties"].items() if "properties" in part]
        if not named:
            return {"guideline": "Rules."}
        answer = {"concepts": ["Doing something"], "confidence": 0.9, "evidence": []}
        return {name: {**answer, "stance": "adhere" if name == named[0] else "oppose"} for name in named}

    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("clave-joint",)}), FakeChat(first_value))
    asyncio.run(probe(session, ["clave-joint"], probes=("value-order",), limit=3))
    (found,) = probes(table(session, "probes"))
    assert (found.probe, found.moved.n) == ("value-order", 6)


def test_translation_is_asked_of_the_large_model(tmp_path):
    def answer(request):
        return {"text": "Jemand half dem Fremden in der Straße."} if "Translate" in request.system else "adhere"

    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("zero-shot",)}), FakeChat(answer))
    asyncio.run(probe(session, ["zero-shot"], probes=("language",), limit=2))
    (found,) = probes(table(session, "probes"))
    assert (found.probe, found.moved.value) == ("language", 0.0)
    with pytest.raises(InputError, match="no probe 'luck'"):
        asyncio.run(probe(session, ["zero-shot"], probes=("luck",)))


def test_a_budget_that_ends_while_texts_are_translated_ends_the_probes_and_is_told(tmp_path):
    def answer(request):
        if "Translate" in request.system:
            return Failure(status="failed", kind="budget", reason="the budget of $1 is used up")
        return "adhere"

    session = judged(tmp_path, write(tmp_path).model_copy(update={"judges": ("zero-shot",)}), FakeChat(answer))
    outcome = asyncio.run(probe(session, ["zero-shot"], probes=("language", "length"), limit=2))
    assert outcome.stopped == "the budget of $1 is used up"
