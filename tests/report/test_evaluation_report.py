import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from clave.errors import InputError
from clave.io import write_jsonl
from clave.io.manifest import RunManifest, write_manifest
from clave.records import Case, Evidence, MappedConcept, Response, Usage, Verdict
from clave.report import write_report
from clave.report.evaluation import evaluation_page
from clave.report.page import cell_text
from clave.report.runs import Run
from clave.values import ValueSystem

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\x00\ud800]]></svg></style>{{7*7}}$x^2$|`*"
TEXT = "Please ring your neighbour first and offer to help her carry the shopping."


def verdict(identity, label=None, value="care", **more):
    chances = {"adhere": 0.1, "oppose": 0.1, "unrelated": 0.1} | ({label: 0.8} if label else {})
    fields = {"status": "ok", "label": label, "probabilities": chances, "evaluator": "clave"}
    return Verdict(**({"id": identity, "value": value} | fields | more))


def made(models=("a", "b"), n=40, hostile=""):
    responses, verdicts = [], []
    for m, model in enumerate(models):
        for i in range(n):
            response = Response(
                id=f"{model}-{i}", scenario=f"question {i}{hostile}", response=TEXT + hostile, metadata={"model": model + hostile}
            )
            responses.append(response)
            evidence = (Evidence(text="offer to help", start=36, end=49),)
            concept = MappedConcept(text="Helping others" + hostile, pool="Kindness", similarity=0.8, labels={"adhere": 3})
            label = "unrelated" if i % 4 == 0 else "oppose" if i % 4 == 1 or m else "adhere"
            verdicts.append(verdict(response.id, label, evidence=evidence, concepts=(concept,), usage=Usage(calls=1, cost=0.01)))
            failed = {"status": "failed", "label": None, "probabilities": None, "reason": "cut off" + hostile}
            verdicts.append(verdict(response.id, value="fairness", **(failed if i % 10 == 0 else {"label": "adhere"})))
    return verdicts, responses


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs


def audited(path, responses, verdicts):
    """People labelled every response, and as the evaluator did."""
    model = {r.id: r.metadata["model"] for r in responses}
    rows = [
        {"id": v.id, "response": TEXT, "value": v.value, "label": v.label, "model": model[v.id], "inclusion_probability": 1}
        for v in verdicts
        if v.label
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_counts_by_hand_and_nothing_claimed_of_them():
    """Of ten rows of model a: 3 unrelated (0, 4, 8), 3 oppose (1, 5, 9), 4 adhere: (4 - 3) / 7."""
    verdicts, responses = made(models=("a",), n=10)
    page = evaluation_page(verdicts, responses=responses)
    (section,) = [s for s in page.sections if s.id == "profile"]
    _, best, method, verdicts, labels, scenarios, counted, note = section.figures[0].table.rows[0]
    assert (best, method, verdicts, labels, scenarios, note) == (None, "counted", 10, 0, 10, "nothing is claimed")
    assert counted.value == pytest.approx(1 / 7)
    assert section.figures[1].table.rows[0][1:] == (4, 3, 3, 0, 0, 0)
    assert "Nothing is claimed: these are counts of verdicts" in page.lead


def test_failures_are_in_no_share_and_are_counted():
    page = evaluation_page(made(models=("a",), n=20)[0])
    bars, mix = page.sections[0].figures
    assert bars.table.rows[1][6].value == 1.0
    assert mix.table.rows[1][4:] == (0, 0, 2)
    missing = next(s for s in page.sections if s.id == "missing")
    assert missing.tables[0].rows == (("failed", "cut off", 2),)
    fact = next(f for f in page.facts if f.name == "Without a verdict")
    assert (fact.value, fact.note) == ("2 (5 %)", "2 failed")


def test_counted_models_are_never_compared():
    page = evaluation_page(*made()[:1], responses=made()[1])
    section = next(s for s in page.sections if s.id == "models")
    assert [row[1:] for row in section.tables[0].rows] == [("not compared", None, None)] * 2
    assert section.more == ()
    assert ">" not in page.lead


def test_audited_models_stand_side_by_side_with_corrected_differences(tmp_path):
    verdicts, responses = made()
    page = evaluation_page(verdicts, responses=responses, audit=audited(tmp_path / "labels.jsonl", responses, verdicts))
    section = next(s for s in page.sections if s.id == "models")
    assert [row[:2] for row in section.tables[0].rows] == [("care", "a > b"), ("fairness", "none")]
    assert section.tables[0].columns == ("Value", "Clear differences", "a", "b")
    assert page.lead.startswith("a and b differ most on care (net adherence +0.33 and −1.00); 1 of 2 differences is clear.")
    assert "rectified by people's labels" in page.lead
    rows = {row[0]: row for row in section.more[0].rows}
    assert rows["care"][1:3] == ("a", "b")
    assert rows["care"][3].value > 1
    assert rows["care"][5] == "yes"
    assert rows["fairness"][5] == "no"
    assert next(f for f in page.facts if f.name == "Audited").value == "152"


def test_two_runs_on_one_model_bear_their_own_names(tmp_path):
    verdicts, responses = made(models=("a",))
    write_jsonl(tmp_path / "first.jsonl", verdicts)
    write_jsonl(tmp_path / "second.jsonl", [v.model_copy(update={"label": "oppose"}) if v.label == "adhere" else v for v in verdicts])
    page = evaluation_page(tmp_path / "first.jsonl", responses=responses, compare=[Run.of(tmp_path / "second.jsonl", responses)])
    assert {row[1] for row in page.sections[0].figures[0].table.rows} == {"a · first", "a · second"}


def test_models_stand_in_one_order_whatever_verdict_came_first():
    verdicts, responses = made(models=("b", "a", "C"), n=30)
    pages = [evaluation_page(given, responses=responses) for given in (verdicts, verdicts[::-1])]
    for page in pages:
        for group in page.sections[0].figures[0].chart.groups:
            assert [(dot.name, dot.colour) for dot in group.dots] == [("a", "s0"), ("b", "s1"), ("C", "s2")]


def test_values_stand_in_the_order_of_their_system():
    system = ValueSystem.load("schwartz")
    ids = [value.id for value in system.values]
    page = evaluation_page([verdict("r", "adhere", value=value) for value in sorted(ids)], system=system)
    assert [row[0] for row in page.sections[0].figures[0].table.rows] == [value.name for value in system.values]


def test_lead_tells_what_is_clear_and_of_how_many_values_nothing_is_claimed(tmp_path):
    verdicts = [verdict(f"r{i}", "adhere", value="care") for i in range(12)]
    verdicts += [verdict(f"r{i}", "oppose", value="fairness") for i in range(12)] + [verdict("r1", "oppose", value="purity")]
    responses = [Response(id=f"r{i}", response=TEXT, scenario=f"s{i}", metadata={"model": "a"}) for i in range(12)]
    page = evaluation_page(verdicts, responses=responses, audit=audited(tmp_path / "labels.jsonl", responses, verdicts))
    assert page.lead == (
        "Where they bear on a value, these responses more often adhere to care, and more often oppose fairness. The figures are rectified "
        "by people's labels on a random sample of these responses (2 of 3). Nothing is claimed of the remaining 1."
    )
    assert page.sections[0].figures[0].table.rows[2][7].startswith("too little: 1 of 1 audited responses bear on the value")


def test_certainty_is_not_rounded_up_and_an_empty_response_is_named():
    sure = {"adhere": 0.9991, "oppose": 0.0005, "unrelated": 0.0004}
    page = evaluation_page([verdict("r1", "adhere", probabilities=sure, flags=("cut", "new"))], responses=[Response(id="r1", response=" ")])
    (card,) = next(s for s in page.sections if s.id == "examples").groups[0].cards
    assert card.note.split(" · ")[0] == "over 99 % sure"
    assert card.note.split(" · ")[1:] == [
        "the response or its scenario was too long: a part of it was not read", "new", "the response is empty"
    ]  # fmt: skip


def test_evidence_is_marked_in_the_response():
    verdicts, responses = made(n=4)
    section = next(s for s in evaluation_page(verdicts, responses=responses).sections if s.id == "examples")
    card = section.groups[0].cards[0]
    assert [p.text for p in card.body if p.marked] == ["offer to help"]
    assert "".join(p.text for p in card.body) == TEXT


def test_without_responses_the_quotes_are_shown():
    section = next(s for s in evaluation_page(made()[0]).sections if s.id == "examples")
    assert [p.text for p in section.groups[0].cards[0].body] == ["offer to help"]
    assert "file of responses" in section.text


def test_a_verdict_without_concepts_is_explained_by_its_cases(tmp_path):
    case = Case(id="x", scenario="A stray cat", response="Feed it.", label="adhere", similarity=0.61)
    path = write_report([verdict("r1", "adhere", cases=(case,))], tmp_path / "demo.html", responses=[Response(id="r1", response=TEXT)])
    text = path.read_text()
    assert "Nearest texts that people labelled" in text
    assert "A stray cat → Feed it." in text
    assert "similarity 0.61" in text


def test_page_is_one_file_without_address_and_only_its_own_script_may_run(tmp_path):
    verdicts, responses = made(hostile=HOSTILE)
    path = write_report(verdicts, tmp_path / "r.html", responses=responses, title=HOSTILE)
    text = path.read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.found.count("script") == 2
    own = re.search(r"<script>(.*?)</script>", text, flags=re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'; " in text
    assert not re.search("innerHTML|outerHTML|insertAdjacent|document.write|eval|fetch", own)
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(tags.found)
    assert not [a for a, _ in tags.attributes if a.startswith("on")]
    addresses = [v for a, v in tags.attributes if a in ("href", "src", "xlink:href")]
    assert all(v.startswith("#") for v in addresses)
    assert "{{7*7}}" in text
    assert not re.search("[\x00\u202e]", text)
    assert len(text) < 5_000_000


def test_ids_of_the_page_are_unique(tmp_path):
    verdicts, responses = made()
    tags = Tags(write_report(verdicts, tmp_path / "r.html", responses=responses).read_text())
    ids = [v for a, v in tags.attributes if a == "id"]
    assert len(ids) == len(set(ids))


def test_every_figure_has_a_table_and_the_page_is_the_same_twice(tmp_path):
    verdicts, responses = made()
    page = evaluation_page(verdicts, responses=responses)
    assert all(figure.table.rows for section in page.sections for figure in section.figures)
    first = write_report(verdicts, tmp_path / "1.html", responses=responses).read_bytes()
    assert write_report(verdicts, tmp_path / "2.html", responses=responses).read_bytes() == first


def test_markdown_shows_hostile_text_as_text(tmp_path):
    verdicts, responses = made(hostile=HOSTILE)
    text = write_report(verdicts, tmp_path / "r.md", responses=responses).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    header = next(line for line in text.splitlines() if line.startswith("| Value | Model | Net"))
    cells = [line for line in text.splitlines() if line.startswith("| care |")]
    assert cells
    for line in cells[:2]:
        assert len(re.findall(r"(?<!\\)\|", line)) == header.count("|")


def test_json_holds_the_numbers(tmp_path):
    verdicts, responses = made(models=("a",), n=10)
    data = json.loads(write_report(verdicts, tmp_path / "r.json", responses=responses).read_text())
    row = data["sections"][0]["figures"][0]["table"]["rows"][0]
    assert row[6]["value"] == pytest.approx(1 / 7)
    assert row[2:6] == ["counted", 10, 0, 10]


def test_a_table_for_spreadsheets_has_the_ends_and_what_they_rest_on(tmp_path):
    verdicts, responses = made(models=("a",))
    labels = audited(tmp_path / "labels.jsonl", responses, verdicts)
    path = write_report(verdicts, tmp_path / "r.csv", responses=responses, audit=labels)
    care, fairness = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert (care["Value"], care["Method"], care["Verdicts"], care["Labels"], care["Scenarios"]) == ("care", "rectified", "40", "40", "40")
    assert float(care["Net adherence low"]) < float(care["Net adherence"]) == pytest.approx(1 / 3)
    assert fairness["Value"] == "fairness"


def test_unknown_endings_and_empty_runs_are_told(tmp_path):
    with pytest.raises(InputError, match=r"a report ends in"):
        write_report(made()[0], tmp_path / "r.pdf")
    with pytest.raises(InputError, match="no verdict to report on"):
        write_report([], tmp_path / "r.html")


def test_cells_as_people_read_them():
    assert [cell_text(c) for c in (None, 0.5, 0.012, 12345, "x\x00")] == ["–", "0.50", "0.0120", "12,345", "x\ufffd"]


def run_of(folder, name, system_name="Care", **more):
    verdicts, responses = made(("a",), n=6)
    own = [v.model_copy(update=more) for v in verdicts if v.value == "care"]
    write_jsonl(folder / f"{name}.jsonl", own)
    write_manifest(folder / f"{name}.jsonl", RunManifest(evaluator="clave", system="s", values={"care": system_name}))
    return Run.of(folder / f"{name}.jsonl", responses)


def test_two_values_of_one_id_do_not_stand_side_by_side(tmp_path):
    first, other = run_of(tmp_path, "first"), run_of(tmp_path, "other", "Custody")
    for system in (None, ValueSystem.load("mft")):
        with pytest.raises(InputError, match="other judges 'care' as 'Custody', and another run as 'Care': verdicts on two values"):
            evaluation_page(first, compare=[other], system=system)


def test_runs_of_two_evaluators_say_so(tmp_path):
    page = evaluation_page(run_of(tmp_path, "first"), compare=[run_of(tmp_path, "other", evaluator="another")])
    (fact,) = [fact for fact in page.facts if fact.name == "Evaluator"]
    assert (fact.value, fact.note) == ("clave", "and another: where runs differ, it may be their evaluators that do")
    (fact,) = [fact for fact in evaluation_page(run_of(tmp_path, "alone")).facts if fact.name == "Evaluator"]
    assert fact.note == ""
