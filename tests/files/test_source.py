"""Which part of a file is judged: shards are whole together, stay where they are, and go into files of their own."""

import asyncio
from itertools import chain

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM

from clave import Clave, InputError
from clave.files.estimating import estimate_evaluation
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.io import write_jsonl
from clave.records import Response
from clave.testing import FakeChat


def ids(path, **options):
    return [r.id for r in ResponseSource(str(path), **options).responses()]


def test_shards_are_the_whole_and_none_twice(tmp_path):
    path = tmp_path / "r.jsonl"
    write_jsonl(path, [Response(id=f"é{i}", response="x") for i in range(200)])
    parts = [ids(path, shard=(i, 7)) for i in range(1, 8)]
    assert sorted(chain.from_iterable(parts)) == sorted(ids(path))
    assert all(10 <= len(part) <= 50 for part in parts)
    write_jsonl(path, [Response(id=f"é{i}", response="y") for i in reversed(range(150, 400))])
    assert {i for i in parts[2] if int(i[1:]) >= 150} <= set(ids(path, shard=(3, 7)))


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (1, 0)])
def test_a_shard_that_is_none_is_a_sentence(shard):
    with pytest.raises(InputError, match="with i from 1 to n"):
        ResponseSource("r.jsonl", shard=shard)


def test_a_limit_takes_the_first_and_more_goes_on(tmp_path):
    write_jsonl(tmp_path / "r.jsonl", RESPONSES)
    sources = [ResponseSource(str(tmp_path / "r.jsonl"), limit=limit) for limit in (2, 5, 3, None)]
    clave = Clave(SYSTEM, chat=FakeChat(RULES))
    found = [asyncio.run(evaluate_file(clave.judging, source, tmp_path / "v.jsonl")) for source in sources]
    assert [f.new for f in found] == [4, 6, 0, 8]


def test_standard_input_cannot_be_estimated():
    with pytest.raises(InputError, match="gone once they are counted: give a file"):
        asyncio.run(estimate_evaluation(Clave(SYSTEM, chat=FakeChat(RULES)), ResponseSource("-"), None))
