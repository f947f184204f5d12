"""Compressed files, folders and tables of every dialect give the same rows; what cannot be told is asked."""

import gzip
import json
import os

import pytest

from clave.errors import InputError
from clave.io import read_labels, read_responses, read_rows

ROWS = [{"id": "a", "response": "Ja, natürlich; „gut“"}, {"id": "b", "response": "是\n🙂"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
TABLE = 'id{0}response\na{0}"Ja, natürlich; „gut“"\nb{0}"是\n🙂"\n'


def zst(data):
    return pytest.importorskip("backports.zstd").compress(data)


@pytest.mark.parametrize("pack", [gzip.compress, zst])
@pytest.mark.parametrize(
    ("name", "data"), [("r.jsonl", LINES), ("r.json", json.dumps(ROWS).encode()), ("r.csv", TABLE.format(",").encode())]
)
def test_compressed_files_are_read_as_they_are(tmp_path, pack, name, data):
    path = tmp_path / f"{name}.{'gz' if pack is gzip.compress else 'zst'}"
    path.write_bytes(pack(data))
    assert [row.data for row in read_rows(path)] == ROWS
    path.write_bytes(pack(data)[:-9])
    with pytest.raises(InputError, match=f"not a whole {path.suffix} file"):
        list(read_rows(path))
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"not a whole {path.suffix} file"):
        list(read_rows(path))


def test_a_packed_bomb_is_no_row(tmp_path):
    path = tmp_path / "r.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(70):
            file.write(b"x" * 2**20)
    with pytest.raises(InputError, match="line 1: longer than 64 MiB"):
        list(read_responses(path))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["r.csv", "r.tsv"])
def test_what_separates_columns_is_found(tmp_path, mark, name):
    path = tmp_path / name
    path.write_text("\ufeff" + TABLE.format(mark), encoding="utf-8")
    assert [row.data for row in read_rows(path)] == ROWS


def test_excels_own_note_of_the_separator_is_taken(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("sep=;\n" + TABLE.format(";"), encoding="utf-8")
    assert [row.data for row in read_rows(path)] == ROWS


def test_commas_in_the_texts_of_a_table_with_semicolons_mislead_nobody(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("id;response\n1;a, b\n2;c, d\n", encoding="utf-8")
    assert [row.data["response"] for row in read_rows(path)] == ["a, b", "c, d"]


def test_a_header_that_can_be_split_in_two_ways_is_refused(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("id;a,response\n1;2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: cannot tell whether commas or semicolons separate the columns"):
        list(read_rows(path))
    path.write_text("id;a,response\n1,3\n2,4\n3,x;y\n", encoding="utf-8")
    assert [row.data["id;a"] for row in read_rows(path)] == ["1", "2", "3"]


def test_a_single_column_is_a_table(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("prompt\nWhy?\n", encoding="utf-8")
    assert [row.data for row in read_rows(path)] == [{"prompt": "Why?"}]


def test_a_folder_of_parts_is_one_source(tmp_path):
    for name, data in (("part-2.jsonl", LINES[LINES.index(b"\n") + 1 :]), ("part-1.jsonl", LINES[: LINES.index(b"\n") + 1])):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "manifest.json").write_text("{}")
    rows = list(read_rows(tmp_path))
    assert [row.data for row in rows] == ROWS
    assert rows[1].where == f"{tmp_path / 'part-2.jsonl'}, line 1"
    (tmp_path / "other.csv").write_text("id\n")
    with pytest.raises(InputError, match=r"files of several formats \(.csv, .jsonl\)"):
        read_rows(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(LINES)
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(path))


@pytest.mark.parametrize("name", ["semicolon.csv", "messages.jsonl"])
def test_the_cases_give_the_labels_that_the_plain_file_gives(shared, name):
    folder = shared / "cases"
    found = list(read_labels(folder / name, values=("honesty",)))
    assert found == list(read_labels(folder / "l12.jsonl", values=("honesty",)))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("r.jsonl", gzip.compress(LINES), "compressed: let its name end in .gz"),
        ("r.csv", b"PK\x03\x04rest", "a ZIP archive"),
        ("r.csv", b"PAR1\x15\x04", "Parquet: let its name end in .parquet"),
        ("r.csv", TABLE.format(",").encode("utf-16"), "UTF-16: save the file as UTF-8"),
        ("r.csv", TABLE.format(",").encode("utf-16-le"), "UTF-16: save the file as UTF-8"),
        ("r.csv", json.dumps([ROWS[0]]).encode(), "it holds JSON: name it .jsonl"),
    ],
)
def test_a_name_that_says_another_form_is_told(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=sentence):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("text", ['{"id": "a", "response": "x", "response": "y"}', '[{"id": "a", "response": "x", "response": "y"}]'])
def test_a_name_that_stands_twice_is_no_row(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match="'response' stands twice in one object"):
        list(read_responses(tmp_path / "r.json"))


def test_bytes_are_neither_ids_nor_a_fault_where_nobody_reads_them(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = {"id": ["a"], "response": ["x"], "image": [{"bytes": b"\xff"}]}
    parquet.write_table(pyarrow.table(table), tmp_path / "r.parquet")
    assert next(read_responses(tmp_path / "r.parquet")).model_dump_json()
    parquet.write_table(pyarrow.table(table | {"id": [b"a"]}), tmp_path / "r.parquet")
    with pytest.raises(InputError, match="row 1: 'id' must be text or a number"):
        list(read_responses(tmp_path / "r.parquet"))
