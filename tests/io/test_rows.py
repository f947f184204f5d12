"""Every format gives the same rows, and every bad row its place."""

import io
import json
import os
import sys
from types import SimpleNamespace

import pytest

from clave.errors import InputError, MissingExtraError
from clave.io import Skipped, read_responses, read_rows
from clave.io.rows import good_rows

ROWS = [{"id": "a", "response": "Ja, natürlich\n„gut“"}, {"id": "b", "response": "是\u2028\r 🙂"}]


def write(path, rows, fields=("id", "response")):
    import csv

    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson", "r.json", "r.csv", "r.tsv", "r.parquet", "R.JSONL"])
def test_every_format_gives_the_same_rows(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    assert [row.data for row in read_rows(path)] == ROWS


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_a_byte_order_mark_is_not_part_of_the_first_field(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [row.data for row in read_rows(path)] == ROWS


def test_blank_lines_are_no_rows_and_still_counted(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('\ufeff\n\n{"id": "a"}\n \n{"id": "b"}', encoding="utf-8")
    assert [row.where for row in read_rows(path)] == [f"{path}, line 3", f"{path}, line 5"]
    path = tmp_path / "r.csv"
    path.write_text("id\n\na\n\nb\n")
    assert [row.data["id"] for row in read_rows(path)] == ["a", "b"]


def test_standard_input_is_jsonl(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"id": 1, "response": "x"}\nno\n')))
    rows = read_responses("-")
    assert next(rows).id == "1"
    with pytest.raises(InputError, match="standard input, line 2: not a JSON object"):
        next(rows)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "not a JSON object on one line"),
        (b"[1]", "must be a JSON object, not list"),
        (b"null", "must be a JSON object, not NoneType"),
        (b'{"id": "\xe9"}', "not UTF-8 at byte 9"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"id": "a", "response": "half \\ud83d"}', "half a character"),
        (b'{"id": "a", "response": "x", "\\udc00": 1}', "half a character"),
        (b'{"id": ' + b"9" * 5000 + b"}", "not a JSON object on one line"),
    ],
)
def test_a_bad_line_is_told_with_its_place_or_skipped_and_counted(tmp_path, line, sentence):
    path = tmp_path / "r.jsonl"
    good = b'{"id": "%d", "response": "an emoji \\ud83d\\ude42"}\n'
    path.write_bytes(good % 1 + line + b"\n" + good % 2)
    with pytest.raises(InputError, match=f"r.jsonl, line 2: .*{sentence}"):
        list(read_responses(path))
    skipped = Skipped()
    assert [r.id for r in read_responses(path, on_error="skip", skipped=skipped)] == ["1", "2"]
    assert skipped.count == 1
    assert sentence in skipped.reasons[0]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_bad_row_of_a_table_is_told_with_its_place_or_skipped(tmp_path, ending):
    comma = "," if ending == "csv" else "\t"
    path = tmp_path / f"r.{ending}"
    lines = [f"id{comma}response", f"1{comma}x", "2", f"3{comma}x{comma}y", f"4{comma}\udce9t\udce9", f"5{comma}y"]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="line 3: the row has 1 fields and the header 2"):
        list(read_responses(path))
    skipped = Skipped()
    assert [r.id for r in read_responses(path, on_error="skip", skipped=skipped)] == ["1", "5"]
    assert skipped.count == 3
    assert "line 5: not UTF-8" in skipped.reasons[2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('id,response\n1,"open', "line 2.*unexpected end"),
        ("id,response,id\n1,x,2\n", "line 1: two columns are named 'id'"),
        (b"id,r\xe9ponse\n1,x\n", "line 1: not UTF-8"),
    ],
)
def test_a_broken_table_is_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "r.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=sentence):
        list(read_rows(path))


