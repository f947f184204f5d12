import numpy as np
import pytest

from clave.benchmark.predictions import Prediction, PredictionTable, PredictionWriter, compact, write_parquet
from clave.errors import InputError


def made(judge="head", identity="r1", **more):
    fields = {"gold": "adhere", "label": "adhere", "probabilities": (0.7, 0.2, 0.1), "value": "care", "group": "s1"}
    return Prediction(judge=judge, id=identity, **(fields | more))


FAILED = made(
    "chat", "r2", label=None, probabilities=None, status="failed", reason='cut off: "…"', cost=0.01, prompt_tokens=12, latency=0.5
)
EDITED = made(identity="r1-typo", perturbation="typo", strength=0.2, base="r1", concepts=("Helping a neighbour",), evidence=("I'll help",))
CURVE = made(labels=20, seed=1)


def test_parquet_gives_back_what_was_written(tmp_path):
    write_parquet(tmp_path / "p.parquet", [FAILED, made(), EDITED, CURVE])
    back = list(PredictionTable.read(tmp_path / "p.parquet").records())
    assert sorted(back, key=str) == sorted([FAILED, made(), EDITED, CURVE], key=str)


def test_equal_predictions_give_equal_bytes_in_any_order(tmp_path):
    write_parquet(tmp_path / "a.parquet", [FAILED, made(), EDITED])
    write_parquet(tmp_path / "b.parquet", [EDITED, made(), FAILED])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "run" / "predictions.jsonl"
    with PredictionWriter(path) as writer:
        writer.write(made())
        writer.write(FAILED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with PredictionWriter(path) as writer:
        assert writer.has(made().key)
        assert not writer.has(FAILED.key)
        writer.write(FAILED)
    assert path.read_bytes() == whole
    compact(path)
    assert len(PredictionTable.read(path.parent)) == 2


def test_one_judge_stands_for_each_number_of_labels_and_seed(tmp_path):
    with PredictionWriter(tmp_path / "p.jsonl") as writer:
        writer.write(CURVE)
        assert not writer.has(made().key)
        assert not writer.has(made(labels=20, seed=2).key)


def test_table_filters_and_groups():
    table = PredictionTable.of([made(), FAILED, EDITED])
    assert len(table.where(judge="head", perturbation="")) == 1
    assert [(key, len(part)) for key, part in table.groups("judge")] == [(("head",), 2), (("chat",), 1)]
    assert np.isnan(table.where(judge="chat").probabilities).all()
    assert PredictionTable.of([]).distinct("judge") == []


def test_what_is_not_a_run_is_told(tmp_path):
    with pytest.raises(InputError, match="neither"):
        PredictionTable.read(tmp_path)
    (tmp_path / "p.jsonl").write_text('{"judge": "x"}\n')
    with pytest.raises(InputError, match="line 1: not a prediction: id"):
        PredictionTable.read(tmp_path / "p.jsonl")
    (tmp_path / "p.parquet").write_text("no")
    with pytest.raises(InputError, match="not a readable Parquet"):
        PredictionTable.read(tmp_path / "p.parquet")


def test_a_row_that_a_full_disk_cut_is_no_row(tmp_path):
    resource = pytest.importorskip("resource", reason="no limits on file sizes can be set here")
    path = tmp_path / "p.jsonl"
    size = len(made().model_dump_json()) + 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with PredictionWriter(path) as writer:
        writer.write(made())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                writer.write(FAILED)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert not writer.has(FAILED.key)
    with PredictionWriter(path) as writer:
        writer.write(FAILED)
    assert len(PredictionTable.read(path)) == 2


def test_two_runs_never_write_to_one_file(tmp_path):
    pytest.importorskip("fcntl", reason="files cannot be locked here")
    path = tmp_path / "p.jsonl"
    with PredictionWriter(path) as first:
        first.write(made())
        with pytest.raises(InputError, match="being written by another run"), PredictionWriter(path):
            pass
        first.write(FAILED)
    assert len(PredictionTable.read(path)) == 2
