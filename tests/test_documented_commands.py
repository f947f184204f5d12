"""The commands of the README and the how-to pages do what the pages say.

They run as they stand there, on the demo's data, with a server in place of the provider. Those that need a browser, people's labels, the
network or hours are only checked to be understood (tests/test_docs.py).
"""

import json
import random

import pytest
from test_docs import ROOT, commands
from typer.testing import CliRunner

from clave import Clave
from clave.cli.main import app
from clave.demo.recorded import demo_labels, demo_responses, demo_system
from clave.io import write_jsonl

PAGES = (
    "README.md", "docs/index.md", "docs/gate.md", "docs/annotate.md", "docs/how-to/calibrate.md", "docs/how-to/compare.md",
    "docs/how-to/own-values.md", "docs/how-to/scale.md",
)  # fmt: skip
ELSEWHERE = {"annotate", "serve"}
"""They wait for a browser or for requests."""
INSTEAD = {"ollama/qwen3": "openai/qwen3"}
"""One server stands for all providers."""
GATE = {0, 1, 3}
"""Exit codes of a gate that could be told; see docs/gate.md."""


def answer(chat_server, body):
    """An object that fits whatever schema is asked for; with several values one for each."""
    rng = random.Random(body["messages"][-1]["content"])

    def filled(schema):
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return {name: filled(part) for name, part in schema["properties"].items()}
        if kind == "array":
            return [filled(schema["items"])]
        return round(rng.uniform(0.4, 0.99), 2) if kind == "number" else "saying what is owed"

    asked = body.get("response_format", {}).get("json_schema")
    return chat_server.says(json.dumps(filled(asked["schema"])) if asked else "Ask first, and say what is owed.")


@pytest.fixture
def folder(tmp_path, monkeypatch, chat_server):
    """The files that the pages speak of, under the names that they have there."""
    chat_server.script = lambda body: answer(chat_server, body)
    for name, value in {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": chat_server.url, "CLAVE_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    responses = demo_responses()[:24]
    write_jsonl("labels.jsonl", demo_labels())
    write_jsonl("responses.jsonl", responses)
    for name, part in (("a", responses[:12]), ("b", responses[12:])):
        write_jsonl(f"{name}.jsonl", part)
    (tmp_path / "scenarios.jsonl").write_text("".join(json.dumps({"id": r.id, "scenario": r.scenario}) + "\n" for r in responses[:3]))
    return tmp_path


def prepared(folder):
    """An evaluator that asks nobody, and its verdicts, for pages that begin with them."""
    clave = Clave(demo_system()).fit(demo_labels())
    clave.save("evaluator")
    for name in ("", "-a", "-b"):
        texts = folder / ("responses.jsonl" if not name else f"{name[1:]}.jsonl")
        write_jsonl(f"{'verdicts' if not name else 'v' + name}.jsonl", clave.evaluate(texts))


@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_they_stand_there(page, folder):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: figures cannot be saved")
    calls = [call for call in commands(ROOT / page) if call[0] not in ELSEWHERE]
    if not any(call[0] == "calibrate" and "labels.jsonl" in call for call in calls):
        prepared(folder)
    for call in calls:
        if page.endswith("scale.md"):
            call = [part.replace(".parquet", ".jsonl") for part in call if part not in ("--cascade", "small", "--risk", "0.2")]
            if call[0] == "distill":  # an evaluator with a large model and hundreds of calls: tests/cli/test_distill_command.py
                continue
        for written, here in INSTEAD.items():
            call = [here if part == written else part for part in call]
        if call[:2] == ["calibrate", "labels.jsonl"] and "our-policy.yaml" in call:
            continue  # labels on the reader's own values
        result = CliRunner().invoke(app, call)
        assert result.exit_code in (GATE if call[0] == "gate" else {0}), (call, result.output, result.exception)
        for option in ("-o", "--junit", "--figures"):
            if option in call:
                assert (folder / call[call.index(option) + 1]).exists(), call