def test_a_long_field_and_a_nul_are_read(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("id,response\n1," + "x" * 1_000_000 + "\n2,a\0b\n")
    assert [len(r.response) for r in read_responses(path)] == [1_000_000, 3]


@pytest.mark.parametrize("name", ["r.txt", "r", "r.xlsx"])
def test_an_unknown_format_is_a_sentence(tmp_path, name):
    with pytest.raises(InputError, match="cannot tell the format.*jsonl"):
        read_rows(tmp_path / name)


@pytest.mark.parametrize("name", ["r.jsonl", "r"])
def test_a_folder_in_place_of_a_file_is_a_sentence(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="is a folder without files of rows"):
        read_rows(tmp_path / name)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_rows(tmp_path / "r.jsonl")


def test_a_broken_parquet_file_is_a_sentence(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        list(read_rows(path))


def test_a_data_set_of_the_hub_is_streamed(monkeypatch):
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options))
        return iter(ROWS)

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    rows = list(read_rows("hf://org/name@v1:train"))
    assert asked == [("org/name", {"split": "train", "revision": "v1", "streaming": True})]
    assert [row.data for row in rows] == ROWS
    assert rows[1].where == "hf://org/name@v1:train, row 2"
    with pytest.raises(InputError, match="name the split, e.g. hf://org/name:train"):
        list(read_rows("hf://org/name"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match="pip install 'clave\\[hub\\]'"):
        list(read_rows("hf://org/name:train"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("r.csv", b"\xef\xbb\xbfid,response\n1,a\n\xef\xbb\xbf2,b\n"),
        ("r.csv", b"id,response\r\n1,a\n2,b\r"),
        ("r.csv", b"id,response\r1,a\r2,b"),
        ("r.csv", b"\n  \n id , \xef\xbb\xbfresponse\xc2\xa0\n\n1,a\n,\n2,b\n   \n"),
        ("r.csv", b"\n id ; response\n1;a\n2;b\n;\n"),
        ("r.jsonl", b'\xef\xbb\xbf{"id":1,"response":"a"}\n\xef\xbb\xbf{"id":2,"response":"b"}\n'),
        ("r.jsonl", b'{"id":1,"response":"a"}\r{"id":2,"response":"b"}\r\n\r\n'),
    ],
)
def test_marks_blanks_and_line_ends_are_no_part_of_what_is_said(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert [(str(row.data["id"]), row.data["response"]) for row in read_rows(tmp_path / name)] == [("1", "a"), ("2", "b")]


def test_lines_are_counted_whatever_ends_them(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(b'{"id":1}\r\n{"id":2}\r\r{"id":3}\n{"id":4}')
    assert [row.where.rpartition(" ")[2] for row in read_rows(tmp_path / "r.jsonl")] == ["1", "2", "4", "5"]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("r.csv", b"id,response\n1,a\nid,response\n2,b\n", "line 3: the header stands here again.*take the line out"),
        ("r.csv", b"id,response,,\n1,a,,\n2,b,x,\n", "line 3: several columns have no name"),
        ("r.csv", b'id,response\n1,"a\n', "unexpected end of data: a cell that begins with a quotation mark must end with one"),
        ("r.jsonl", b'{"id":1}{"id":2}\n', "line 1: not a JSON object on one line: Extra data at character 9: write each object on a line"),
        ("r.jsonl", b'{\n "id":1}\n', "line 1: not a JSON object on one line: .* or all as one array"),
        ("r.jsonl", b'{"id":' + b"9" * 5000 + b"}", "a number of more than 4,300 digits: write it as text"),
        ("r.jsonl", b"{" + b",".join(b'"%d":1' % k for k in range(20_000)) + b"}", "it has 20,000 columns, and at most 10,000 are read"),
        ("r.csv", b",".join(b"c%d" % k for k in range(20_000)), "line 1: it has 20,000 columns, and at most 10,000 are read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_mend(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=sentence):
        list(good_rows(read_rows(tmp_path / name), "stop", None))


def test_several_columns_without_a_name_and_without_cells_are_none(tmp_path):
    (tmp_path / "r.csv").write_text("id,response,,\n1,a,,\n")
    assert [(row.data["id"], row.data["response"]) for row in read_rows(tmp_path / "r.csv")] == [("1", "a")]


@pytest.mark.parametrize("name", ["pipe", "pipe.jsonl"])
def test_a_pipe_in_place_of_a_file_is_a_sentence(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is a pipe or a device, which can be read once: give - in its place"):
        list(read_rows(tmp_path / name))
