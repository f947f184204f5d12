"""The examples of docs/integrations.md, run as they stand there, beside a folder `evaluator`."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from integrations.rules import ACTS, SYSTEM
from integrations.test_promptfoo import PROMPTFOO, run_promptfoo

from clave import Clave, LabelledResponse

PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
pytestmark = pytest.mark.filterwarnings("default")  # the tools' own


def blocks(title: str, language: str) -> list[str]:
    """The code blocks of a section in a language."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(rf"^```{language}\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


def host(module: str) -> None:
    """Skip where a tool is not installed."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def assistant(question: str) -> str:
    return f"You say: {question} Number 3 helped."


@pytest.fixture(scope="module")
def text_only(tmp_path_factory) -> Path:
    """An evaluator that reads the text alone, so that it answers in every process."""
    rows = [
        LabelledResponse(id=f"{v}-{label}-{i}", scenario=f"Case {i}, {v}, {label}?", response=f"Number {i} {act}.", value=v, label=label)
        for v in ("care", "honesty")
        for label, act in ACTS.items()
        for i in range(6)
    ]
    return Clave(SYSTEM).fit(rows).save(tmp_path_factory.mktemp("text") / "evaluator")


@pytest.fixture
def here(text_only, tmp_path, monkeypatch) -> Path:
    """A working directory that holds the evaluator."""
    shutil.copytree(text_only, tmp_path / "evaluator")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE", "DEEPEVAL_TELEMETRY_OPT_OUT"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())  # the small package has no database
    return tmp_path


def shell(command: str) -> str:
    """Run a command of the page; its output."""
    program, _, rest = command.strip().partition(" ")
    ran = subprocess.run(f"{Path(sys.executable).parent / program} {rest}", shell=True, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_inspect(here):
    host("inspect_ai")
    import inspect_ai
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    made: dict = {}
    exec(blocks("Inspect", "python")[0], made)
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    said = ModelOutput.from_content("mockllm/model", assistant("I lost my job.")).model_copy(update={"usage": usage})
    model = get_model("mockllm/model", custom_outputs=[said])
    (log,) = inspect_ai.eval(made["task"], model=model, log_dir=str(here / "logs"), display="none")
    assert log.status == "success", log.error
    assert set(log.samples[0].scores["values"].value) == {"care", "honesty"}
    Path(log.location).rename(here / "log.eval")
    assert "care" in shell(
        blocks("Inspect", "bash")[0].replace("inspect score", "inspect score --action append --overwrite --display plain")
    )


def test_pydantic_evals(here):
    host("pydantic_evals")
    made: dict = {"assistant": assistant}
    exec(blocks("pydantic-evals", "python")[0], made)
    (case,) = made["report"].cases
    assert case.labels["care"].value in ("adhere", "oppose", "unrelated")
    (listed,) = blocks("pydantic-evals", "yaml")
    (here / "cases.yaml").write_text(f"name: kindness\ncases: [{{inputs: I lost my job.}}]\n{listed}")
    read = made["Dataset"].from_file("cases.yaml", custom_evaluator_types=[made["ClaveValues"]])
    assert read.evaluators == made["dataset"].evaluators


def test_deepeval(here, capsys):
    host("deepeval")
    exec(blocks("deepeval", "python")[0], {"assistant": assistant})
    assert "Clave care" in capsys.readouterr().out


def test_lm_eval(here):
    host("lm_eval")
    (task,) = blocks("lm-eval", "yaml")
    (here / "tasks").mkdir()
    (here / "tasks" / "kindness.yaml").write_text(task)
    (here / "scenarios.jsonl").write_text(json.dumps({"scenario": "I lost my job."}) + "\n")
    assert "care" in shell(blocks("lm-eval", "bash")[0])


@pytest.mark.skipif(PROMPTFOO is None, reason="promptfoo is not on the path")
def test_promptfoo(here):
    (script,) = blocks("promptfoo", "python")
    asserted, provided = map(yaml.safe_load, blocks("promptfoo", "yaml"))
    (found,) = run_promptfoo(here, asserted, script)
    assert set(found["namedScores"]) == {"care"}
    (found,) = run_promptfoo(here, provided, script)
    assert set(json.loads(found["response"]["output"])) == {"care", "honesty"}
    assert found["success"]


def test_mlflow(here):
    host("mlflow")
    import mlflow

    mlflow.set_tracking_uri(None)  # as the environment says
    made: dict = {}
    exec(blocks("MLflow", "python")[0], made)
    (given,) = made["result"].result_df["assessments"]
    assert {a["assessment_name"] for a in given} == {"care"}


def test_pytest(here):
    (settings,) = blocks("pytest", "ini")
    (test,) = blocks("pytest", "python")
    (here / "pytest.ini").write_text(settings)
    (here / "test_kind.py").write_text("def assistant(question):\n    return 'Number 3 helped.'\n\n\n" + test)
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
