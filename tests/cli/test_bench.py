"""`clave bench` as a user runs it."""

import json

import pytest
from benchmark.bench_rows import write
from typer.testing import CliRunner

from clave.benchmark import tables
from clave.cli.bench import app
from clave.errors import InputError

RUNNER = CliRunner()


def run(*arguments):
    return RUNNER.invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, a plan and a run of two judges."""
    folder = tmp_path_factory.mktemp("bench")
    write(folder).write(folder / "plan.yaml")
    done = run("run", folder / "plan.yaml", "--judges", "majority,tfidf,clave,kaleido", "-o", folder / "run")
    assert done.exit_code == 0, done.output
    return folder


def test_a_run_tells_accuracy_skipped_judges_and_the_page(place):
    done = run("run", place / "plan.yaml", "--judges", "majority,tfidf,clave,kaleido", "-o", place / "run", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {(r["judge"], r["split"]) for r in told["leaderboard"]} == {(j, s) for j in ("majority", "tfidf") for s in ("test", "elsewhere")}
    assert set(told["skipped"]) == {"clave", "kaleido"}
    page = (place / "run" / "report.html").read_text()
    assert "needs a large model and none was named" in page
    assert "tfidf" in page


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_the_leaderboard_is_computed_once(place, more, monkeypatch):
    ranked, cells = tables._ranked, []
    monkeypatch.setattr(tables, "_ranked", lambda *cell: cells.append(cell[1:]) or ranked(*cell))
    assert run("run", place / "plan.yaml", "-o", place / "run", *more).exit_code == 0
    assert sorted(cells) == [("tiny", "elsewhere"), ("tiny", "test")]


@pytest.mark.parametrize(
    ("command", "section", "shown"),
    [
        (("curve", "--judges", "tfidf", "--labels", "6,12", "--seeds", "2"), "curve", "12"),
        (("diversity", "--judges", "tfidf", "--labels", "6", "--seeds", "1"), "diversity", "clustered"),
        (("probes", "--judges", "tfidf", "--limit", "3"), "probes", "negation"),
        (("balance",), "balance", "majority"),
    ],
)
def test_an_analysis_prints_its_table_and_stands_on_the_page(place, command, section, shown):
    name, *options = command
    done = run(name, place / "run", *options)
    assert done.exit_code == 0, done.output
    assert shown in done.output
    assert f'id="{section}"' in (place / "run" / "report.html").read_text()
    again = run(name, place / "run", *options, "--json")
    assert again.exit_code == 0, again.output
    rows = json.loads(again.stdout.strip().splitlines()[-1])["rows"]
    assert {"judge"} <= set(rows[0])


def test_mistakes_are_sentences(place, tmp_path):
    for arguments, sentence in [
        (("run", "-o", tmp_path / "r"), "name the data either with `valeval` or with `labels`"),
        (("run", place / "plan.yaml", "--judges", "best", "-o", tmp_path / "r"), "there is no judge 'best': clave bench run --judges list"),
        (("run", place / "plan.yaml", "--judges", "majorty", "-o", tmp_path / "r"), "'majorty' (did you mean majority?)"),
        (("run", place / "plan.yaml", "--splits", "dev", "-o", tmp_path / "r"), "there is no split 'dev': there are test, elsewhere"),
        (("run", place / "plan.yaml", "--judges", "clave", "-o", tmp_path / "r"), "no judge gave a verdict"),
        (("curve", tmp_path), "holds no benchmark run"),
        (("curve", place / "run", "--labels", "ten"), "'ten' is not a whole number"),
        (("ablate", place / "run"), "an ablation needs the large model"),
    ]:
        done = run(*arguments)
        assert isinstance(done.exception, InputError), done.output
        assert sentence in str(done.exception)


def test_judges_can_be_listed_without_naming_anything_else():
    assert {"majority", "zero-shot", "clave", "kaleido", "nearest-<k>"} <= set(run("run", "--judges", "list").stdout.split())


def test_several_models_are_priced_and_run_in_one_table(place, chat_server, tmp_path):
    chat_server.script = lambda body: chat_server.says(json.dumps({"label": "adhere" if body["model"] == "test/a" else "oppose"}))
    prices = tmp_path / "prices.yaml"
    prices.write_text("test/a: {input: 1, output: 1}\ntest/b: {input: 2, output: 2}\n")
    told = ("run", place / "plan.yaml", "--judges", "majority,zero-shot", "--models", "test/a,test/b", "--base-url", chat_server.url,
            "--prices", prices, "-o", tmp_path / "run")  # fmt: skip
    dry = run(*told, "--dry-run", "--json")
    quotes = {(q["judge"], q["estimate"]["calls"]) for q in json.loads(dry.stdout)["quotes"]}
    assert quotes == {("zero-shot@test/a", 30), ("zero-shot@test/b", 30)}
    assert (chat_server.requests, (tmp_path / "run").exists()) == ([], False)
    done = run(*told)
    assert done.exit_code == 0, done.output
    assert done.output.index("Cost of the run: about $") < done.output.index("Accuracy, all systems")
    assert sorted(body["model"] for body in chat_server.requests) == ["test/a"] * 30 + ["test/b"] * 30
    assert 'id="models"' in (tmp_path / "run" / "report.html").read_text()


def test_one_budget_holds_for_all_models(place, chat_server, tmp_path):
    chat_server.script = lambda body: chat_server.says(json.dumps({"label": "adhere"}))
    prices = tmp_path / "prices.yaml"
    prices.write_text("test/a: {input: 1000, output: 1000}\ntest/b: {input: 1000, output: 1000}\n")  # $.015 a call
    done = run("run", place / "plan.yaml", "--judges", "zero-shot", "--models", "test/a,test/b", "--base-url", chat_server.url,
               "--prices", prices, "--budget", "0.8", "--concurrency", "1", "-o", tmp_path / "run", "--cache", "")  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "The budget of $0.8 will end it before that" in done.output
    assert 0 < len(chat_server.requests) <= 30  # as many again could be paid if each model had it to itself
