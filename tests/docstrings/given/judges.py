"""What examples of `clave.judges` take as given: a task, and base models of a few thousand random weights under the names of large ones."""

from __future__ import annotations

from docstrings.given import benchmark, everywhere

from clave.judges.classical import tfidf
from clave.judges.protocol import Judge, Task
from clave.records import LabelledResponse, Response


def task() -> Task:
    return benchmark.task()


def judge() -> Judge:
    return tfidf()


def values() -> dict[str, object]:
    return dict(task().values)


def calibration() -> list[LabelledResponse]:
    return list(task().calibration)


def responses() -> list[Response]:
    return list(task().responses)


FILES = {"google/shieldgemma-2b": everywhere.base("causal"), "HuggingFaceTB/SmolLM2-135M-Instruct": everywhere.base("causal")}
