"""A file of responses into a file of verdicts: what another evaluator wrote is left alone, and no output is half written."""

import asyncio
import json

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM

from clave import Clave, InputError
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.io import write_jsonl
from clave.records import Failure
from clave.testing import FakeChat

DOWN = Failure(status="failed", kind="server", reason="down")


def run(clave, folder, output="verdicts.jsonl", **options):
    source = folder / "responses.jsonl"
    write_jsonl(source, RESPONSES)
    return asyncio.run(evaluate_file(clave.judging, ResponseSource(str(source)), folder / output, **options))


def test_failed_verdicts_are_evaluated_again_when_asked_for(tmp_path):
    assert run(Clave(SYSTEM, chat=FakeChat({**RULES, "helped": DOWN})), tmp_path).counts["care", "failed"] == 3
    found = run(Clave(SYSTEM, chat=FakeChat(RULES)), tmp_path, retry_failed=True)
    assert (found.new, ("care", "failed") in found.counts) == (6, False)


def test_what_another_evaluator_failed_on_is_not_dropped(tmp_path):
    run(Clave(SYSTEM, chat=FakeChat({**RULES, "helped": DOWN})), tmp_path)
    before = (tmp_path / "verdicts.jsonl").read_text()
    with pytest.raises(InputError, match="name another output"):
        run(Clave(SYSTEM, chat=FakeChat(RULES, model="fake/other")), tmp_path, retry_failed=True)
    assert (tmp_path / "verdicts.jsonl").read_text() == before


def test_a_parquet_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    clave = Clave(SYSTEM, chat=FakeChat(RULES))
    run(clave, tmp_path, "verdicts.parquet")
    before = (tmp_path / "verdicts.parquet").read_bytes()
    with (tmp_path / "verdicts.jsonl").open("a") as file:
        verdict = json.loads((tmp_path / "verdicts.jsonl").read_text().splitlines()[0])
        file.write(json.dumps({**verdict, "id": "odd", "novelty": "far"}) + "\n")
    with pytest.raises(InputError, match="novelty"):
        run(clave, tmp_path, "verdicts.parquet")
    assert (tmp_path / "verdicts.parquet").read_bytes() == before


@pytest.mark.parametrize("change", ["longer", "shorter", "gone"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, change):
    source = tmp_path / "responses.jsonl"

    def tick(done, total):
        if done == 1 and change == "gone":
            source.unlink()
        elif done == 1:
            write_jsonl(source, [*RESPONSES, *RESPONSES[:1]] if change == "longer" else RESPONSES[:1])

    clave = Clave(SYSTEM, chat=FakeChat(RULES))
    (note,) = run(clave, tmp_path, tick=tick).notes
    assert note == f"{source} has changed while it was read: run the same command again to have verdicts on what it holds now"
    assert run(clave, tmp_path).notes == ()
