"""Write what the judges of a run reached as files of results, one a judge; the same run gives the same bytes.

for path in submit(Session.open("run"), "results", by="A. Author"): print(path)
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clave.benchmark.crossing import AT
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.results import FORMAT, canonical, checked, signature
from clave.benchmark.session import Session
from clave.benchmark.tables import LeaderboardRow, leaderboard
from clave.errors import InputError
from clave.io.replacing import replacing
from clave.scoring.statistics import Estimate


def submit(
    session: Session, folder: str | Path, judges: Sequence[str] = (), *, version: str = "", by: str = "", link: str = "", note: str = ""
) -> list[Path]:
    """Write a file of results for each judge of a run.

    Args:
        session: The run.
        folder: Where they are written.
        judges: Which; none named = all that are finished.
        version: Of the judge, where another package has it; that of this package otherwise.
        by: Who made the run.
        link: Where more is to be read, https.
        note: Whatever a reader should know.

    Raises:
        InputError: The run holds no such judge, or it is not finished; or what is said of it is too long.
    """
    from clave.valeval.build import package_version

    table = PredictionTable.read(session.folder)
    unknown = [name for name in judges if name not in table.distinct("judge")]
    if unknown:
        raise InputError(f"the run has no judge {unknown[0]!r}: it has {', '.join(map(str, table.distinct('judge')))}")
    wanted = len(session.data.rows)
    done = {str(judge): part for (judge,), part in table.groups("judge") if len(part) == wanted}
    unfinished = [name for name in judges if name not in done]
    if unfinished or not done:
        raise InputError(f"{', '.join(unfinished) or 'no judge'} of the run is finished: run it to the end first")
    said = {"version": version or package_version(), "by": by, "link": link, "note": note, "data": _data(session)}
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [_write(Path(folder), _content(session, name, done[name]) | said) for name in judges or done]


def _data(session: Session) -> dict[str, Any]:
    """What was judged, by its digests."""
    from clave.valeval.check import read_manifest

    plan, data = session.plan, session.data
    built = read_manifest(Path(plan.valeval)) if plan.valeval else {}
    kept = {"id", "scenario", "response", "value", "label"}
    by_split = {s: sorted(r.model_dump_json(include=kept) for r in data.rows if data.gold[r.id, r.value].split == s) for s in data.splits}
    learnt = [r.model_dump_json(include=kept) for r in data.calibration]
    learnt += [v.model_dump_json(include={"id", "name", "definition", "guideline"}) for v in data.values.values()]
    return {
        "name": str(built.get("name") or Path(plan.labels or plan.valeval or "").name),
        "version": str(built.get("version") or ""),
        "rows_sha256": {split: _digest(rows) for split, rows in by_split.items()},
        "learnt_sha256": _digest(sorted(learnt)),
    }


def _content(session: Session, judge: str, part: PredictionTable) -> dict[str, Any]:
    """What a file says of one judge, but for what the submitter says of it."""
    board = leaderboard(part)
    price = board[0].price
    name, _, model = judge.partition(AT)
    if not (model or session.asks(judge)):
        model = ""
    elif not model:
        model = session.plan.model or ""
    answers = zip(part["id"], part["value"], part["status"], part["label"], part.probabilities.tolist(), strict=True)
    lines = (canonical([i, v, s, x, None if math.isnan(p[0]) else [round(y, 6) for y in p]]) for i, v, s, x, p in answers)
    return {
        "format": FORMAT,
        "judge": name,
        "model": model,
        "predictions_sha256": _digest(sorted(lines)),
        "scores": [_scores(row) for row in board],
        "tokens_per_1000": round(price.prompt_tokens + price.completion_tokens, 1),
        "cost_per_1000": None if price.cost is None else round(price.cost, 6),
    }


def _scores(row: LeaderboardRow) -> dict[str, Any]:
    def rounded(found: Estimate) -> dict[str, Any]:
        told = found.model_dump(include=set(Estimate.model_fields))
        return {key: round(x, 6) if isinstance(x, float) else x for key, x in told.items()}

    named = {name: rounded(getattr(row, name)) for name in ("accuracy", "macro_f1", "kappa", "calibration_error")}
    return {"split": row.split or "test", "system": row.system or "all", "rows": row.rows, **named}


def _write(folder: Path, content: dict[str, Any]) -> Path:
    whole = content | {"sha256": signature(content)}
    checked(whole, "the result")
    who = "-".join(filter(None, (content["judge"], content["model"])))
    path = folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', who).strip('-.')[:100]}-{whole['sha256'][:8]}.json"
    with replacing(path) as file:
        file.write(json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    return path


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()
