"""What examples of `clave.benchmark` take as given: a small run, and the predictions of a larger one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmark import bench_rows, frozen_run
from docstrings.given import everywhere, valeval

from clave.benchmark.data import BenchData, load
from clave.benchmark.plan import Plan
from clave.benchmark.predictions import Prediction, PredictionTable
from clave.benchmark.running import Gold, Outcome
from clave.benchmark.session import Session
from clave.benchmark.submitting import submit
from clave.judges.protocol import Judge, Task
from clave.judges.registry import Material, open_judges
from clave.records import LabelledResponse


def plan() -> Plan:
    more = [row | {"annotations": [row["label"], row["label"], "unrelated"]} for row in bench_rows.rows("test", 2, 300)]
    made = bench_rows.write(Path.cwd(), [row | {"id": f"more-{row['id']}"} for row in more])
    return made.model_copy(update={"judges": ("majority", "tfidf"), "model": everywhere.MODEL})


def session() -> Session:
    return Session.create("given", plan())


def data() -> BenchData:
    return load(plan())


def task() -> Task:
    return data().task


def gold() -> dict[tuple[str, str], Gold]:
    return data().gold


def rows() -> list[LabelledResponse]:
    return list(data().task.calibration)


def judges() -> list[Judge]:
    return open_judges(["tfidf", "kaleido"], material())


def material() -> Material:
    return Material(chat=everywhere.chat())


def table() -> PredictionTable:
    return PredictionTable.read(frozen_run.run_folder(Path("frozen")))


def prediction() -> Prediction:
    return frozen_run.frozen_run(1)[0]


def outcome() -> Outcome:
    return Outcome()


def write_run(path: Path) -> None:
    made = Session.create(path, plan())
    asyncio.run(made.run())


def write_results(path: Path) -> None:
    write_run(Path("run"))
    submit(Session.open("run"), path)


FILES = {
    "valeval": valeval.FILES["valeval"],
    "run": write_run,
    "results": write_results,
    "bench.yaml": lambda path: path.write_text("judges: [majority, clave]\nvaleval: valeval\n"),
}
