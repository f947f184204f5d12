"""A log of Inspect, `.eval` or `.json`, as rows: what each sample was asked and answered, and the verdicts of the scorer `clave/values`.

    for row in response_rows(Path("log.eval")): print(row.data["id"], row.data["scenario"], row.data["response"], row.data["model"])
    for row in verdict_rows(Path("log.eval")): print(row.data["value"], row.data["label"])

The scenario is the sample's input. Where samples ran for several epochs their ids are `ID_epoch_N`, as in the log itself.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clave.errors import InputError, require
from clave.io.conversations import read_turns, transcript
from clave.io.opening import MAX_ROW, open_bytes, plain_suffix
from clave.io.rows import PROBLEM, Row
from clave.text.bounded import too_many_parts

_LARGEST = 4 * MAX_ROW
"""Bytes of a log in JSON, which is parsed as a whole."""
_BEGINNING = re.compile(rb'\s{0,9}\{\s{0,9}"version"\s{0,9}:\s{0,9}\d{1,4}\s{0,9},\s{0,9}"status"\s{0,9}:')
_BROKEN: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)
_ZSTD = 93
"""The method of compression that Inspect writes by now; `zipfile` knows it since Python 3.14."""


class _Sample(NamedTuple):
    where: str
    id: str
    model: str
    data: dict[str, Any]


def is_log(path: Path) -> bool:
    """Whether a file is a log of Inspect, by its ending or, in JSON, its beginning."""
    if path.suffix.lower() == ".eval":
        return True
    if plain_suffix(path) != ".json" or not path.is_file():
        return False
    with open_bytes(path) as file:
        return _BEGINNING.match(file.read(256)) is not None


def response_rows(path: Path) -> Iterator[Row]:
    """A row per sample: `id`, `scenario`, `response`, `model` and, as `metadata`, the sample's own. No answer is an empty response.

    Raises:
        InputError: It is no log of Inspect, or too large to be read.
        MissingExtraError: It is compressed by a method that needs a package.
    """
    for sample in _samples(path):
        if isinstance(sample, Row):
            yield sample
            continue
        where, identity, model, data = sample
        output = data["output"] if isinstance(data.get("output"), dict) else {}
        metadata = data["metadata"] if isinstance(data.get("metadata"), dict) else {}
        try:
            row = {"id": identity, "scenario": _scenario(data.get("input"), where), "response": str(output.get("completion") or "")}
        except InputError as error:
            yield Row(where, {PROBLEM: str(error)})
            continue
        yield Row(where, row | {"model": model, "metadata": metadata})


def verdict_rows(path: Path) -> Iterator[Row]:
    """A row per verdict that `clave/values` left in the log.

    Raises:
        InputError: It is no log of Inspect, holds no verdict, or two on one value.
    """
    found = False
    for sample in _samples(path):
        if isinstance(sample, Row):
            yield sample
            continue
        seen = set[str]()
        for verdict in _verdicts(sample.data):
            if verdict["value"] in seen:
                raise InputError(f"{sample.where}: two scorers give verdicts on {verdict['value']!r}: score the log with one")
            seen.add(verdict["value"])
            found = True
            yield Row(sample.where, verdict | {"id": sample.id})
    if not found:
        raise InputError(
            f"{path}: the log holds no verdicts: score it with `inspect score {path} --scorer clave/values -S evaluator=FOLDER`, or "
            f"write verdicts with `clave evaluate {path} --evaluator FOLDER -o verdicts.jsonl`"
        )


def _verdicts(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    scores = sample["scores"] if isinstance(sample.get("scores"), dict) else {}
    for score in scores.values():
        metadata = score.get("metadata") if isinstance(score, dict) else None
        for value, verdict in metadata.items() if isinstance(metadata, dict) else ():
            if isinstance(verdict, dict) and verdict.get("value") == value and "evaluator" in verdict and "status" in verdict:
                yield verdict


def _scenario(asked: Any, where: str) -> str:
    """As the scorer reads a sample's input: of a message the text alone."""
    if isinstance(asked, str) or not asked:
        return asked or ""
    said = [{**m, "content": _text(m.get("content"))} if isinstance(m, dict) else m for m in asked] if isinstance(asked, list) else asked
    return transcript(read_turns(said, where))


