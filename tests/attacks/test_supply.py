"""What is installed is what was locked: pins and lock agree, and every locked file has its hash."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.M)


def name(text):
    return re.sub(r"[-_.]+", "-", text).lower()


def pins(path):
    return {name(package): version for package, version in PIN.findall(path.read_text(encoding="utf-8"))}


@pytest.mark.skipif(not LOCK.is_file(), reason="there is no lock beside an installed package")
def test_pins_and_lock_agree():
    locked = pins(LOCK)
    other = {package: (version, locked[package]) for package, version in pins(ROOT / "constraints.txt").items() if package in locked}
    assert {package: both for package, both in other.items() if both[0] != both[1]} == {}, "run .ci/lock"
    assert {"starlette", "h11", "urllib3", "aiohttp", "pyyaml", "safetensors"} <= set(other)


@pytest.mark.skipif(not LOCK.is_file(), reason="there is no lock beside an installed package")
def test_every_locked_package_has_hashes_and_comes_from_the_index():
    text = LOCK.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.split("\n", 1)[1])
    assert len(blocks) > 100
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
    assert not re.search(r"^(?:-|torch==)", text, re.M)


def test_nothing_is_pickled():
    """No module of the package reads a form that runs code when it is read."""
    named = re.compile(r"^\s*(?:import|from)\s+(?:pickle|joblib|dill|shelve|marshal|cloudpickle)\b", re.M)
    assert [p.name for p in (ROOT / "src").rglob("*.py") if named.search(p.read_text(encoding="utf-8"))] == []
