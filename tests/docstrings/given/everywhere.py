"""What any example may take as given: a fitted evaluator, what it judged, and the files that these were read from and written to."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from docstrings.provider import fake
from tiny_models import write_bases

from clave import Clave, LabelledResponse, Response, Settings, Value, ValueSystem, Verdict
from clave.demo import recorded
from clave.evaluating.judging import Judging
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.fitting.fitted import Fitted
from clave.testing import FakeChat

MODEL = "openai/gpt-4o-mini"
DATA = Path(recorded.__file__).parent


@cache
def clave() -> Clave:
    return Clave(recorded.demo_system(), chat=chat(), settings=recorded.demo_settings(MODEL)).fit(labels())


def chat() -> FakeChat:
    return fake()


def labels() -> list[LabelledResponse]:
    return recorded.demo_labels()


@cache
def responses() -> list[Response]:
    return recorded.demo_responses()[:12]


def response() -> Response:
    return responses()[0]


@cache
def verdicts() -> list[Verdict]:
    return list(clave().evaluate(responses()))


def verdict() -> Verdict:
    return verdicts()[0]


def fitted() -> Fitted:
    found = clave().fitted
    assert found is not None
    return found


def judging() -> Judging:
    return clave().judging


def system() -> ValueSystem:
    return clave().system


def settings() -> Settings:
    return clave().settings


def value() -> Value:
    return system()["care"]


def folder() -> Path:
    return Path()


@cache
def bases() -> Path:
    """Folders of models with a few thousand random weights: `causal`, `encoder` and `sentence`."""
    return write_bases(Path(tempfile.mkdtemp()))


def base(kind: str) -> Callable[[Path], object]:
    """Puts one of them where a large one is named."""
    return lambda path: shutil.copytree(bases() / kind, path)


def save(path: Path) -> None:
    clave().save(path)


def write_responses(path: Path, count: int = 12) -> None:
    lines = (DATA / "responses.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:count]), encoding="utf-8")


def write_answers(path: Path) -> None:
    """Responses whose texts stand in a column of another name."""
    write_responses(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"response":', '"answer":'), encoding="utf-8")


def write_scenarios(path: Path) -> None:
    rows = {response.scenario: {"id": f"s{i}", "scenario": response.scenario} for i, response in enumerate(responses())}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")


def save_small(path: Path) -> None:
    Clave(recorded.demo_system()).fit(labels()).save(path)


def write_verdicts(path: Path) -> None:
    write_responses(path.with_name("responses.jsonl"))
    asyncio.run(evaluate_file(clave().judging, ResponseSource(str(path.with_name("responses.jsonl"))), str(path)))


FILES = {
    "labels.jsonl": lambda path: shutil.copy(DATA / "examples.jsonl", path),
    "responses.jsonl": write_responses,
    "verdicts.jsonl": write_verdicts,
    "gold.jsonl": lambda path: shutil.copy(DATA / "examples.jsonl", path),
    "answers.jsonl": write_answers,
    "scenarios.jsonl": write_scenarios,
    "unlabelled.jsonl": lambda path: write_responses(path, 36),
    "our-policy.yaml": lambda path: path.write_text(system().to_yaml(), encoding="utf-8"),
    "manifest.json": lambda path: path.write_text('{"evaluator": "clave-mft"}'),
    "Qwen/Qwen2.5-1.5B-Instruct": base("causal"),
    "evaluator": save,
    "large": save,
    "small": save_small,
}
