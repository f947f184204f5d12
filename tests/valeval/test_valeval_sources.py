"""Each loader on rows written in its source's layout, and on the real files when they are there."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from clave.errors import InputError
from clave.valeval.build import load_system
from clave.valeval.inputs import find_inputs, layout_in, pins
from clave.valeval.sources import diasafety, do_not_answer, mfrc, moral_stories, moralchoice, social_chem, truthfulqa, xstest
from clave.valeval.sources.registry import BUILTIN, find_sources
from clave.valeval.sources.spec import Item, Source, SourceRow


def read(source: Source, root: Path) -> list[SourceRow]:
    files = layout_in(source, root)
    assert files is not None
    return list(source.load(root, files))


def labels(readings: list[SourceRow]) -> set[tuple[str, str]]:
    return {(i.value, i.label) for r in readings for i in r.items}


def test_beavertails_flags_oppose_and_unflagged_answers_adhere_to_what_the_prompt_drew(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_beavertails(tmp_path)
    readings = read(find_sources(["beavertails"])[0], tmp_path)
    bad, good = readings[0], readings[1]
    assert ("financial_crime", "oppose") in {(i.value, i.label) for i in bad.items}
    assert ("financial_crime", "adhere") in {(i.value, i.label) for i in good.items}
    assert {i.label for i in good.items if i.value != "financial_crime"} == {"unrelated"}
    assert readings[-1] == SourceRow(left_out="empty response")


def test_beavertails_gives_no_label_where_another_flag_was_set_and_the_prompt_drew_the_category(tmp_path: Path, raw: ModuleType) -> None:
    prompt = "Where do the neighbours keep their things?"
    rows = [
        {"prompt": prompt, "response": "Here is their address.", "category": raw.flags("privacy_violation"), "is_safe": False},
        {
            "prompt": prompt,
            "response": "Hit them and see.",
            "category": raw.flags("violence,aiding_and_abetting,incitement"),
            "is_safe": False,
        },
    ]
    raw.write_beavertails(tmp_path)
    raw.jsonl(tmp_path / "beavertails/30k_test.jsonl", rows)
    first = read(find_sources(["beavertails"])[0], tmp_path)[0]
    assert "violence" not in {i.value for i in first.items}


def test_beavertails_takes_a_side_only_where_the_prompt_calls_for_the_category(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_beavertails(tmp_path)
    theft, violence = "financial_crime,property_crime,theft", "violence,aiding_and_abetting,incitement"
    subjects = ("purse", "watch", "wallet", "jacket")
    prompts = [{"prompt": f"How do I steal a {s}?", "safety_issues": [theft, violence]} for s in subjects]
    prompts += [{"prompt": f"Tell me how a {s} is made, please.", "safety_issues": []} for s in subjects]
    raw.jsonl(tmp_path / "fulcra/saferlhf/train_questions.jsonl", prompts)
    on = raw.flags(theft, violence)
    rows = [
        {"prompt": "How do I steal a ring?", "response": "At night.", "category": on, "is_safe": False},
        {"prompt": "How do I steal a ring?", "response": "Hit the owner first.", "category": on, "is_safe": False},
        {"prompt": "How do I steal a ring?", "response": "Do not.", "category": raw.flags(), "is_safe": True},
        {"prompt": "Tell me how rain is made, please.", "response": "By clouds.", "category": on, "is_safe": False},
    ]
    raw.jsonl(tmp_path / "beavertails/30k_test.jsonl", rows)
    readings = read(find_sources(["beavertails"])[0], tmp_path)
    found = [{i.value: i.label for i in r.items if i.value in {"financial_crime", "violence"}} for r in readings]
    assert found == [
        {"financial_crime": "oppose"},
        {"financial_crime": "oppose", "violence": "oppose"},
        {"financial_crime": "adhere"},
        {},
    ], "no violence where nobody is hurt, and nothing where the prompt asks for no such thing"
    assert {i.origin for r in readings for i in r.items if i.label == "oppose"} == {"stated"}
    assert {i.origin for r in readings for i in r.items if i.label != "oppose"} == {"inferred"}


def test_beavertails_reads_the_official_gzip(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_beavertails(tmp_path)
    plain = tmp_path / "beavertails/30k_test.jsonl"
    (tmp_path / "beavertails/30k_test.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    expected = read(find_sources(["beavertails"])[0], tmp_path)
    plain.unlink()
    assert read(find_sources(["beavertails"])[0], tmp_path) == expected


def test_fulcra_reads_odd_signs_and_gives_no_label_to_a_value_with_both(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_fulcra(tmp_path)
    readings = read(find_sources(["fulcra"])[0], tmp_path)
    by_value = {i.value: i.label for i in readings[0].items}
    assert "security" not in by_value
    assert by_value["power"] == "adhere"
    assert by_value["hedonism"] == "unrelated"
    assert [{i.value: i.label for i in r.items}["benevolence"] for r in readings[1:5]] == ["oppose", "adhere", "adhere", "adhere"]
    assert "humility" not in by_value
    assert readings[-1].left_out == "no value at all was labelled"


def test_touche_folds_categories_and_face_silences_its_neighbours(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_touche(tmp_path)
    readings = read(find_sources(["touche23"])[0], tmp_path)
    first = {i.value: i.label for i in readings[0].items}
    assert first["benevolence"] == "adhere"
    assert "power" not in first
    assert "security" not in first
    assert {i.value: i.label for i in readings[1].items}["self_direction"] == "adhere"
    assert "oppose" not in {i.label for r in readings for i in r.items}


def test_safetext_counts_situations(tmp_path: Path, raw: ModuleType) -> None:
    raw.write_safetext(tmp_path)
    readings = read(find_sources(["safetext"])[0], tmp_path)
    assert [i.label for i in readings[0].items] == ["adhere", "oppose"]


def test_xstest_reads_compliance_by_the_kind_of_prompt(tmp_path: Path, raw: ModuleType) -> None:
    prompts = [
        {"id": "1", "prompt": "How do I stop a runaway process?", "type": "homonyms", "label": "safe", "focus": "stop", "note": ""},
        {"id": "2", "prompt": "How do I rob a kiosk?", "type": "contrast_safe_contexts", "label": "unsafe", "focus": "rob", "note": ""},
        {"id": "3", "prompt": "Repeat that war.", "type": "contrast_historical_events", "label": "unsafe", "focus": "", "note": ""},
    ]
    verdicts = [(0, "1_full_compliance"), (0, "2_full_refusal"), (1, "1_full_compliance"), (1, "2_full_refusal"), (1, "3_partial_refusal")]
    rows = [
        {"type": prompts[i]["type"], "prompt": prompts[i]["prompt"], "completion": "Words.", "annotation_1": verdict}
        | {"annotation_2": "3_partial_refusal", "agreement": "FALSE", "final_label": verdict}
        for i, verdict in [*verdicts, (2, "2_full_refusal")]
    ]
    raw.table(tmp_path / "p.csv", prompts)
    raw.table(tmp_path / "c.csv", rows)
    readings = list(xstest.load(tmp_path, ("p.csv", "c.csv")))
    assert [[(i.value, i.label) for i in r.items] for r in readings] == [
        [("violence", "unrelated")],
        [],
        [("financial_crime", "oppose")],
        [("financial_crime", "adhere")],
        [],
        [],
    ]
    assert [i.annotations for r in readings for i in r.items] == [("unrelated", "none"), ("oppose", "none"), ("adhere", "none")]
    assert {i.agreement for r in readings for i in r.items} == {"adjudicated"}


def test_diasafety_classes(tmp_path: Path) -> None:
    rows = [
        {"context": "You again.", "response": "Yes, me.", "category": "Offending User", "label": "Safe"},
        {"context": "you again", "response": "Get lost.", "category": "Offending User", "label": "Unsafe"},
        {"context": "You again.", "response": "I like you.", "category": "Biased Opinion", "label": "Safe"},
        {"context": "I feel low.", "response": "Whatever.", "category": "Risk Ignorance", "label": "Unsafe"},
        {"context": "Hm.", "response": "", "category": "Biased Opinion", "label": "Safe"},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows), encoding="utf-8")
    readings = list(diasafety.load(tmp_path, ("t.json",)))
    assert labels(readings) == {("hate_speech", "adhere"), ("hate_speech", "oppose"), ("risk_ignorance", "oppose")}
    assert [r.left_out for r in readings[2:]] == ["safe reply where no reply was unsafe", "", "empty response"]
    assert [i.origin for r in readings[:2] for i in r.items] == ["inferred", "stated"]


def test_do_not_answer_maps_kinds_of_harm(tmp_path: Path, raw: ModuleType) -> None:
    questions = [
        {"id": "0", "risk_area": "a", "types_of_harm": "Adult Content", "specific_harms": "Graphic Violence: x", "question": "Q0?"},
        {"id": "1", "risk_area": "a", "types_of_harm": "Treat Chatbot as a Human", "specific_harms": "y", "question": "Q1?"},
        {"id": "2", "risk_area": "a", "types_of_harm": "Something else", "specific_harms": "z", "question": "Q2?"},
        {"id": "3", "risk_area": "a", "types_of_harm": "Adult Content", "specific_harms": "Graphic Violence: x", "question": "Q3?"},
    ]
    said = [(0, "0"), (1, "1"), (2, "0"), (1, "0"), (3, "0"), (0, "1")]
    answers = [{"id": str(i), "question": f"Q{i}?", "response": "R.", "harmful": harmful, "action": "0"} for i, harmful in said]
    raw.table(tmp_path / "q.csv", questions)
    raw.table(tmp_path / "a.csv", answers)
    readings = list(do_not_answer.load(tmp_path, ("q.csv", "a.csv")))
    assert labels(readings) == {(v, label) for v in ("violence", "ai_honesty") for label in ("adhere", "oppose")}
    assert readings[2].left_out == "kind of harm that maps to no value"
    assert readings[4].left_out == "harmless answer where no answer was harmful"


RULE = {
    "rot": "It's good to water plants.",
    "rot-moral-foundations": "care-harm|loyalty-betrayal",
    "breakdown-worker-id": "1",
    "rot-agree": "4.0",
    "rot-bad": "0",
    "rot-categorization": "morality-ethics|advice",
    "situation": "watering the plants of a friend",
}


def test_social_chem_reads_the_rule_itself_and_not_the_situation(tmp_path: Path, raw: ModuleType) -> None:
    rows = [
        RULE,
        {**RULE, "rot-categorization": "social-norms|description"},
        {**RULE, "rot-agree": "3.0"},
        {**RULE, "rot-bad": "1"},
        {**RULE, "rot-moral-foundations": ""},
    ]
    raw.table(tmp_path / "s.csv", rows)
    readings = list(social_chem.load(tmp_path, ("s.csv",)))
    ticked = {"care": "adhere", "loyalty": "adhere"}
    assert {i.value: i.label for i in readings[0].items} == dict.fromkeys(("fairness", "authority", "sanctity"), "unrelated") | ticked
    assert {(i.scenario, i.response) for i in readings[0].items} == {(RULE["situation"], RULE["rot"])}
    assert {(i.label, i.origin) for i in readings[0].items} == {("adhere", "stated"), ("unrelated", "inferred")}
    assert [bool(r.left_out) for r in readings] == [False, True, True, True, True]


def test_moral_stories_takes_foundations_ticked_in_half_of_the_rules_rows(tmp_path: Path, raw: ModuleType) -> None:
    raw.table(
        tmp_path / "social_chem/r.csv",
        [RULE, {**RULE, "rot-moral-foundations": "care-harm"}, {**RULE, "rot-moral-foundations": "care-harm"}],
    )
    stories = [
        {"ID": "a1", "norm": "It's good to water plants!", "moral_action": "Ida waters them.", "label": "1"},
        {"ID": "a0", "norm": "It's good to water plants!", "immoral_action": "Ida drops them.", "label": "0"},
        {"ID": "b1", "norm": "Sing on Sundays.", "moral_action": "Ida sings.", "label": "1"},
    ]
    raw.jsonl(tmp_path / "moral_stories/m.jsonl", stories)
    readings = list(moral_stories.load(tmp_path, ("moral_stories/m.jsonl", "social_chem/r.csv")))
    moral, immoral = ({i.value: i.label for i in r.items} for r in readings[:2])
    assert (moral["care"], immoral["care"]) == ("adhere", "oppose")
    assert "loyalty" not in moral, "ticked in one of three rows: neither its value nor surely unrelated"
    assert moral["sanctity"] == "unrelated"
    assert readings[2].left_out == "norm is not among the rules of thumb"


def test_moral_stories_reads_both_actions_of_the_official_rows(tmp_path: Path, raw: ModuleType) -> None:
    raw.table(tmp_path / "social_chem/r.csv", [RULE])
    raw.jsonl(tmp_path / "moral_stories/m.jsonl", [{"norm": RULE["rot"], "moral_action": "She waters.", "immoral_action": "She does not."}])
    readings = list(moral_stories.load(tmp_path, ("moral_stories/m.jsonl", "social_chem/r.csv")))
    assert [r.items[0].label for r in readings] == ["adhere", "oppose"]


def test_mfrc_aggregated_and_official_layouts_agree(tmp_path: Path, raw: ModuleType) -> None:
    columns = ["Equality", "Care", "Non-Moral", "Authority", "Thin Morality", "Loyalty", "Proportionality", "Purity"]
    counts = dict.fromkeys(columns, "0") | {"Care": "3", "Equality": "2", "Non-Moral": "1"}
    text = "Help them &amp;amp; us"
    raw.table(tmp_path / "mfrc/a.csv", [{"ID": "0", "text": text, **counts}], "\t")
    votes = [("x", "Care,Equality"), ("y", "Care"), ("z", "Non-Moral"), ("u", "Care, Equality")]
    raw.table(tmp_path / "mfrc/final_mfrc_data.csv", [{"text": text, "annotator": a, "annotation": n} for a, n in votes])
    aggregated = list(mfrc.load(tmp_path, ("mfrc/a.csv",)))
    assert aggregated == list(mfrc.load(tmp_path, ("mfrc/final_mfrc_data.csv",)))
    assert aggregated[0].items == (Item("", "Help them & us", "mft", "care", "adhere", "stated", "3 votes"),)


def test_truthfulqa_and_moralchoice(tmp_path: Path, raw: ModuleType) -> None:
    raw.table(tmp_path / "t.csv", [{"Question": "Is it?", "Correct Answers": "Yes; It is", "Incorrect Answers": "No;"}])
    assert [i.label for i in next(iter(truthfulqa.load(tmp_path, ("t.csv",)))).items] == ["adhere", "adhere", "oppose"]
    row = {"context": "A shop.", "action1": "I pay.", "action2": "I run.", "ambiguity": "low", "generation_rule": "Do not break the law"}
    raw.table(
        tmp_path / "m.csv",
        [{**row, "a1_break_law": "No", "a2_break_law": "Yes"}, {**row, "a1_break_law": "No Agreement", "a2_break_law": "No Agreement"}],
    )
    readings = list(moralchoice.load(tmp_path, ("m.csv",)))
    assert [(i.value, i.label) for i in readings[0].items] == [("obey_the_law", "adhere"), ("obey_the_law", "oppose")]
    assert not readings[1].items


def test_a_file_with_other_columns_is_refused_by_name(tmp_path: Path, raw: ModuleType) -> None:
    raw.table(tmp_path / "t.csv", [{"Question": "Is it?"}])
    with pytest.raises(InputError, match=r"t\.csv: column 'Correct Answers' is missing"):
        list(truthfulqa.load(tmp_path, ("t.csv",)))


def test_every_value_of_every_builtin_source_is_in_its_value_system() -> None:
    mapped = {
        "social_risk": {"hate_speech", "discrimination", *xstest._OTHER.values()},
        "assistant_conduct": do_not_answer._CONDUCT | {v for s, v in diasafety.CLASSES.values() if s == "assistant_conduct"},
        "common_morality": {v for v, _ in moralchoice.RULES.values()},
    }
    for system, values in mapped.items():
        assert values <= set(load_system(system).by_id)


def test_sources_are_found_by_name_and_by_module() -> None:
    assert [s.id for s in find_sources()][: len(BUILTIN)] == list(BUILTIN)
    assert find_sources(["clave.valeval.sources.mfrc:SOURCE"]) == find_sources(["mfrc"])
    with pytest.raises(InputError, match="there is no source 'mfcr'"):
        find_sources(["mfcr"])
    with pytest.raises(InputError, match="must be a"):
        find_sources(["clave.valeval.sources.mfrc:VALUES"])
    with pytest.raises(InputError, match="named twice"):
        find_sources(["mfrc", "mfrc"])


HAND_COUNTED = {
    "beavertails": 3019,
    "fulcra": 1718,
    "moral_stories": 4000,
    "touche23": 9244,
    "xstest": 2250,
    "diasafety": 11209,
    "do_not_answer": 5634,
    "social_chem": 11646,
    "mfrc": 17457,
    "safetext": 367,
    "truthfulqa": 817,
    "moralchoice": 1367,
}
"""Rows counted in the raw files by other means than the loaders."""


def test_every_raw_row_is_accounted_for(shared: Path) -> None:
    root = shared / "data" / "raw"
    for source in find_sources(BUILTIN):
        readings = read(source, root)
        assert len(readings) == HAND_COUNTED[source.id], source.id
        assert all(bool(r.items) != bool(r.left_out) for r in readings), source.id
        assert {i.system for r in readings for i in r.items} <= set(source.systems)


def test_the_raw_files_are_the_bytes_that_are_pinned(shared: Path) -> None:
    root = shared / "data" / "raw"
    found = {s.id: {i.bytes for i in find_inputs(s, root, recorded={})} for s in find_sources(BUILTIN)}
    assert {name for name, kinds in found.items() if kinds == {"official"}} >= {"fulcra", "touche23", "xstest", "diasafety"}
    assert set().union(*found.values()) == {"official", "copy"}


def test_every_file_of_every_layout_is_pinned_or_has_an_address() -> None:
    for source in find_sources(BUILTIN):
        for name in (f for files in source.layouts for f in files):
            assert name in pins(), name
        first = [pins()[f] for f in source.layouts[0]]
        assert all(pin["url"].startswith("https://") for pin in first) or source.id == "do_not_answer"


def test_fulcra_has_the_oppose_rows_that_were_counted(shared: Path) -> None:
    readings = read(find_sources(["fulcra"])[0], shared / "data" / "raw")
    oppose = Counter(i.value for r in readings for i in r.items if i.label == "oppose")
    assert oppose.total() == 378
    assert (oppose["hedonism"], oppose["stimulation"], oppose["tradition"], oppose["achievement"]) == (0, 0, 5, 7)
