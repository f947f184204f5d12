import asyncio

import numpy as np
import pytest

from clave.benchmark.predictions import PredictionTable
from clave.benchmark.running import Gold, run_judges
from clave.errors import InputError
from clave.judges.classical import majority
from clave.judges.protocol import PerValueJudge, Task, scored
from clave.records import LabelledResponse, Response
from clave.values import Value

VALUES = {"care": Value(id="care", name="care", definition="Kindness.")}
CALIBRATION = [LabelledResponse(id=f"c{i}", response="x", value="care", label="adhere") for i in range(3)]
ROWS = [Response(id=f"r{i}", response=f"text {i}", value="care") for i in range(4)]
GOLD = {(r.id, "care"): Gold("adhere", group=r.group, system="s", split="dev") for r in ROWS}
TASK = Task(VALUES, CALIBRATION, ROWS)


class Counting:
    name = "counting"

    def __init__(self, silent=()):
        self.seen, self.silent = [], silent

    def missing(self):
        return None

    async def evaluate(self, task):
        for response in task.responses:
            self.seen.append(response.id)
            if response.id not in self.silent:
                yield scored(self.name, response, np.array([0.6, 0.3, 0.1]))


def run(judges, path, task=TASK, gold=GOLD):
    return asyncio.run(run_judges(judges, task, gold, path))


def test_predictions_stand_beside_the_gold_labels(tmp_path):
    assert run([majority(), Counting()], tmp_path / "p.jsonl").skipped == {}
    table = PredictionTable.read(tmp_path / "p.jsonl")
    assert [(judge, len(part)) for (judge,), part in table.groups("judge")] == [("majority", 4), ("counting", 4)]
    row = next(table.where(judge="counting", id="r2").records())
    assert (row.gold, row.label, row.probabilities, row.system, row.split) == ("adhere", "adhere", (0.6, 0.3, 0.1), "s", "dev")
    assert row.latency >= 0


def test_a_second_run_judges_only_what_is_left(tmp_path):
    judge = Counting()
    run([judge], tmp_path / "p.jsonl", Task(VALUES, CALIBRATION, ROWS[:2]))
    run([judge], tmp_path / "p.jsonl")
    assert judge.seen == ["r0", "r1", "r2", "r3"]
    assert len(PredictionTable.read(tmp_path / "p.jsonl")) == 4


def test_silence_is_a_failed_row(tmp_path):
    run([Counting(silent=("r1",))], tmp_path / "p.jsonl")
    row = next(PredictionTable.read(tmp_path / "p.jsonl").where(id="r1").records())
    assert (row.status, row.label, row.reason) == ("failed", None, "the judge gave no verdict")


def test_a_judge_without_weights_is_skipped_and_not_scored(tmp_path):
    judge = PerValueJudge("far", lambda *_: None, lambda: "its weights are not at hand")
    assert run([judge, majority()], tmp_path / "p.jsonl").skipped == {"far": "its weights are not at hand"}
    assert PredictionTable.read(tmp_path / "p.jsonl").distinct("judge") == ["majority"]


def test_equal_names_and_missing_gold_labels_are_told(tmp_path):
    with pytest.raises(InputError, match="two judges are named 'majority'"):
        run([majority(), majority()], tmp_path / "p.jsonl")
    with pytest.raises(InputError, match="'r3' has no human label"):
        run([majority()], tmp_path / "p.jsonl", gold={k: v for k, v in GOLD.items() if k[0] != "r3"})
