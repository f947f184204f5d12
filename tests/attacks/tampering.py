"""Tampered evaluators: a saved one with one thing changed by a seed, hashes and all."""

import hashlib
import json
import random
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

from clave import Clave
from clave.records import LabelledResponse
from clave.testing import FakeChat

WORDS = {"helped": "adhere", "lied": "oppose"}
_BAD = [
    None,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    "x",
    "",
    [],
    {},
    [[]],
    True,
    0,
    {"a": 1},
    "9" * 5000,
    [None],
    2**70,
    "../../etc/passwd",
]


def saved(folder):
    """A small evaluator on disk, and the name of its model."""
    rows = [
        LabelledResponse(id=f"{value}{i}", scenario=f"scene {value} {i}", response=f"They {word} there {i}.", value=value, label=label)
        for value in ("care", "fairness")
        for i in range(18)
        for word, label in [(("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated"))[i % 3]]
    ]
    clave = Clave("mft", chat=FakeChat(WORDS)).fit(rows)
    clave.save(folder)
    return clave.settings.model


def tampered(good, folder, seed):
    """Copy an evaluator with one change; says which."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    rng = random.Random(seed)
    path = rng.choice([p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "README.md"])
    change = {".json": _json, ".jsonl": _jsonl, ".safetensors": _tensors}.get(path.suffix, _bytes)(path, rng)
    if path.name != "manifest.json":
        manifest = json.loads((folder / "manifest.json").read_text())
        files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "manifest.json")
        manifest["files"] = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return f"{path.relative_to(folder)}: {change}"


def _places(data, path=()):
    children = data.items() if isinstance(data, dict) else enumerate(data[:3]) if isinstance(data, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))
    if path:
        yield path


def _changed(data, rng):
    place = rng.choice(list(_places(data)))
    for key in place[:-1]:
        data = data[key]
    if rng.random() < 0.25:
        del data[place[-1]]
        return f"without {place}"
    data[place[-1]] = rng.choice(_BAD)
    return f"{place} = {str(data[place[-1]])[:20]}"


def _json(path, rng):
    data = json.loads(path.read_text())
    change = _changed(data, rng)
    path.write_text(json.dumps(data))
    return change


def _jsonl(path, rng):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change = _changed(rng.choice(rows), rng)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return change


def _tensors(path, rng):
    tensors = load_file(path)
    name, kind = rng.choice(list(tensors)), rng.choice(["nan", "inf", "flat", "whole", "fewer", "twice", "none"])
    found = tensors.pop(name).copy()
    if kind in ("nan", "inf"):
        found.flat[rng.randrange(found.size)] = float(kind)
    made = {"flat": found.reshape(-1), "whole": found.astype(np.int64) if kind == "whole" else found, "fewer": found[:-1]}
    made |= {"twice": np.concatenate([found, found])}
    if kind != "none":
        tensors[name] = np.ascontiguousarray(made.get(kind, found))
    save_file(tensors, path)
    return f"{name} {kind}"


def _bytes(path, rng):
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
    return "bytes"
