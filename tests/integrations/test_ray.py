"""A cluster of two workers on this machine gives the verdicts of one process; a worker that is killed loses and doubles nothing."""

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'clave[ray]'")
pytest.importorskip("ray.data")
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own

from integrations.rules import ACTS, SYSTEM, serving

from clave import Clave, InputError, LabelledResponse
from clave.files.source import ResponseSource
from clave.integrations.ray_data import evaluate, evaluate_in_parts
from clave.io import read_verdicts
from clave.llm.ledger import Ledger
from clave.llm.pricing import free

LABELS = list(ACTS)
KILLS = 10


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def text_only(tmp_path_factory):
    """The folder of an evaluator that makes no calls."""
    rows = [
        LabelledResponse(id=f"{v}-{label}-{i}", scenario=f"Case {i}, {v}, {label}?", response=f"Number {i} {act}.", value=v, label=label)
        for v in ("care", "honesty")
        for label, act in ACTS.items()
        for i in range(6)
    ]
    return Clave(SYSTEM).fit(rows).save(tmp_path_factory.mktemp("saved") / "evaluator")


@pytest.fixture(scope="module")
def responses(tmp_path_factory):
    path = tmp_path_factory.mktemp("responses") / "responses.jsonl"
    rows = [{"id": f"r{i}", "scenario": f"Day {i}?", "response": f"Somebody {ACTS[LABELS[i % 3]]} on day {i}."} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def outcomes(verdicts):
    return sorted((v.id, v.value, v.label, v.status) for v in verdicts)


def test_a_data_set_gets_the_verdicts_of_one_process(text_only, responses, tmp_path):
    alone = outcomes(Clave.load(text_only).evaluate(str(responses)))
    dataset = ray.data.read_json(str(responses), lines=True)
    evaluate(dataset, str(text_only), batch_size=16).write_parquet(str(tmp_path / "verdicts"))
    assert outcomes(read_verdicts(tmp_path / "verdicts")) == alone


def test_a_bad_row_is_a_row_and_what_is_judged_already_is_left_out(text_only, responses, tmp_path):
    rows = [json.loads(line) for line in responses.read_text().splitlines()]
    rows[3]["response"] = None
    first = evaluate(ray.data.from_items(rows[:20]), str(text_only), batch_size=8)
    first.write_parquet(str(tmp_path / "verdicts"))
    bad = [v for v in read_verdicts(tmp_path / "verdicts") if v.status == "failed"]
    assert [(v.id, v.value, v.label) for v in bad] == [("r3", "care", None), ("r3", "honesty", None)]
    assert "no 'response'" in bad[0].reason
    rest = evaluate(ray.data.from_items(rows), str(text_only), batch_size=8, done=tmp_path / "verdicts")
    assert {v["id"] for v in rest.take_all()} == {f"r{i}" for i in range(20, 60)}


def test_a_file_in_parts_goes_on_in_the_parts_it_was_begun_in(text_only, responses, tmp_path):
    alone = outcomes(Clave.load(text_only).evaluate(str(responses)))
    summary = evaluate_in_parts(ResponseSource(str(responses)), str(text_only), tmp_path / "v.jsonl", workers=2)
    assert (summary.new, outcomes(read_verdicts(tmp_path / "v.jsonl"))) == (120, alone)
    again = evaluate_in_parts(ResponseSource(str(responses)), str(text_only), tmp_path / "v.jsonl", workers=1)
    assert (again.new, len(list((tmp_path / "v.jsonl").glob("*-of-00008.jsonl")))) == (0, 8)
    with pytest.raises(InputError, match="least confidence"):
        evaluate_in_parts(ResponseSource(str(responses)), str(text_only), tmp_path / "w.jsonl", workers=1, min_confidence=2)
    with pytest.raises(InputError, match="name a file"):
        evaluate_in_parts(ResponseSource("-"), str(text_only), tmp_path / "w.jsonl")


def test_killed_workers_lose_and_double_nothing(saved, responses, tmp_path):
    asked, killed = [], []
    with serving(0.02, asked) as address:
        options = {"base_url": address, "cache": tmp_path / "cache.sqlite", "concurrency": 4, "ledger": (ledger := Ledger(free))}
        killer = threading.Thread(target=kill_workers, args=(asked, killed))
        killer.start()
        summary = evaluate_in_parts(ResponseSource(str(responses)), str(saved), tmp_path / "v.jsonl", workers=2, **options)
        killer.join()
    verdicts = list(read_verdicts(tmp_path / "v.jsonl"))
    assert len({(v.id, v.value) for v in verdicts}) == len(verdicts) == 120
    assert {v.status for v in verdicts} == {"ok"}
    assert len(killed) == KILLS
    assert summary.counts.keys() >= {("care", "adhere")}
    assert 0 < ledger.calls <= len(asked)
    twice = len(asked) - len(set(asked))
    assert twice <= 2 * KILLS  # what a killed worker had under way


def kill_workers(asked, killed):
    """One of those that run, each time some more has been asked."""
    for step in range(KILLS):
        while len(asked) < 10 * (step + 1) or not (workers := running()):
            time.sleep(0.01)
        killed.append(workers[step % len(workers)])
        os.kill(killed[-1], signal.SIGKILL)


def running():
    """Process ids of the workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if path.read_bytes().startswith(b"ray::_Part"):
                found.append(int(path.parent.name))
    return found
