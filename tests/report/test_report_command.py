import json

import pytest
import typer
from typer.testing import CliRunner

from clave.benchmark.predictions import Prediction, write_parquet
from clave.cli.report import report
from clave.errors import InputError
from clave.io import write_jsonl
from clave.records import Verdict

app = typer.Typer()
app.command()(report)


@pytest.fixture
def run(tmp_path):
    rows = [Verdict(id=f"r{i}", value="care", status="ok", label="adhere" if i % 3 else "oppose") for i in range(12)]
    write_jsonl(tmp_path / "verdicts.jsonl", rows)
    return tmp_path / "verdicts.jsonl"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_page_is_written_beside_the_verdicts(run):
    result = invoke(run)
    assert result.exit_code == 0, result.output
    assert run.with_suffix(".html").read_text().startswith("<!doctype html>")


def test_markdown_and_json_go_to_standard_output(run):
    assert invoke(run, "--markdown").stdout.startswith("# Value report")
    assert json.loads(invoke(run, "--json").stdout)["facts"][0] == {"name": "Responses", "value": "12", "note": ""}


def test_folder_of_a_benchmark_run_gives_its_report(tmp_path):
    rows = [
        Prediction(judge=j, id=f"r{i}", value="care", split="dev", group=f"g{i}", gold="adhere", label="adhere" if i % k else "oppose")
        for j, k in (("one", 2), ("two", 7))
        for i in range(1, 30)
    ]
    write_parquet(tmp_path / "predictions.parquet", rows)
    (tmp_path / "manifest.json").write_text(json.dumps({"skipped": {"kaleido": "its weights are not at hand"}, "original_split": "dev"}))
    result = invoke(tmp_path, "--title", "Our run")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "report.html").read_text()
    assert '<h1 dir="auto">Our run</h1>' in text
    assert "its weights are not at hand" in text


def test_columns_of_the_responses_are_mapped(run, tmp_path):
    rows = "".join(json.dumps({"id": f"r{i}", "prompt": "Who came?", "answer": f"Nobody, {i}."}) + "\n" for i in range(12))
    (tmp_path / "r.jsonl").write_text(rows)
    done = invoke(run, "--responses", tmp_path / "r.jsonl", "--map", "answer=response", "--map", "prompt=scenario", "--markdown")
    assert "Nobody, 7." in done.stdout, done.output


def test_contradictions_are_told(run, tmp_path):
    assert isinstance(invoke(run, "--markdown", "--json").exception, InputError)
    assert "must end in .md" in str(invoke(run, "--markdown", "-o", tmp_path / "r.html").exception)
    (tmp_path / "again").mkdir()
    assert "is given twice" in str(invoke(run, "--compare", run).exception)
