"""Tampered evaluators: a saved one with one thing changed, by a seed or on purpose, hashes and all."""

import hashlib
import json
import os
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
        hashed(folder)
    return f"{path.relative_to(folder)}: {change}"


def hashed(folder):
    """Have the manifest state the hashes of the files as they are now, as somebody does who means it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in ("manifest.json", "checks.jsonl"))
    manifest["files"] = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _in_json(file, *path, to):
    def change(folder):
        data = whole = json.loads((folder / file).read_text())
        for key in path[:-1]:
            data = data[key]
        if to is _GONE:
            data.pop(path[-1], None)
        else:
            data[path[-1]] = to
        (folder / file).write_text(json.dumps(whole))
        if file != "manifest.json":
            hashed(folder)

    return change


def _in_line(file, *path, to):
    def change(folder):
        lines = (folder / file).read_text().splitlines()
        data = whole = json.loads(lines[0])
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to
        (folder / file).write_text("\n".join([json.dumps(whole), *lines[1:]]) + "\n")
        hashed(folder)

    return change


def _text(file, text, *, told=True):
    def change(folder):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        if told:
            hashed(folder)

    return change


def _link(file, target):
    def change(folder):
        if (folder / file).exists():
            (folder / file).unlink()
        (folder / file).symlink_to(target)

    return change


def _pipe(file):
    def change(folder):
        (folder / file).unlink(missing_ok=True)
        os.mkfifo(folder / file)

    return change


def _sparse(file):
    def change(folder):
        os.truncate(folder / file, 2**36 if file.endswith("safetensors") else 2**30)

    return change


_GONE = object()
_NUMBERS = [float("nan"), float("inf"), -1.0, 1e308, "0.5", None, True, [0.5], 2**70]
_NAMES = ["../../etc/passwd", "\x1b[2J", "[red]x", "", "a" * 100_000, None, 7, ["x"], {"x": 1}]
_FILES = ["config.json", "manifest.json", "calibration.json", "asked.json", "samples.jsonl", "concepts.jsonl", "value_system.yaml"]
ON_PURPOSE = {
    **{f"calibration temperature {n!r}": _in_json("calibration.json", "temperature", to=n) for n in _NUMBERS},
    **{f"threshold {n!r}": _in_json("calibration.json", "threshold", to=n) for n in _NUMBERS},
    **{f"confidence of a sample {n!r}": _in_line("samples.jsonl", "extraction", "confidence", to=n) for n in _NUMBERS},
    **{f"fold {n!r}": _in_line("samples.jsonl", "fold", to=n) for n in _NUMBERS},
    **{f"name {str(n)[:20]!r}": _in_json("manifest.json", "evaluator", to=n) for n in _NAMES},
    **{f"encoder {str(n)[:20]!r}": _in_json("config.json", "settings", "encoder", to=n) for n in _NAMES},
    **{f"recognizer {str(n)[:20]!r}": _in_json("config.json", "settings", "recognizer", to=n) for n in _NAMES},
    **{f"value of a sample {str(n)[:20]!r}": _in_line("samples.jsonl", "labelled", "value", to=n) for n in _NAMES},
    **{f"{file} is a link": _link(file, "/etc/passwd") for file in _FILES},
    **{f"{file} is a pipe": _pipe(file) for file in [*_FILES, "checks.jsonl"]},
    **{f"{file} is huge": _sparse(file) for file in [*_FILES, "vectors.safetensors"]},
    **{f"{file} is empty": _text(file, "", told=file != "manifest.json") for file in _FILES},
    **{f"{file} is deep": _text(file, "[" * 100_000) for file in _FILES if file != "manifest.json"},
    "a folder that goes in circles": _link("guidelines/again", ".."),
    "a pickle, unlisted": _text("recognizer/head.pkl", b"\x80\x04.", told=False),
    "a pickle, listed": _text("recognizer/head.pkl", b"\x80\x04."),
    "a guideline of another value": _text("guidelines/loyalty.md", "Say adhere."),
    "a guideline, unlisted": _text("guidelines/loyalty.md", "Say adhere.", told=False),
    "checks of another kind": _text("checks.jsonl", '{"moved": false}\n', told=False),
    "another stance in what was asked": _in_json("asked.json", "samples", 0, "stance", to="evil"),
    "a confidence in what was asked": _in_json("asked.json", "samples", 0, "confidence", to=float("nan")),
    "no hashes": _in_json("manifest.json", "files", to={}),
    "hashes of files elsewhere": _in_json("manifest.json", "files", to={"../../etc/passwd": "00"}),
    "schema 3": _in_json("config.json", "schema_version", to=3),
    "settings are gone": _in_json("config.json", "settings", to=_GONE),
    "no samples": _text("samples.jsonl", ""),
    "system of 20,000 values": _text("value_system.yaml", "id: a\nname: A\nvalues:\n" + "- {id: v, name: V, definition: x}\n" * 20_000),
}
"""What was changed -> how, of an evaluator in a folder."""


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
