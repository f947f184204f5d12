"""The replay server and its items, for the benchmarks beside this file: a large model's recorded answers on real labelled responses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clave import LabelledResponse, Value, ValueSystem

SYSTEMS = ("social_risk", "schwartz", "mft")
FOLDER = Path(__file__).resolve().parents[2] / "shared" / "replay"


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Iterator[str]:
    """Run the server on a free port; its address."""
    command = [sys.executable, str(folder / "server.py"), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def stats(url: str) -> dict[str, int]:
    """Requests by kind."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
        counts: dict[str, int] = json.load(answer)
        return counts


def systems(folder: Path) -> dict[str, ValueSystem]:
    """The value systems as the recorded model saw them."""
    values: dict[str, dict[str, Any]] = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    return {
        s: ValueSystem(
            id=s,
            name=s,
            version="replay",
            values=tuple(Value(id=i, name=v["name"], definition=v["definition"]) for i, v in values.items() if v["system"] == s),
        )
        for s in SYSTEMS
    }


def items(folder: Path, split: str, system: str) -> list[LabelledResponse]:
    """The labelled items of a split."""
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines() if line]
    return [
        LabelledResponse(
            id=r["id"],
            scenario=r["scenario"],
            response=r["response"],
            value=r["value"],
            label=r["label"],
            fold=None if r.get("fold") is None else str(r["fold"]),
        )
        for r in rows
        if r["split"] == split and r["system"] == system
    ]
