"""Bombs: what would take hours, gigabytes or the stack is refused in a sentence before it is parsed."""

import json
import struct
import subprocess
import sys

import pytest
from attacks.bombs import ROWS, YAML, many_annotators
from attacks.drawing import drawn

from clave.benchmark.plan import Plan
from clave.concepts.extractor import _in_form
from clave.errors import InputError
from clave.llm.pricing import price_of
from clave.text.bounded import load_yaml, read_object
from clave.values import ValueSystem

READERS = {
    "value system": (lambda path: ValueSystem.load(path), "value system"),
    "prices": (lambda path: price_of("a/b", path), "prices"),
    "plan": (Plan.read, "bomb.yaml"),
}


@pytest.mark.parametrize("text", drawn(YAML, len(YAML)))
@pytest.mark.parametrize("reader", READERS)
def test_yaml_that_is_a_bomb_is_a_sentence(reader, text, tmp_path):
    (tmp_path / "bomb.yaml").write_text(text, encoding="utf-8")
    read, words = READERS[reader]
    with pytest.raises(InputError, match=words) as told:
        read(tmp_path / "bomb.yaml")
    assert len(str(told.value)) < 600


def test_what_people_write_is_read():
    assert load_yaml("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 2001-01-01}")["c"]["x"] == [1, 2]
    assert load_yaml('a: "' + "[" * 100_000 + '"') == {"a": "[" * 100_000}
    assert load_yaml("a: " + "deadbeef" * 100) == {"a": "deadbeef" * 100}


READ = """
import resource, sys
from itertools import islice
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from clave.errors import InputError
from clave.io import read_responses
import pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    said = f"{len(list(islice(read_responses(sys.argv[1]), 10)))} rows"
except InputError as error:
    said = f"refused {str(error)[:500]}"
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, said)
"""


@pytest.mark.parametrize("make", drawn(ROWS, 6))
def test_rows_that_are_a_bomb_are_a_sentence_in_bounded_memory(make, tmp_path):
    pytest.importorskip("pyarrow")
    ran = subprocess.run([sys.executable, "-c", READ, str(make(tmp_path))], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    megabytes, outcome, *_ = ran.stdout.split()
    assert outcome == "refused", ran.stdout
    assert int(megabytes) < 500, ran.stdout


@pytest.mark.parametrize("within", ["nothing", "a list", "a mapping", "a list of mappings", "bytes"])
def test_a_text_that_stands_in_every_row_is_in_memory_once(within, tmp_path):
    """Read as it stands there, a batch of these rows is ten gigabytes."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    text = pa.array([("x" * 10_000_000).encode() if within == "bytes" else "x" * 10_000_000])
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), text)
    if "mapping" in within:
        texts = pa.StructArray.from_arrays([texts], ["text"])
    if "list" in within:
        texts = pa.ListArray.from_arrays(pa.array(range(2001), pa.int32()), texts)
    column = "response" if within == "nothing" else "other"
    table = {"id": [str(k) for k in range(2000)], "response": ["x"] * 2000} | {column: texts}
    parquet.write_table(pa.table(table), tmp_path / "r.parquet")
    ran = subprocess.run([sys.executable, "-c", READ, str(tmp_path / "r.parquet")], capture_output=True, text=True, check=False)
    megabytes, *outcome = ran.stdout.split()
    assert outcome == ["10", "rows"], ran.stderr
    assert int(megabytes) < 500


@pytest.mark.parametrize(
    "text", drawn({"deep": "[" * 100_000, "list": "[]", "text": '"x"', "digits": "9" * 6000, "cut": '{"a": ', "bytes": "\udc80"}, 6)
)
@pytest.mark.parametrize("place", ["run", "valeval", "object"])
def test_a_manifest_that_is_none_is_a_sentence(place, text, tmp_path):
    from clave.benchmark.session import read_manifest
    from clave.valeval.check import read_manifest as of_valeval

    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError if place == "object" else InputError):
        {"run": read_manifest, "valeval": of_valeval, "object": lambda folder: read_object(folder / "manifest.json")}[place](tmp_path)


@pytest.mark.parametrize("length", drawn([0, 2**40, 2**63 - 1, 10**6], 4))
def test_a_safetensors_header_that_is_a_lie_is_a_sentence(length, tmp_path):
    from attacks.tampering import saved

    from clave import Clave
    from clave.errors import EvaluatorError

    saved(tmp_path / "e")
    path = tmp_path / "e" / "vectors.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    with pytest.raises(EvaluatorError):
        Clave.load(tmp_path / "e")


def test_twenty_thousand_values_are_read_and_checked_once_each(tmp_path):
    from typer.testing import CliRunner

    from clave.cli.main import app

    values = "".join(f"  - {{id: v{k}, name: n{k}, definition: d}}\n" for k in range(20_000))
    (tmp_path / "many.yaml").write_text(f"id: many\nname: n\nversion: '1'\nvalues:\n{values}")
    assert len(ValueSystem.load(tmp_path / "many.yaml").values) == 20_000
    assert CliRunner().invoke(app, ["values", "check", str(tmp_path / "many.yaml")]).exit_code == 0


def test_three_thousand_annotators_are_compared_in_bounded_work(tmp_path):
    pytest.importorskip("krippendorff")
    from clave.annotate.aggregate import aggregate
    from clave.annotate.agreement import MOST_PAIRS, agreement
    from clave.annotate.exchange import read_judgements

    judgements = read_judgements(many_annotators(tmp_path))
    assert len(agreement(judgements).pairs) <= MOST_PAIRS
    many = [j.model_copy(update={"id": f"{j.id}-{k}", "annotator": f"{j.annotator}-{k}"}) for k in range(3) for j in judgements]
    with pytest.raises(InputError, match="too many for Dawid-Skene"):
        aggregate([j.model_copy(update={"id": f"r{k}"}) for k, j in enumerate(many)], method="dawid-skene")


def test_many_spellings_of_a_key_are_counted_once():
    """An answer of 60,000 keys that all mean the stance: counted anew for each, that was minutes."""
    counted = 0

    class Key(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal counted
            counted += 1
            return str.__eq__(self, other)

        def strip(self, *_):
            return Key("stance")

        def lower(self):
            return self

    _in_form({Key(f"stance {k}"): "adhere" for k in range(2_000)})
    assert counted < 20 * 2_000


def test_a_conversation_of_which_every_turn_is_judged_is_bounded(tmp_path):
    from clave.io import read_responses

    turns = [{"role": role, "content": "x" * 1_000} for _ in range(1_000) for role in ("user", "assistant")]
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": "a", "messages": turns}) + "\n")
    assert len(list(read_responses(tmp_path / "r.jsonl"))) == 1
    with pytest.raises(InputError, match="too long"):
        list(read_responses(tmp_path / "r.jsonl", turns="all"))
