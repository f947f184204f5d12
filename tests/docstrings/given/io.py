"""What examples of `clave.io` take as given: files in the forms that they read."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

from docstrings.given import everywhere

from clave.io.tables import write_table


def write_gz(path: Path) -> None:
    everywhere.write_responses(Path("plain.jsonl"))
    path.write_bytes(gzip.compress(Path("plain.jsonl").read_bytes()))


def write_parquet(path: Path) -> None:
    everywhere.write_verdicts(Path("plain.jsonl"))
    write_table("plain.jsonl", path)


def write_log(path: Path) -> None:
    """A log of Inspect with one sample that was scored."""
    judged = everywhere.response()
    said = everywhere.verdict().model_dump(mode="json") | {"judged": judged.digest}
    sample = {
        "id": judged.id,
        "epoch": 1,
        "input": judged.scenario,
        "target": "",
        "output": {"model": "ollama/qwen3", "choices": [{"message": {"role": "assistant", "content": judged.response}}]},
        "scores": {"values": {"value": {}, "metadata": {"scenario": "0", said["value"]: said}}},
    }
    with zipfile.ZipFile(path, "w") as log:
        log.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {"model": "ollama/qwen3"}, "plan": {}}))
        log.writestr("samples/1_epoch_1.json", json.dumps(sample))


FILES = {"responses.jsonl.gz": write_gz, "verdicts.parquet": write_parquet, "log.eval": write_log}
