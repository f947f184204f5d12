"""The example plug-in, built and installed as a package, and used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"
SAID = {"adhere": "Thank you, please sit down", "oppose": "Get lost, you idiot", "unrelated": "The train leaves at nine"}
CLAVE = ("-c", "from clave.cli.main import main; main()")
USES = """
import asyncio
import json
import sys

from clave import LabelledResponse, Response
from clave.judges.registry import open_judges
from clave.judges.protocol import Task
from clave.values import ValueSystem

said = json.loads(sys.argv[1])
system = ValueSystem.load("courtesy")
rows = [
    LabelledResponse(id=f"{label}{i}", response=f"{text}, number {i}.", value="politeness", label=label)
    for label, text in said.items()
    for i in range(4)
]
responses = [Response(id=label, response=text, value="politeness") for label, text in said.items()]
task = Task({v.id: v for v in system.values}, rows, responses)

async def judged():
    return {v.id: v.label async for v in open_judges(["overlap"])[0].evaluate(task)}

print(json.dumps(asyncio.run(judged())))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Install the package offline into a folder of its own; run Python with it."""
    place = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", str(place), str(EXAMPLE)], check=True, timeout=120)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(place), *filter(None, sys.path)])}

    def run(*arguments, cwd=place):
        done = subprocess.run([sys.executable, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_each_thing_is_listed_and_can_be_used(run):
    listed = json.loads(run(*CLAVE, "plugins", "--json"))
    own = {(p["group"], p["name"]): p["problem"] for p in listed if p["package"] == "clave-example"}
    assert own == {
        ("clave.judges", "overlap"): "",
        ("clave.recognizers", "centroids"): "",
        ("clave.systems", "courtesy"): "",
        ("clave.readers", "dialog"): "",
        ("clave.forms", "txt"): "",
    }


def test_the_judge_and_the_system_are_found_by_name(run):
    assert json.loads(run("-c", USES, json.dumps(SAID))) == {label: label for label in ("adhere", "oppose", "unrelated")}


def test_the_recognizer_is_fitted_and_saved_the_reader_reads_and_the_form_writes(run, tmp_path):
    rows = [
        {"id": f"{label}{i}", "scenario": f"Day {i}, {label}", "response": f"{text}, number {i}.", "value": "politeness", "label": label}
        for label, text in SAID.items()
        for i in range(6)
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "talk.dialog").write_text("Q: May I?\nA: Thank you, please sit down.\n\nQ: And now?\nA: Get lost, you idiot.\n")
    run(*CLAVE, "calibrate", "labels.jsonl", "--system", "courtesy", "--recognizer", "centroids", "-o", "evaluator", cwd=tmp_path)
    run(*CLAVE, "evaluate", "talk.dialog", "--evaluator", "evaluator", "-o", "verdicts.jsonl", cwd=tmp_path)
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert {v["id"]: v["label"] for v in verdicts} == {"1": "adhere", "2": "oppose"}
    run(*CLAVE, "report", "verdicts.jsonl", "-o", "report.txt", cwd=tmp_path)
    assert "Politeness\t" in (tmp_path / "report.txt").read_text()
    (tmp_path / "bad.dialog").write_text("Q: May I?\nA: Yes.\nB: No.\n")
    with pytest.raises(AssertionError, match=r"bad\.dialog: the reader 'dialog' fails after row 1: ValueError: a line must begin with"):
        run(*CLAVE, "evaluate", "bad.dialog", "-e", "evaluator", "-o", "v.jsonl", cwd=tmp_path)
