"""Verdicts go where they are wanted: lines, tables, parts of a folder, standard output; and all of it is read again."""

import asyncio
import io
import json
from types import SimpleNamespace

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM

from clave import Clave, InputError
from clave.files.evaluating import evaluate_file
from clave.files.output import output_of
from clave.files.source import ResponseSource
from clave.io import read_verdicts, write_jsonl
from clave.io.manifest import read_manifest
from clave.testing import FakeChat


@pytest.fixture
def run(tmp_path):
    write_jsonl(tmp_path / "responses.jsonl", RESPONSES)

    def go(output, **options):
        source = ResponseSource(str(tmp_path / "responses.jsonl"), **options)
        return asyncio.run(evaluate_file(Clave(SYSTEM, chat=FakeChat(RULES)).judging, source, output))

    return go


def labels(path):
    return sorted((v.id, v.value, v.label) for v in read_verdicts(path))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_holds_what_the_lines_hold_and_is_gone_on_with(run, tmp_path, ending):
    assert run(tmp_path / f"v.{ending}", limit=4).new == 8
    assert run(tmp_path / f"v.{ending}").new == 10
    assert labels(tmp_path / f"v.{ending}") == labels(tmp_path / "v.jsonl")
    assert len(labels(tmp_path / "v.jsonl")) == 18


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_shards_are_parts_of_one_folder(run, tmp_path, ending):
    folder = tmp_path / f"v.{ending}"
    new = [run(folder, shard=(i, 3)).new for i in (1, 2, 3)]
    assert sum(new) == 18
    assert [run(folder, shard=(i, 3)).new for i in (1, 2, 3)] == [0, 0, 0]
    run(tmp_path / "whole.jsonl")
    assert labels(folder) == labels(tmp_path / "whole.jsonl")
    assert read_manifest(folder).values == {"care": "Care", "honesty": "Honesty"}
    assert (folder / f"part-00002-of-00003.{ending}").is_file()
    with pytest.raises(InputError, match="is a folder: a part of it is written with a shard"):
        run(folder)


def test_a_manifest_names_the_values_that_were_asked_for(tmp_path):
    asked = [response.model_copy(update={"value": "honesty"}) for response in RESPONSES]
    write_jsonl(tmp_path / "responses.jsonl", asked)
    source = ResponseSource(str(tmp_path / "responses.jsonl"))
    asyncio.run(evaluate_file(Clave(SYSTEM, chat=FakeChat(RULES)).judging, source, tmp_path / "v.jsonl"))
    assert read_manifest(tmp_path / "v.jsonl").values == {"honesty": "Honesty"}


def test_an_empty_shard_is_a_part_without_verdicts(run, tmp_path):
    assert {run(tmp_path / "v.jsonl", shard=(i, 40)).new for i in range(1, 41)} >= {0, 2}


def test_standard_output_has_each_verdict_on_a_line_and_nothing_else(run, tmp_path, monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    found = run("-")
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (found.new, len(rows), found.counts["care", "adhere"]) == (18, 18, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["responses.jsonl"]


@pytest.mark.parametrize("output", ["v.xlsx", "v", "folder/"])
def test_an_unknown_ending_is_a_sentence(output):
    with pytest.raises(InputError, match="ends in .jsonl, .parquet or .csv, or to - "):
        output_of(output)
