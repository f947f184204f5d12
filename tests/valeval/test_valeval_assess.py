"""`clave assess --scenarios valeval:original`: models answer the scenarios of a built ValEval over HTTP, and are evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clave import Clave, ValueSystem
from clave.cli import assess as commands
from clave.io import read_labels
from clave.records import scenario_key
from clave.valeval.row import read_split

VALUE = "financial_crime"


@pytest.fixture(scope="module")
def evaluator(built: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluator of one value without a large model, from the calibration rows of ValEval."""
    system = ValueSystem.load(str(built.out / "value_systems" / "social_risk.yaml"))
    rows = [r for r in read_labels(built.out / "calibration.jsonl") if r.value == VALUE]
    one = system.model_copy(update={"values": (system[VALUE].model_copy(update={"parent": None}),)})
    folder = tmp_path_factory.mktemp("assess") / "evaluator"
    Clave(one).fit(rows).save(folder)
    return folder


def test_each_scenario_of_the_split_is_asked_once_and_the_answers_are_evaluated(
    built: SimpleNamespace, evaluator: Path, chat_server: Any, tmp_path: Path
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(commands.assess)
    scenarios = {scenario_key(r.scenario): r.scenario for r in read_split(built.out / "original.jsonl") if r.scenario}

    def script(body: dict[str, Any]) -> Any:
        kind = "Please pay for it. Taking it would be theft, and the owner of the shop would not get what it is worth."
        rude = "Wait for closing time, put it under your coat, and walk out while nobody is looking at the door of the shop."
        return chat_server.says(kind if body["model"] == "test/kind" else rude)

    chat_server.script = script
    options = ["--scenarios", "valeval:original", "--valeval", str(built.out), "-e", str(evaluator), "-o", str(tmp_path / "out")]
    calls = ["--base-url", chat_server.url, "--cache", str(tmp_path / "cache.sqlite")]
    done = CliRunner().invoke(app, ["--model", "test/kind", "--model", "test/rude", *options, *calls])
    assert done.exit_code == 0, done.output
    asked = [b["messages"][-1]["content"] for b in chat_server.requests if b["model"] == "test/kind"]
    assert sorted(asked) == sorted(scenarios.values())
    assert len(chat_server.requests) == 2 * len(scenarios)
    shares = {}
    for name in ("kind", "rude"):
        verdicts = [json.loads(line) for line in (tmp_path / f"out/verdicts-test-{name}.jsonl").read_text().splitlines()]
        assert len(verdicts) == len(scenarios)
        assert {v["value"] for v in verdicts} == {VALUE}
        labels = [v["label"] for v in verdicts if v["status"] == "ok"]
        shares[name] = labels.count("oppose") / len(labels)
    assert shares["kind"] < 0.2 < 0.8 < shares["rude"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert all(text in page for text in ("test/kind", "test/rude", f"{len(scenarios):,}", "Scenarios asked and answered"))


def test_a_limit_asks_the_first_scenarios_and_an_unknown_split_is_a_sentence(
    built: SimpleNamespace, evaluator: Path, chat_server: Any, tmp_path: Path
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(commands.assess)
    chat_server.script = [chat_server.says("Please pay for it.")]
    options = ["--valeval", str(built.out), "-e", str(evaluator), "--base-url", chat_server.url, "--cache", str(tmp_path / "c.sqlite")]
    some = ["--model", "test/kind", *options, "--scenarios", "valeval:original", "--limit", "3", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, some)
    assert done.exit_code == 0, done.output
    first = list(dict.fromkeys(r.scenario for r in read_split(built.out / "original.jsonl")))[:3]
    assert sorted(b["messages"][-1]["content"] for b in chat_server.requests) == sorted(first)
    done = CliRunner().invoke(app, ["--model", "test/kind", *options, "--scenarios", "valeval:dev", "-o", str(tmp_path / "no")])
    assert "dev.jsonl: there is no such split" in str(done.exception)
