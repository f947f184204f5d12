"""Kills at random moments, a few: `python benchmarks/kills.py` makes fifty, of every command that pays for answers."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 here")
def test_a_killed_command_loses_nothing_and_pays_for_nothing_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kills

    counts = kills.strike(4, 2, ["calibrate", "evaluate"], 2, tmp_path)
    assert {name: (count["tried"], count["failed"], count["twice"]) for name, count in counts.items()} == {
        "calibrate": (2, 0, 0),
        "evaluate": (2, 0, 0),
    }, capsys.readouterr().err