def _text(content: Any) -> str:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return "\n".join(str(p.get("text") or "") for p in content if isinstance(p, dict) and p.get("type") == "text")


def _samples(path: Path) -> Iterator[_Sample | Row]:
    """The samples; one that cannot be read is a row that says why."""
    return _of_archive(path) if path.suffix.lower() == ".eval" else _of_json(path)


def _of_archive(path: Path) -> Iterator[_Sample | Row]:
    zstd, broken = _zstd(path), _BROKEN
    if zstd is not None:
        broken = (*broken, zstd.ZstdError)
    try:
        with (zipfile if zstd is None else zstd.zipfile).ZipFile(path) as archive:
            names = dict.fromkeys(archive.namelist())
            header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if header is None:
                raise InputError(f"{path}: not a log of Inspect: it has no header")
            plan = _parsed(archive, header, f"{path}, {header}")
            for name in names:
                if name.startswith("samples/") and name.endswith(".json"):
                    where = f"{path}, {name}"
                    try:
                        yield _sample(_parsed(archive, name, where), plan, where)
                    except InputError as error:
                        yield Row(where, {PROBLEM: str(error)})
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except broken as error:
        raise InputError(f"{path}: not a whole log of Inspect: {error}") from None


def _zstd(path: Path) -> Any:
    """The package that unpacks the log, where Python's own `zipfile` does not."""
    if sys.version_info >= (3, 14):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(member.compress_type == _ZSTD for member in archive.infolist()):
                return None
    except (OSError, zipfile.BadZipFile):
        return None  # told by who reads it
    require("backports.zstd.zipfile", "zstd")
    return require("backports.zstd", "zstd")


def _parsed(archive: Any, name: str, where: str) -> dict[str, Any]:
    with archive.open(name) as member:
        return _object(member.read(MAX_ROW + 1), MAX_ROW, where)


def _of_json(path: Path) -> Iterator[_Sample | Row]:
    with open_bytes(path) as file:
        log = _object(file.read(_LARGEST + 1), _LARGEST, str(path))
    samples = log["samples"] if isinstance(log.get("samples"), list) else []
    for number, data in enumerate(samples, 1):
        where = f"{path}, sample {number}"
        try:
            yield _sample(data if isinstance(data, dict) else {}, log, where)
        except InputError as error:
            yield Row(where, {PROBLEM: str(error)})


def _object(data: bytes, most: int, where: str) -> dict[str, Any]:
    if len(data) > most:
        raise InputError(f"{where}: longer than {most // 2**20} MiB: too long to be read as a whole")
    try:
        text = data.decode()
        if too_many_parts(text, times=max(1, most // MAX_ROW)):
            raise InputError(f"{where}: made of more parts than a log has")
        found = json.loads(text)
    except RecursionError:
        raise InputError(f"{where}: nested too deep") from None
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{where}: must be a JSON object, not {type(found).__name__}")
    return found


def _sample(data: dict[str, Any], plan: dict[str, Any], where: str) -> _Sample:
    evaluated = plan["eval"] if isinstance(plan.get("eval"), dict) else {}
    config = evaluated["config"] if isinstance(evaluated.get("config"), dict) else {}
    identity, epoch = data.get("id"), data.get("epoch")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        raise InputError(f"{where}: the sample has no id")
    several = config.get("epochs") not in (None, 1) or epoch not in (None, 1)
    return _Sample(where, f"{identity}_epoch_{epoch}" if several else str(identity), str(evaluated.get("model") or ""), data)
