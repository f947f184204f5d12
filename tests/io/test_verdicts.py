"""Verdicts as they are written, resumed, mended and read again."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.errors import InputError
from clave.io import VerdictWriter, read_records, read_verdicts, write_jsonl
from clave.io.replacing import replacing
from clave.io.tables import write_table
from clave.records import LABELS, Case, Evidence, MappedConcept, Response, Usage, Verdict


def verdict(identity="a", value="care", **more):
    return Verdict(**{"id": identity, "value": value, "status": "ok", "label": "adhere"} | more)


RICH = verdict(
    "r\u2028ich",
    probabilities={"adhere": 0.7, "oppose": 0.2, "unrelated": 0.1},
    reason="weil\r\nes\0so ist 🙂",
    concepts=(MappedConcept(text="c", pool="p", similarity=0.5, labels={"oppose": 2}),),
    evidence=(Evidence(text="q", start=0, end=1),),
    cases=(Case(id="k", scenario="", response="r", label="oppose", similarity=0.1),),
    stance="oppose",
    confidence=0.8,
    novelty=0.25,
    flags=("cut",),
    evaluator="e",
    judged="0123456789abcdef",
    cached=True,
    usage=Usage(calls=1, prompt_tokens=5, completion_tokens=6, cost=0.1),
)
REFUSED = Verdict(id="b", value="care", status="refused", reason="no")
FAILED = Verdict(id="c", value="care", status="failed", reason="down")


def write(path, *verdicts):
    with VerdictWriter(path) as writer:
        for v in verdicts:
            writer.write(v)
    return path


def test_what_was_written_is_read_and_known(tmp_path):
    path = write(tmp_path / "new" / "v.jsonl", RICH, REFUSED)
    assert list(read_verdicts(path)) == [RICH, REFUSED]
    with VerdictWriter(path) as writer:
        assert len(writer) == 2
        assert writer.has(RICH.id, "care")
        assert not writer.has(RICH.id, "fairness")
        writer.write(FAILED)
        assert writer.has("c", "care")
    assert list(read_verdicts(path)) == [RICH, REFUSED, FAILED]


def test_a_kill_at_any_byte_of_the_last_line_costs_that_line_only(tmp_path):
    path = write(tmp_path / "v.jsonl", REFUSED, RICH)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in {*range(0, len(whole), 11), *range(12), first - 1, first, first + 1, len(whole) - 1}:
        path.write_bytes(whole[:size])
        with VerdictWriter(path) as writer:
            assert writer.has("b", "care") == (size >= first)
            assert len(writer) == (size >= first)
        assert path.read_bytes() == (whole[:first] if size >= first else b"")


@pytest.mark.parametrize(
    "text",
    [
        "notes\n",
        "notes without an end of line",
        '{"id": "a", "response": "x"}\n',
        '{"id": "a", "response": "x", "value": "care"}\n',
        '{"id":"a","response":"x","value":"care"}',
        "[1]\n",
        '{"id": ["a"], "value": "care", "status": "ok"}\n',
    ],
)
def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "v.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="v.jsonl, line 1: not a verdict: name another output file with -o"), VerdictWriter(path):
        pass
    assert path.read_text() == text


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "v.jsonl"):
        with pytest.raises(InputError, match="cannot be written"), VerdictWriter(path):
            pass


def test_what_is_dropped_is_unknown_again_and_the_rest_stays(tmp_path):
    path = write(tmp_path / "v.jsonl", RICH, FAILED, REFUSED)
    with path.open("ab") as file:
        file.write(b'{"id":"bro')
    with VerdictWriter(path) as writer:
        assert writer.drop(lambda entry: entry.outcome == "failed") == 1
        assert (len(writer), writer.has("c", "care"), writer.counts["care", "failed"]) == (2, False, 0)
        writer.write(verdict("d"))
        with pytest.raises(InputError, match="being written by another run"), VerdictWriter(path):
            pass
    assert list(read_verdicts(path)) == [RICH, REFUSED, verdict("d")]
    assert [p.name for p in tmp_path.iterdir()] == ["v.jsonl"]


def test_a_verdict_on_another_text_is_told_from_one_that_does_not_say(tmp_path):
    text = Response(id="a", response="x")
    path = write(tmp_path / "v.jsonl", verdict("a", judged=text.digest), verdict("b"))
    with VerdictWriter(path) as writer:
        other = text.model_copy(update={"scenario": "s"})
        assert [writer.differs(r, "care") for r in (text, other, other.model_copy(update={"id": "b"}))] == [False, True, False]
        assert not writer.differs(other, "fairness")
        assert writer.undated == 1


def test_records_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "r.jsonl"
    write_jsonl(path, [REFUSED])

    def broken():
        yield RICH
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write_jsonl(path, broken())
    assert list(read_verdicts(path)) == [REFUSED]
    assert os.listdir(tmp_path) == ["r.jsonl"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_table_gives_back_the_same_verdicts(tmp_path, ending):
    source = write(tmp_path / "v.jsonl", RICH, REFUSED, FAILED)
    assert write_table(source, tmp_path / f"t.{ending}") == 3
    assert list(read_verdicts(tmp_path / f"t.{ending}")) == [RICH, REFUSED, FAILED]


def test_an_id_that_pandas_wrote_as_a_number_is_the_same_id(tmp_path):
    source = write(tmp_path / "v.jsonl", RICH.model_copy(update={"id": "7"}))
    write_table(source, tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text.replace("\n7,", "\n7.0,"))
    source.write_text(source.read_text().replace('"id":"7"', '"id":7.0'))
    assert [v.id for path in (source, tmp_path / "t.csv") for v in read_verdicts(path)] == ["7", "7"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_no_verdicts_are_an_empty_table(tmp_path, ending):
    source = write(tmp_path / "v.jsonl")
    assert write_table(source, tmp_path / f"t.{ending}") == 0
    assert list(read_verdicts(tmp_path / f"t.{ending}")) == []


@pytest.mark.parametrize("change", [{"label": "good"}, {"probabilities": "x"}, {"flags": "{"}, {"more": 1}])
def test_a_row_that_is_no_verdict_is_a_sentence(tmp_path, change):
    path = tmp_path / "v.jsonl"
    path.write_text(json.dumps(REFUSED.model_dump(mode="json") | change) + "\n")
    with pytest.raises(InputError, match="v.jsonl, line 1: not a verdict"):
        list(read_verdicts(path))


def test_records_of_another_kind_are_a_sentence(tmp_path):
    path = write(tmp_path / "v.jsonl", REFUSED)
    with pytest.raises(InputError, match="v.jsonl, line 1: response"):
        list(read_records(path, Response))


texts = st.text(st.characters(codec="utf-8"), max_size=20)
shares = st.floats(0, 1)
verdicts = st.builds(
    Verdict,
    id=texts,
    value=texts,
    status=st.sampled_from(["ok", "abstained", "refused", "failed"]),
    label=st.sampled_from([*LABELS, None]),
    probabilities=st.none() | st.fixed_dictionaries(dict.fromkeys(LABELS, shares)),
    reason=texts,
    concepts=st.lists(st.builds(MappedConcept, text=texts, similarity=st.none() | shares), max_size=2).map(tuple),
    novelty=st.none() | shares,
    flags=st.lists(texts, max_size=2).map(tuple),
    usage=st.builds(Usage, calls=st.integers(0, 9), cost=st.none() | shares),
)


@given(rows=st.lists(verdicts, max_size=4))
def test_reading_what_was_written_is_the_identity(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("laws")
    path = write(folder / "v.jsonl", *rows)
    assert list(read_verdicts(path)) == rows
    for ending in ("parquet", "csv"):
        write_table(path, folder / f"t.{ending}")
        assert list(read_verdicts(folder / f"t.{ending}")) == rows


def test_two_runs_never_write_to_one_file(tmp_path):
    pytest.importorskip("fcntl", reason="files cannot be locked here")
    path = tmp_path / "v.jsonl"
    with VerdictWriter(path) as first:
        first.write(verdict("first"))
        with pytest.raises(InputError, match="being written by another run"), VerdictWriter(path):
            pass
        first.write(verdict("later"))
    with VerdictWriter(path) as second:
        assert len(second) == 2


def test_a_pipe_is_not_written_and_a_link_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InputError, match="pipe.jsonl cannot be written .it is a pipe or a device, not a file"):
        VerdictWriter(tmp_path / "pipe.jsonl").__enter__()
    with pytest.raises(InputError, match="pipe.jsonl cannot be written"):
        write_jsonl(tmp_path / "pipe.jsonl", [])
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write_jsonl(tmp_path / "link.jsonl", [])
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").is_file()


def test_an_id_of_a_table_may_be_zero(tmp_path):
    row = {"id": 0, "value": "care", "label": "adhere", "status": "ok", "evaluator": "e"}
    (tmp_path / "v.jsonl").write_text(json.dumps(row) + "\n")
    assert [v.id for v in read_verdicts(tmp_path / "v.jsonl")] == ["0"]


def test_two_that_write_to_one_place_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "report.html"
    with replacing(path) as first:
        first.write(b"one")
        with replacing(path) as second:
            second.write(b"another")
        first.write(b" whole")
    assert path.read_bytes() == b"one whole"
    with pytest.raises(RuntimeError), replacing(path):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
