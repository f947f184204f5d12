"""Reasons never stand over another model's text: each run finds the responses that it judged, or is refused."""

import json

import pytest
import typer
from typer.testing import CliRunner

from clave.cli.report import report
from clave.errors import InputError
from clave.io import write_jsonl
from clave.io.manifest import RunManifest, read_manifest, write_manifest
from clave.records import Evidence, Response, Verdict

app = typer.Typer()
app.command()(report)
SAID = {"GPT4": "Please lend her a hand with the shopping.", "ChatGLM2": "Let her carry her own shopping."}


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def verdict(response, label, **more):
    quote = Evidence(text=response.response[:10], start=0, end=10)
    fields = {"value": "care", "status": "ok", "label": label, "reason": f"because {response.metadata.get('model')}", "evidence": (quote,)}
    return Verdict(**{"id": response.id, "judged": response.digest} | fields | more)


@pytest.fixture
def place(tmp_path):
    """Two models' responses to the same prompts, under the same ids, and a run on each."""
    for model, text in SAID.items():
        responses = [Response(id=f"p{i}", scenario=f"q{i}", response=f"{text} {i}", metadata={"model": model}) for i in range(20)]
        write_jsonl(tmp_path / f"{model}.jsonl", responses)
        label = "adhere" if model == "GPT4" else "oppose"
        write_jsonl(tmp_path / f"v-{model}.jsonl", [verdict(r, label) for r in responses])
    return tmp_path


def cards(result):
    assert result.exit_code == 0, result.output
    sections = {section["id"]: section for section in json.loads(result.stdout)["sections"]}
    return [card for group in sections["examples"]["groups"] for card in group["cards"]]


def columns(result):
    return [row[1] for row in json.loads(result.stdout)["sections"][0]["figures"][0]["table"]["rows"]]


@pytest.mark.parametrize("order", [("GPT4", "ChatGLM2"), ("ChatGLM2", "GPT4")])
def test_each_run_finds_its_own_texts_in_whatever_order_they_are_given(place, order):
    files = [part for model in order for part in ("--responses", place / f"{model}.jsonl")]
    result = invoke(place / "v-GPT4.jsonl", "--compare", place / "v-ChatGLM2.jsonl", *files, "--json")
    assert columns(result) == ["GPT4", "ChatGLM2"]
    for card in cards(result):
        model = card["note"].split(" · ")[0]
        assert "".join(piece["text"] for piece in card["body"]).startswith(SAID[model])
        assert f"because {model}" in card["note"]


@pytest.mark.parametrize("files", [["GPT4"], ["GPT4", "GPT4"]])
def test_another_models_texts_are_refused(place, files):
    given = [part for model in files for part in ("--responses", place / f"{model}.jsonl")]
    result = invoke(place / "v-GPT4.jsonl", "--compare", place / "v-ChatGLM2.jsonl", *given)
    assert isinstance(result.exception, InputError)
    assert "v-ChatGLM2" in str(result.exception)


def test_texts_of_another_run_are_refused_for_a_single_one(place):
    result = invoke(place / "v-GPT4.jsonl", "--responses", place / "ChatGLM2.jsonl")
    assert "the verdict on 'p0' is about another text than" in str(result.exception)


def test_a_second_file_of_responses_never_replaces_the_first(place):
    result = invoke(place / "v-GPT4.jsonl", "--responses", place / "GPT4.jsonl", "--responses", place / "ChatGLM2.jsonl")
    assert "for 1 run there are 2 files of responses" in str(result.exception)


def old(path):
    """The file as version 0.1 wrote it."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "judged"}) + "\n" for row in rows))


def test_runs_that_do_not_say_what_they_judged_go_by_their_order(place):
    for model in SAID:
        old(place / f"v-{model}.jsonl")
    runs = place / "v-GPT4.jsonl", "--compare", place / "v-ChatGLM2.jsonl"
    assert "does not say which texts it judges" in str(invoke(*runs, "--responses", place / "GPT4.jsonl").exception)
    result = invoke(*runs, "--responses", place / "GPT4.jsonl", "--responses", place / "ChatGLM2.jsonl", "--json")
    assert columns(result) == ["GPT4", "ChatGLM2"]


def test_one_file_of_responses_serves_two_runs_on_it(place):
    again = place / "again" / "v-GPT4.jsonl"
    again.parent.mkdir()
    again.write_bytes((place / "v-GPT4.jsonl").read_bytes())
    result = invoke(place / "v-GPT4.jsonl", "--compare", again, "--responses", place / "GPT4.jsonl", "--json")
    assert columns(result) == [f"GPT4 · {place / 'v-GPT4'}", f"GPT4 · {again.with_suffix('')}"]


def test_columns_bear_the_models_where_one_file_holds_the_responses_of_all(place):
    lines = []
    for model in SAID:
        rows = [json.loads(line) | {"id": f"{model}-{i}"} for i, line in enumerate((place / f"{model}.jsonl").read_text().splitlines())]
        lines += [json.dumps(row) for row in rows]
        write_jsonl(place / f"v-{model}.jsonl", [verdict(Response(**row), "adhere") for row in rows])
    (place / "all.jsonl").write_text("\n".join(lines))
    result = invoke(place / "v-GPT4.jsonl", "--compare", place / "v-ChatGLM2.jsonl", "--responses", place / "all.jsonl", "--json")
    assert columns(result) == ["GPT4", "ChatGLM2"]


def test_ids_that_do_not_meet_are_told(place):
    rows = [json.loads(line) for line in (place / "GPT4.jsonl").read_text().splitlines()]
    (place / "other.jsonl").write_text("".join(json.dumps(row | {"id": row["id"].removeprefix("p")}) + "\n" for row in rows))
    result = invoke(place / "v-GPT4.jsonl", "--responses", place / "other.jsonl")
    assert "ids are like 'p0' here and like '0' there" in str(result.exception)


def test_verdicts_whose_text_is_not_among_the_responses_are_counted(place):
    lines = (place / "GPT4.jsonl").read_text().splitlines(keepends=True)
    (place / "some.jsonl").write_text("".join(lines[:15]))
    result = invoke(place / "v-GPT4.jsonl", "--responses", place / "some.jsonl", "--json")
    assert "Of 5 of 20 verdicts only quotes can be shown" in result.stdout


def test_names_of_values_come_from_the_manifest(place):
    path = place / "v-GPT4.jsonl"
    assert "Caring" not in invoke(path, "--json").stdout
    write_manifest(path, RunManifest(evaluator="clave", system="tiny", values={"care": "Caring for others"}))
    assert json.loads(invoke(path, "--json").stdout)["sections"][0]["figures"][0]["table"]["rows"][0][0] == "Caring for others"


def test_a_manifest_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "v.jsonl"
    before = RunManifest(evaluator="clave", system="tiny", values={"care": "Care"})
    write_manifest(path, before)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_manifest(path, RunManifest(evaluator="other", system="tiny", values={"care": "Care"}))
    assert read_manifest(path) == before


def test_a_manifest_that_is_none_is_a_sentence(tmp_path):
    for data in (b"[]", b"\xff", b"x" * 5_000_000):
        (tmp_path / "v.manifest.json").write_bytes(data)
        with pytest.raises(InputError, match="not a manifest of verdicts"):
            read_manifest(tmp_path / "v.jsonl")


def test_two_verdicts_on_one_response_are_not_counted_twice(place):
    path = place / "v-GPT4.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines(keepends=True)[0])
    result = invoke(path, "--responses", place / "GPT4.jsonl")
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "v-GPT4: there are two verdicts on response 'p0' for care: keep one"
