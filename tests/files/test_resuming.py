"""Going on with a file of verdicts never mixes what was judged otherwise: it is asked again, or refused with what differs."""

import asyncio
import json

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM

from clave import Clave, InputError, Response
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.io import read_verdicts, write_jsonl
from clave.testing import FakeChat


@pytest.fixture
def place(tmp_path):
    write_jsonl(tmp_path / "responses.jsonl", RESPONSES)
    return tmp_path


def run(place, chat=None, responses="responses.jsonl", **options):
    clave = Clave(SYSTEM, chat=chat or FakeChat(RULES))
    return asyncio.run(evaluate_file(clave.judging, ResponseSource(str(place / responses)), place / "verdicts.jsonl", **options))


def labels(place):
    return {(v.id, v.value): v.label for v in read_verdicts(place / "verdicts.jsonl")}


def without(path, *fields):
    """The file as an earlier version wrote it."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k not in fields}, separators=(",", ":")) + "\n" for row in rows))


def test_a_text_that_changed_under_its_id_is_asked_again(place):
    run(place)
    assert labels(place)["r0", "care"] == "adhere"
    changed = [RESPONSES[0].model_copy(update={"response": "Somebody harmed today."}), *RESPONSES[1:]]
    write_jsonl(place / "responses.jsonl", changed)
    chat = FakeChat(RULES)
    found = run(place, chat)
    assert (found.new, len(chat.requests)) == (2, 2)
    assert labels(place) | {("r0", "care"): "oppose", ("r0", "honesty"): "oppose"} == labels(place)
    assert len(labels(place)) == sum(1 for _ in read_verdicts(place / "verdicts.jsonl")) == 18
    assert "2 verdicts judged texts that have changed" in found.notes[0]
    assert run(place).new == 0


def test_a_scenario_that_changed_is_asked_again(place):
    run(place)
    write_jsonl(place / "responses.jsonl", [r.model_copy(update={"scenario": f"{r.scenario}!"}) for r in RESPONSES])
    assert run(place).new == 18


@pytest.mark.parametrize("option", [{"min_confidence": 0.9}, {"min_confidence": 0.0}])
def test_other_options_are_refused_and_named(place, option):
    first = {"min_confidence": 0.9} if option["min_confidence"] == 0 else {}
    run(place, **first)
    before = (place / "verdicts.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"made with min-confidence 0(\.9)?, and this run has min-confidence"):
        run(place, **option)
    assert (place / "verdicts.jsonl").read_bytes() == before


def test_other_responses_are_refused_and_one_of_them_is_named(place):
    run(place)
    write_jsonl(place / "others.jsonl", [Response(id="x1", response="Somebody helped.")])
    with pytest.raises(InputError, match="18 verdicts that these responses do not ask for, e.g. of 'r0' for 'care'"):
        run(place, responses="others.jsonl")
    assert len(labels(place)) == 18


def test_more_responses_go_on(place):
    write_jsonl(place / "responses.jsonl", RESPONSES[:4])
    run(place)
    write_jsonl(place / "responses.jsonl", RESPONSES)
    found = run(place)
    assert (found.new, found.notes) == (10, ())


def test_a_file_of_an_earlier_version_is_taken_as_it_is_and_that_is_said(place):
    run(place)
    (place / "verdicts.manifest.json").unlink()
    without(place / "verdicts.jsonl", "judged")
    write_jsonl(place / "responses.jsonl", [r.model_copy(update={"response": "Somebody harmed."}) for r in RESPONSES])
    found = run(place)
    assert found.new == 0
    assert "18 verdicts do not say which texts they judge; they are taken as they are" in found.notes[0]


def test_a_file_without_its_manifest_is_gone_on_with_and_that_is_said(place):
    run(place)
    (place / "verdicts.manifest.json").unlink()
    assert "do not say which options shaped them" in run(place).notes[0]
    assert run(place).notes == ()


def test_the_manifest_says_what_made_the_file(place):
    run(place, min_confidence=0.25)
    found = json.loads((place / "verdicts.manifest.json").read_text())
    assert found["evaluator"] == Clave(SYSTEM, chat=FakeChat(RULES)).name
    assert found["values"] == {"care": "Care", "honesty": "Honesty"}
    assert found["responses"]["name"] == "responses.jsonl"
    assert len(found["responses"]["sha256"]) == 64
    assert found["options"] == {"min_confidence": 0.25, "coverage": 1.0}


def test_a_file_in_which_novel_responses_are_abstained_on_is_not_gone_on_with_otherwise(place):
    run(place)
    path = place / "verdicts.manifest.json"
    found = json.loads(path.read_text())
    found["options"]["abstain_novel"] = 1
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match="was made with abstain-novel 1, and this run has none"):
        run(place)


def test_something_else_in_the_manifests_place_is_refused(place):
    run(place)
    (place / "verdicts.manifest.json").write_text("{}")
    with pytest.raises(InputError, match=r"verdicts.manifest.json: not a manifest of verdicts"):
        run(place)


def test_standard_input_is_compared_as_it_comes(place, monkeypatch):
    run(place)
    lines = (place / "responses.jsonl").read_bytes().replace(b"case 4", b"case 5")

    def again(data):
        import io
        from types import SimpleNamespace

        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return asyncio.run(evaluate_file(Clave(SYSTEM, chat=FakeChat(RULES)).judging, ResponseSource("-"), place / "verdicts.jsonl"))

    with pytest.raises(InputError, match="another text of id 'r4': name another output"):
        again(lines)
    assert again((place / "responses.jsonl").read_bytes()).new == 0
