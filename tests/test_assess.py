"""Answers of a model to scenarios, and the report on them."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from clave.assess import Scenario, generate, read_scenarios, unanswered_path
from clave.errors import InputError
from clave.io import read_responses, read_verdicts
from clave.llm import AnswerCache, CachedChat, OpenAIChat
from clave.records import Failure
from clave.testing import FakeChat

RUNNER = CliRunner()


def scenarios(folder, *texts):
    path = folder / "scenarios.jsonl"
    path.write_text("".join(json.dumps({"id": f"s{i}", "prompt": text}) + "\n" for i, text in enumerate(texts)))
    return path


def made(path, chat, texts=("Who are you?", "Tell me a secret."), **more):
    asked = list(read_scenarios(str(scenarios(path.parent, *texts))))
    return asyncio.run(generate(asked, chat, path, **more))


def test_scenarios_come_once_each_and_a_row_without_one_is_told(tmp_path):
    found = list(read_scenarios(str(scenarios(tmp_path, "Who are you?", "who are YOU", "Why?"))))
    assert [(s.id, s.text) for s in found] == [("s0", "Who are you?"), ("s2", "Why?")]
    assert len(list(read_scenarios(str(tmp_path / "scenarios.jsonl"), limit=1))) == 1
    with pytest.raises(InputError, match="line 2: the row has no scenario"):
        list(read_scenarios(str(scenarios(tmp_path, "Fine.", " "))))
    (tmp_path / "broken.jsonl").write_text("{\n")
    with pytest.raises(InputError, match="line 1: not a JSON object"):
        list(read_scenarios(str(tmp_path / "broken.jsonl")))
    with pytest.raises(InputError, match="name the folder of a built ValEval"):
        list(read_scenarios("valeval:original", valeval=tmp_path))


def test_each_sample_is_asked_for_with_a_seed_of_its_own_and_in_plain_text(tmp_path):
    chat = FakeChat(lambda request: f"<think>hm</think> Sample {request.seed} of: {request.user}")
    result = made(tmp_path / "r.jsonl", chat, samples=2, system="Be brief.", seed=7, temperature=0.5)
    assert (result.responses, result.new, result.unanswered, result.stopped) == (4, 4, [], "")
    rows = {r.id: r for r in read_responses(tmp_path / "r.jsonl")}
    assert rows["fake/chat/s1#1"].response == "Sample 8 of: Tell me a secret."
    assert (rows["fake/chat/s0#0"].scenario, rows["fake/chat/s0#0"].metadata["model"]) == ("Who are you?", "fake/chat")
    assert {(r.system, r.schema, r.temperature) for r in chat.requests} == {("Be brief.", None, 0.5)}


def test_refusals_stand_apart_and_are_no_responses(tmp_path):
    chat = FakeChat(lambda r: Failure(status="refused", kind="refused", reason="no") if "secret" in r.user else "I am a model.")
    result = made(tmp_path / "r.jsonl", chat)
    assert (result.responses, result.count("refused"), result.count("failed")) == (1, 1, 0)
    (line,) = unanswered_path(tmp_path / "r.jsonl").read_text().splitlines()
    assert json.loads(line)["scenario"] == "Tell me a secret."
    assert made(tmp_path / "r.jsonl", FakeChat(lambda r: "Now I tell.")).new == 1
    assert not unanswered_path(tmp_path / "r.jsonl").exists()


def test_a_run_that_was_cut_short_goes_on(tmp_path):
    path = tmp_path / "r.jsonl"
    made(path, FakeChat(lambda r: "Yes."))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    again = FakeChat(lambda r: "Yes.")
    assert (made(path, again).new, again.calls) == (1, 1)
    assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_the_budget_ends_a_run_and_nothing_counts_as_failed(tmp_path):
    chat = FakeChat(lambda r: Failure(status="failed", kind="budget", reason="used up") if "secret" in r.user else "Yes.")
    result = made(tmp_path / "r.jsonl", chat)
    assert (result.stopped, result.unanswered) == ("used up", [])


def test_a_file_does_not_mix_models_or_scenarios(tmp_path):
    made(tmp_path / "r.jsonl", FakeChat(lambda r: "Yes."))
    with pytest.raises(InputError, match="holds responses of fake/chat, and this is fake/other"):
        made(tmp_path / "r.jsonl", FakeChat(lambda r: "Yes.", model="fake/other"))
    with pytest.raises(InputError, match="answers another scenario of the same id"):
        made(tmp_path / "r.jsonl", FakeChat(lambda r: "Yes."), ("Something else?",))


@pytest.fixture
def app():
    import typer

    from clave.cli import assess

    made = typer.Typer(pretty_exceptions_enable=False)
    made.command()(assess.generate)
    made.command()(assess.assess)
    return made


def test_scenarios_under_another_name_are_mapped(tmp_path):
    (tmp_path / "s.jsonl").write_text('{"question": {"text": "What now?"}}\n')
    with pytest.raises(InputError, match="`scenario` or `prompt`; name it with `mapping="):
        list(read_scenarios(str(tmp_path / "s.jsonl")))
    (found,) = read_scenarios(str(tmp_path / "s.jsonl"), mapping={"question.text": "scenario"})
    assert found.text == "What now?"


def test_generate_and_assess_as_commands(app, chat_server, tmp_path):
    from benchmark.bench_rows import SYSTEM, rows

    from clave import Clave, LabelledResponse, ValueSystem

    training = [LabelledResponse(**{k: v for k, v in row.items() if k != "split"}) for row in rows("calibration", 8)]
    Clave(ValueSystem.parse(SYSTEM)).fit(training).save(tmp_path / "evaluator")

    def script(body):
        kind = body["model"] == "test/kind"
        if "weapon" in body["messages"][-1]["content"]:
            return chat_server.says(None, refusal="I will not.")
        return chat_server.says("Somebody helped the stranger near the house." if kind else "Somebody kicked the stranger near the house.")

    chat_server.script = script
    file = scenarios(tmp_path, *(f"What happened on day {i}?" for i in range(6)), "Sell me a weapon.")
    calls = ["--base-url", chat_server.url, "--cache", str(tmp_path / "c.sqlite")]
    done = RUNNER.invoke(app, ["generate", str(file), "-o", str(tmp_path / "r.jsonl"), "--model", "test/kind", *calls])
    assert done.exit_code == 0, done.output
    assert "6 new responses of test/kind" in done.output
    assert "1 refused" in done.output
    assert "I will not." in " ".join(done.output.split())
    sent = chat_server.requests[0]
    assert [m["role"] for m in sent["messages"]] == ["user"]
    assert "response_format" not in sent
    before = len(chat_server.requests)
    both = ["--model", "test/kind", "--model", "test/rude", "--scenarios", str(file), "-e", str(tmp_path / "evaluator")]
    done = RUNNER.invoke(app, ["assess", *both, "-o", str(tmp_path / "out"), *calls])
    assert done.exit_code == 0, done.output
    assert len(chat_server.requests) == before + 7  # the first model's answers are kept
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("test/kind", "test/rude", "Scenarios asked and answered", "I will not.", "Nothing is claimed", "2 refused"):
        assert text in page, text
    verdicts = [json.loads(line) for line in (tmp_path / "out" / "verdicts-test-rude.jsonl").read_text().splitlines()]
    assert len(verdicts) == 12
    assert {v["label"] for v in verdicts} == {"oppose"}
    done = RUNNER.invoke(app, ["assess", *both, "-o", str(tmp_path / "out"), *calls, "--json"])
    data = json.loads(done.stdout)
    assert [(m["model"], m["new"], m["responses"], m["refused"]) for m in data["models"]] == [
        ("test/kind", 0, 6, 1),
        ("test/rude", 0, 6, 1),
    ]
    done = RUNNER.invoke(app, ["generate", str(file), "-o", str(tmp_path / "r.jsonl"), "--model", "test/kind", *calls, "--json"])
    assert (json.loads(done.stdout)["responses"], json.loads(done.stdout)["refused"]) == (6, 1)
    done = RUNNER.invoke(app, ["assess", *both, "-o", str(tmp_path / "out"), *calls, "--tables", "csv"])
    assert done.exit_code == 0, done.output
    for name in ("test-kind", "test-rude"):
        assert len(list(read_responses(tmp_path / "out" / f"responses-{name}.csv"))) == 6
        assert len(list(read_verdicts(tmp_path / "out" / f"verdicts-{name}.csv"))) == 12


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_responses_as_tables(app, chat_server, tmp_path, kind):
    pytest.importorskip("pyarrow")
    chat_server.script = lambda body: chat_server.says(f"=I helped: {body['messages'][-1]['content'][:20]}")
    calls = ["--base-url", chat_server.url, "--cache", str(tmp_path / "c.sqlite")]
    file = scenarios(tmp_path, "Who are you?", "Why, \u00e9 \U0001f980?")
    table = tmp_path / f"r.{kind}"
    done = RUNNER.invoke(app, ["generate", str(file), "-o", str(table), "--model", "test/kind", "--samples", "2", *calls])
    assert done.exit_code == 0, done.output
    lines = {r.id: r for r in read_responses(tmp_path / "r.jsonl")}
    rows = {r.id: r for r in read_responses(table)}
    assert len(rows) == 4
    assert {i: r.scenario for i, r in rows.items()} == {i: r.scenario for i, r in lines.items()}
    assert {str(r.metadata["sample"]) for r in rows.values()} == {"0", "1"}
    with pytest.raises(InputError, match=r"ends in .jsonl, .parquet or .csv"):
        RUNNER.invoke(app, ["generate", str(file), "-o", "r.xlsx", "--model", "test/kind", *calls], catch_exceptions=False)


def test_an_evaluator_whose_model_is_not_found_is_told_before_a_model_answers(app, chat_server, tmp_path):
    from dataclasses import replace

    from benchmark.bench_rows import SYSTEM, rows

    from clave import Clave, LabelledResponse, ModelError, ValueSystem
    from clave.saving import save

    training = [LabelledResponse(**{k: v for k, v in row.items() if k != "split"}) for row in rows("calibration", 8)]
    fitted = Clave(ValueSystem.parse(SYSTEM)).fit(training).fitted
    save(replace(fitted, settings=fitted.settings.model_copy(update={"model": "nobody/m"})), tmp_path / "evaluator")
    given = ["--model", "test/kind", "--scenarios", str(scenarios(tmp_path, "Hi?")), "-e", str(tmp_path / "evaluator")]
    done = RUNNER.invoke(app, ["assess", *given, "-o", str(tmp_path / "out"), "--base-url", chat_server.url, "--trust"])
    assert isinstance(done.exception, ModelError)
    assert "--evaluator-base-url" in str(done.exception)
    assert chat_server.requests == []


def test_an_answer_is_as_long_as_was_asked_for(tmp_path, chat_server):
    """One that is cut off there is kept and marked, and nothing is asked again."""
    chat_server.script = [chat_server.says("Once upon a", finish="length")]
    chat = CachedChat(OpenAIChat("test/m", base_url=chat_server.url), AnswerCache(tmp_path / "c.sqlite"))
    for name in ("first.jsonl", "from-the-cache.jsonl"):
        made = asyncio.run(generate([Scenario(id="a", text="Tell me a story.")], chat, tmp_path / name, max_tokens=4))
        (row,) = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert (made.new, row["response"], row["cut_off"]) == (1, "Once upon a", True)
    assert [body["max_tokens"] for body in chat_server.requests] == [4]


FOREIGN = [
    b'{"diary": "one line of mine without a final line break"}',
    b"no JSON at all",
    b'{"id": "mine"}\n',
    b'{"id": "cut off he',
    b"\xff\xfe\x00",
    b'[{"id": "x"}]',
    b"a,b\n1,2\n",
]


@pytest.mark.parametrize("content", FOREIGN)
def test_no_byte_of_another_file_is_touched(tmp_path, content):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    chat = FakeChat(lambda request: "Hello.")
    with pytest.raises(InputError, match="name another"):
        asyncio.run(generate([Scenario(id="a", text="Hi?")], chat, path))
    assert path.read_bytes() == content
    assert chat.calls == 0


@pytest.mark.parametrize("content", [b"notes of mine\n", b'{"id": "mine"}\n'])
def test_no_other_file_gives_way_to_the_unanswered(tmp_path, content):
    beside = tmp_path / "r.unanswered.jsonl"
    beside.write_bytes(content)
    with pytest.raises(InputError, match="move it away"):
        asyncio.run(generate([Scenario(id="a", text="Hi?")], FakeChat(lambda request: "Hello."), tmp_path / "r.jsonl"))
    assert beside.read_bytes() == content


def test_two_runs_do_not_write_one_file_of_responses(tmp_path):
    path = tmp_path / "r.jsonl"

    async def within():
        with pytest.raises(InputError, match="being written by another run"):
            await generate([Scenario(id="a", text="Hi?")], FakeChat(lambda request: "Hello."), path)

    class Meanwhile(FakeChat):
        async def complete(self, request):
            await within()
            return await super().complete(request)

    made = asyncio.run(generate([Scenario(id="a", text="Hi?")], Meanwhile(lambda request: "Hello."), path))
    assert (made.responses, len(path.read_bytes().splitlines())) == (1, 1)
