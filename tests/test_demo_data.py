"""The demonstration: its data, the answers recorded for its prompts, and how often it is right."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from clave.demo.recorded import VALUES, RecordedChat, demo_key, demo_labels, demo_responses, demo_settings, demo_system
from clave.demo.recording import main, unanswered
from clave.errors import ModelError
from clave.evaluator import Clave
from clave.llm.chat import ChatRequest
from clave.records import LABELS, Response, Verdict, scenario_key

DEMO = Path(str(resources.files("clave.demo")))
ASSISTANTS = ["hearth", "edge", "ledger"]


def test_twelve_examples_per_value_and_label() -> None:
    counts = Counter((e.value, e.label) for e in demo_labels())
    assert counts == {(value, label): 12 for value in VALUES for label in LABELS}
    assert len({e.id for e in demo_labels()}) == 108


def test_three_assistants_answer_the_same_scenarios() -> None:
    asked = {who: [r.scenario for r in demo_responses() if r.metadata["model"] == who] for who in ASSISTANTS}
    assert asked["hearth"] == asked["edge"] == asked["ledger"]
    assert len(set(asked["hearth"])) == 36
    assert len(demo_responses()) == 108


def test_no_text_stands_twice_and_no_scenario_is_among_the_examples() -> None:
    rows: list[Response] = [*demo_labels(), *demo_responses()]
    assert len({scenario_key(r.response) for r in rows}) == len(rows)
    known = [e.group for e in demo_labels()]
    assert len(set(known)) == len(known)
    assert not {r.group for r in demo_responses()} & set(known)


def test_files_hold_only_the_stated_fields() -> None:
    def fields(name: str) -> set[tuple[str, ...]]:
        return {tuple(json.loads(line)) for line in (DEMO / name).read_text(encoding="utf-8").splitlines()}

    assert fields("examples.jsonl") == {("id", "scenario", "response", "value", "label")}
    assert fields("responses.jsonl") == {("id", "model", "scenario", "response")}
    assert fields("responses_key.jsonl") == {("id", *VALUES)}
    assert fields("answers.jsonl") == {("prompt", "answer")}


def test_responses_are_short_prose() -> None:
    for row in [*demo_labels(), *demo_responses()]:
        assert 4 <= len(row.response.split()) <= 70, row.id
        assert row.scenario.strip()


def test_length_does_not_give_the_label_away() -> None:
    words = {label: np.mean([len(e.response.split()) for e in demo_labels() if e.label == label]) for label in ("adhere", "oppose")}
    assert 0.75 < words["adhere"] / words["oppose"] < 1.33


def test_the_key_covers_every_response_and_value() -> None:
    assert set(demo_key()) == {(r.id, v) for r in demo_responses() for v in VALUES}
    assert Counter(demo_key().values()) == {"unrelated": 224, "adhere": 68, "oppose": 32}


def test_every_prompt_has_its_recorded_answer() -> None:
    chat = asyncio.run(unanswered())
    assert not chat.missing, (
        f"{len(chat.missing)} of the demo's prompts have no recorded answer, since a prompt, an example or a response was changed. "
        "Write them out with `python -m clave.demo.recording prompts FOLDER`, have each answered by somebody who sees the prompt alone, "
        "and take the answers in with `python -m clave.demo.recording take FILE…`; twice, as guidelines come before what they stand in."
    )
    assert len(chat.asked) == 228
    assert len((DEMO / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 228, "answers to prompts that are gone"


def test_an_edited_prompt_is_refused() -> None:
    with pytest.raises(ModelError, match="clave.demo.recording"):
        asyncio.run(RecordedChat().complete(ChatRequest(system="Label this.", user="An edited prompt.", schema=None)))


def test_recording_says_what_is_missing_and_how_to_go_on(tmp_path: Path) -> None:
    assert main(["prompts", str(tmp_path)]) == "every prompt has its answer"
    assert "take FILE" in main([])


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    clave = Clave(demo_system(), chat=RecordedChat(), settings=demo_settings()).fit(demo_labels())
    return list(clave.evaluate(demo_responses()))


def test_the_demo_is_right_on_the_authors_labels(verdicts: list[Verdict]) -> None:
    """321 of 324 when the answers were recorded; the demo prints the figure with its interval."""
    assert len(verdicts) == 324
    right = sum(v.label == demo_key()[v.id, v.value] for v in verdicts)
    assert right / len(verdicts) >= 0.85, right


def test_each_verdict_that_takes_a_side_has_concepts_and_quotes(verdicts: list[Verdict]) -> None:
    texts = {r.id: r.response for r in demo_responses()}
    for verdict in verdicts:
        assert all(texts[verdict.id][e.start : e.end] == e.text for e in verdict.evidence)
        if verdict.label != "unrelated":
            assert verdict.concepts, verdict.id
            assert verdict.evidence, verdict.id
