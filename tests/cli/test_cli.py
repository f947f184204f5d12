"""The command line as a user runs it: real files, the real entry point, exit codes and sentences."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_evaluator import ACTS, labelled
from typer.testing import CliRunner

from clave.cli.main import app
from clave.demo.recorded import RecordedChat
from clave.llm.chat import ChatRequest

ENTRY = [sys.executable, "-c", "from clave.cli.main import main; main()"]


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    import os

    base = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.run([*ENTRY, *arguments], capture_output=True, text=True, env=base | (env or {}), check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with labels, a value system, responses and an evaluator without a large model."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "labels.jsonl").write_text(
        "".join(r.model_dump_json(include={"id", "scenario", "response", "value", "label"}) + "\n" for r in labelled())
    )
    (folder / "tiny.yaml").write_text(
        "id: tiny\nname: Tiny\nversion: '1'\nvalues:\n"
        "  - {id: care, name: Care, definition: Being kind to others.}\n  - {id: honesty, name: Honesty, definition: Telling the truth.}\n"
    )
    rows = [{"id": i, "prompt": f"What happened on day {i}?", "answer": f"Somebody {list(ACTS.values())[i % 3]} today."} for i in range(6)]
    (folder / "responses.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = run("calibrate", str(folder / "labels.jsonl"), "--system", str(folder / "tiny.yaml"), "-o", str(folder / "evaluator"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["all"]["accuracy"]["n"] == 36
    return folder


def evaluate(place, output, *more, responses="responses.jsonl"):
    maps = ("--map", "prompt=scenario", "--map", "answer=response")
    return run("evaluate", str(place / responses), "--evaluator", str(place / "evaluator"), "-o", str(output), *maps, *more)


def test_evaluate_writes_a_verdict_per_response_and_value_and_a_summary(place, tmp_path):
    done = evaluate(place, tmp_path / "v.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["new"] == 12
    assert set(summary["values"]) == {"care", "honesty"}
    assert sum(summary["values"]["care"].values()) == 6
    keys = {(v["id"], v["value"]) for v in map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())}
    assert keys == {(str(i), v) for i in range(6) for v in ("care", "honesty")}


def test_the_command_that_shows_the_reasons_is_named_and_works(place, tmp_path):
    done = evaluate(place, tmp_path / "v.jsonl")
    command = shlex.split(next(line for line in done.stdout.splitlines() if "clave report" in line).partition("clave ")[2])
    assert run(*command).returncode == 0
    assert "What happened on day" in (tmp_path / "v.html").read_text()


def test_defaults_that_are_words_stand_in_the_help():
    shown = " ".join(CliRunner().invoke(app, ["calibrate", "--help"]).output.replace("│", " ").split())
    assert "[default: (contrastive)]" in shown
    assert "[default: (in the user's cache folder)]" in shown


def test_a_second_run_adds_nothing_and_a_cut_file_is_completed(place, tmp_path):
    output = tmp_path / "v.jsonl"
    evaluate(place, output)
    whole = output.read_bytes()
    assert json.loads(evaluate(place, output, "--json").stdout)["new"] == 0
    assert output.read_bytes() == whole
    output.write_bytes(whole[: len(whole) // 2])
    evaluate(place, output)
    assert sorted(output.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_parquet_verdicts_read_back(place, tmp_path):
    from clave import read_verdicts

    assert evaluate(place, tmp_path / "v.parquet").returncode == 0
    assert len(list(read_verdicts(tmp_path / "v.parquet"))) == 12
    assert evaluate(place, tmp_path / "v.txt").returncode == 2


def test_another_evaluators_output_is_not_mixed(place, tmp_path):
    output = tmp_path / "v.jsonl"
    evaluate(place, output)
    text = output.read_text()
    output.write_text(text.replace('"evaluator":"clave-tiny', '"evaluator":"clave-other'))
    done = evaluate(place, output)
    assert done.returncode == 2
    assert "name another output" in done.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"id": "a", "prompt": "p", "answer": "x"}\nnot json\n', "line 2: not a JSON object"),
        ('{"id": "a", "prompt": "p", "answer": "x"}\n{"id": "a", "prompt": "p", "answer": "y"}\n', "'a' stands twice"),
        ('{"id": "a", "prompt": "p", "answer": "x", "value": "courage"}\n', "response 'a': value 'courage' is not in value system"),
        ('{"id": "a", "prompt": "p"}\n', "line 1: --map names column 'answer'"),
    ],
)
def test_bad_rows_stop_the_run_with_a_sentence_before_anything_is_written(place, tmp_path, content, says):
    (place / "bad.jsonl").write_text(content)
    done = evaluate(place, tmp_path / "v.jsonl", responses="bad.jsonl")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "v.jsonl").exists()


def test_bad_rows_can_be_skipped_and_are_counted(place, tmp_path):
    (place / "bad.jsonl").write_text('{"id": "a", "prompt": "p", "answer": "x"}\nnot json\n')
    done = evaluate(place, tmp_path / "v.jsonl", "--on-error", "skip", "--json", responses="bad.jsonl")
    assert (done.returncode, json.loads(done.stdout)["skipped_rows"]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "{r}", "-o", "x.jsonl"], "name a calibrated evaluator with --evaluator"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--system", "mft", "--model", "openai/gpt-4o-mini"], "set OPENAI_API_KEY"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--system", "mft", "--model", "gpt-4o-mini"], "must be written provider/model"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--system", "mft", "--model", "acme/x"], "provider 'acme'"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--system", "virtues", "--model", "ollama/x"], "there is no value system 'virtues'"),
        (["evaluate", "none.jsonl", "-o", "x.jsonl", "--evaluator", "{e}"], "there is no such file"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--evaluator", "{e}", "--map", "answer"], "must be written column=field"),
        (["calibrate", "{l}", "--system", "{s}", "-o", "x", "--values", "courage"], "'courage' is not in value system"),
        (["calibrate", "{l}", "--system", "{s}", "-o", "x", "--features", "tone"], "'tone' is not one of"),
        (["calibrate", "{l}", "--system", "{s}", "-o", "x", "--recognizer", "oracle"], "there is no recognizer 'oracle'"),
        (["evaluate", "{r}", "-o", "x.jsonl", "--evaluator", "evalautor"], "there is no folder 'evalautor'"),
        (["evaluate", "{empty}", "-o", "x.jsonl", "--evaluator", "{e}"], "empty.jsonl: there is no response in it"),
        (["calibrate", "{empty}", "--system", "{s}", "-o", "x"], "empty.jsonl: there are no labels in it"),
        (["calibrate", "{few}", "--system", "{s}", "-o", "x"], "value 'honesty' has 3 labels and needs at least 6"),
        (["calibrate", "{few}", "--system", "{s}", "-o", "x", "--values", "care"], "few.jsonl: there are no labels in it for care"),
        (["pool", "show", "{e}"], "has no concepts"),
        (["estimate", "--system", "mft"], "name responses"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(place, tmp_path, arguments, says):
    names = {"r": place / "responses.jsonl", "e": place / "evaluator", "l": place / "labels.jsonl", "s": place / "tiny.yaml"}
    names |= {"empty": tmp_path / "empty.jsonl", "few": tmp_path / "few.jsonl"}
    names["empty"].touch()
    rows = names["l"].read_text().splitlines(keepends=True)
    names["few"].write_text("".join([row for row in rows if '"honesty"' in row][:3]))
    done = run(*(a.format(**names) for a in arguments), env={"HOME": str(tmp_path), "CLAVE_CACHE": str(tmp_path / "c.sqlite")})
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_take_the_evaluator_is_refused_before_anything_is_spent(place, tmp_path, chat_server):
    (tmp_path / "thesis.txt").write_text("years of work")
    model = ("--model", "acme/x", "--base-url", chat_server.url, "--cache", "")
    done = run("calibrate", str(place / "labels.jsonl"), "--system", str(place / "tiny.yaml"), "-o", str(tmp_path), *model)
    assert done.returncode == 2
    assert "is there and is no evaluator" in done.stderr
    assert chat_server.requests == []


def test_a_server_that_is_not_there_is_told_at_once(place, tmp_path):
    zero_shot = ("--system", "mft", "--model", "acme/x", "--base-url", "http://127.0.0.1:9/v1", "--cache", "")
    done = run("evaluate", str(place / "responses.jsonl"), "-o", str(tmp_path / "v.jsonl"), "--map", "answer=response", *zero_shot)
    assert done.returncode == 2
    assert "no server answers at http://127.0.0.1:9/v1" in done.stderr


def test_a_run_without_a_single_verdict_is_no_success(place, tmp_path, chat_server):
    chat_server.script = [chat_server.says("I had rather not.")]
    options = ("--model", "acme/x", "--base-url", chat_server.url, "--cache", "", "--map", "answer=response", "--json")
    done = run("evaluate", str(place / "responses.jsonl"), "--system", str(place / "tiny.yaml"), "-o", str(tmp_path / "v.jsonl"), *options)
    assert (done.returncode, json.loads(done.stdout)["values"]["care"]["failed"]) == (1, 6)
    assert "Not one response got a verdict" in done.stderr


def test_a_budget_needs_a_price(place, tmp_path):
    options = ("--system", "mft", "--model", "acme/x", "--base-url", "http://127.0.0.1:9/v1", "--budget", "1")
    done = run("evaluate", str(place / "responses.jsonl"), "-o", str(tmp_path / "v.jsonl"), *options)
    assert done.returncode == 2
    assert "--prices" in done.stderr


def test_demo_shows_profiles_and_reasons_and_how_often_they_are_right(tmp_path):
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    for shown in (
        "hearth",
        "edge",
        "ledger",
        "like what people labelled",
        "evidence: “",
        "(n = 324)",
        "answers were recorded",
        "from the text alone",
    ):
        assert shown in said
    page = (tmp_path / "demo" / "verdicts.html").read_text()
    assert "answers were recorded" in page
    assert "differ most on" in page
    assert page.count('class="forest named"') == 1
    assert len((tmp_path / "demo" / "verdicts.jsonl").read_text().splitlines()) == 324
    assert (tmp_path / "demo" / "evaluator").is_dir()


def test_demo_for_programs_prints_figures_alone(tmp_path):
    result = CliRunner().invoke(app, ["demo", "--json", "-o", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found["counts"]) == {"edge", "hearth", "ledger"}
    assert sum(sum(counts.values()) for who in found["counts"].values() for counts in who.values()) == 324
    assert found["accuracy"]["n"] == found["accuracy_from_text"]["n"] == 324
    assert round(324 * (1 - found["accuracy"]["value"])) == found["wrong"]
    assert Path(found["page"]).is_file()


def test_demo_asks_a_model_of_the_users(tmp_path, chat_server, monkeypatch):
    recorded = RecordedChat()

    def answer(body):
        system, user = (message["content"] for message in body["messages"])
        return chat_server.says(recorded.kept(ChatRequest(system=system, user=user, schema=None)))

    monkeypatch.setenv("CLAVE_CACHE", str(tmp_path / "cache"))
    chat_server.script = answer
    options = ["--live", "--model", "acme/large", "--base-url", chat_server.url, "-o", str(tmp_path / "demo")]
    result = CliRunner().invoke(app, ["demo", *options])
    assert result.exit_code == 0, result.output
    assert len(chat_server.requests) == 228
    assert "acme/large was asked" in " ".join(result.output.split())
    assert "recorded" not in result.output + (tmp_path / "demo" / "verdicts.html").read_text()


@pytest.mark.parametrize(("options", "says"), [(["--live"], "name it"), (["--model", "ollama/qwen3"], "say --live")])
def test_demo_says_what_is_missing_to_ask_a_model(tmp_path, options, says):
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "demo"), *options])
    assert says in str(result.exception)
    assert not (tmp_path / "demo").exists()


def test_what_is_taken_in_the_one_way_that_makes_sense_is_said_once(tmp_path):
    path = tmp_path / "l.jsonl"
    row = '{{"id": {0}.0, "scenario": NaN, "response": "words {0}", "value": "care", "label": {1}}}\n'
    path.write_text("".join(row.format(i, i % 2) for i in range(12)))
    options = ["--system", "mft", "--label-names", "1=adhere,0=oppose", "--model", "ollama/none", "--cache", "", "--json"]
    found = run("estimate", "--labels", str(path), *options)
    assert found.returncode == 0
    assert json.loads(found.stdout)["total"] == 12
    assert found.stderr == f"note: {path}, line 1: 'scenario' is NaN, which is taken as empty here and wherever it stands\n"


def test_verdicts_on_standard_output_are_nothing_but_verdicts(place):
    found = evaluate(place, "-", "--limit", "2")
    assert found.returncode == 0, found.stderr
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert {row["id"] for row in rows} == {"0", "1"}
    assert "4 new verdicts in -" in found.stderr


def test_shards_make_a_folder_that_is_reported_on_as_one_run(place, tmp_path):
    folder = tmp_path / "v.parquet"
    for part in ("1/2", "2/2"):
        assert evaluate(place, folder, "--shard", part).returncode == 0
    found = run("report", str(folder), "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["sections"][0]["figures"][0]["table"]["rows"][0][0] in ("Care", "Honesty")
    wrong = evaluate(place, folder, "--shard", "3-2")
    assert (wrong.returncode, wrong.stderr) == (2, "error: --shard '3-2' must be written i/n, e.g. 3/16 for the third of sixteen parts\n")


def test_responses_are_never_written_over(place, tmp_path):
    table = tmp_path / "r.csv"
    table.write_text("id,response\na,I told her.\n")
    done = evaluate(place, table, responses=str(table))
    assert done.returncode == 2
    assert "would be written over" in done.stderr
    assert table.read_text().startswith("id,response\n")
