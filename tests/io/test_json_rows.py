"""JSON comes in lines or as one array, of any size, and is never held whole."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.errors import InputError
from clave.io import Skipped, read_responses, read_rows
from clave.io.json_rows import json_rows
from clave.io.rows import PROBLEM

cells = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
rows = st.lists(st.dictionaries(st.text(), cells | st.lists(cells, max_size=3), max_size=4), max_size=6)


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, so that every element is cut somewhere."""

    def read(self, size=-1):
        return super().read(min(size, 7) if size > 0 else size)


@given(rows=rows, indent=st.none() | st.integers(0, 3), ascii=st.booleans())
def test_an_array_gives_its_elements_wherever_reading_cuts_it(rows, indent, ascii):
    data = json.dumps(rows, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    found = list(json_rows(Dripping(data), "a.json"))
    assert [row.data for row in found if PROBLEM not in row.data] == [r for r in rows if PROBLEM not in r]
    assert [row.where for row in found] == [f"a.json, item {i}" for i in range(1, len(rows) + 1)]


@pytest.mark.parametrize("start", ["", "\ufeff", "\n \n"])
def test_an_array_may_begin_late_and_have_any_ending(tmp_path, start):
    for ending in (".json", ".jsonl"):
        path = tmp_path / f"r{ending}"
        path.write_text(start + '[\n {"id": 1, "response": "x"},\n {"id": 2, "response": "y"}\n]\n', encoding="utf-8")
        assert [r.id for r in read_responses(path)] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[{"id": 1}', "not a JSON array: it ends in the middle"),
        ('[{"id": 1} {"id": 2}]', "'{' stands where ',' must"),
        ('[{"id": 1},]', "item 2: not JSON"),
        ('[{"id": 1}]\n{"id": 2}', "goes on after the end"),
        ('[{"id": "a', "item 1: not JSON"),
        ('[{"id": ' + "9" * 5000 + "}]", "item 1: Exceeds the limit"),
        ("[" * 100_000, "item 1: nested too deep"),
        (b'[{"id": "\xe9"}]', "not UTF-8"),
    ],
)
def test_a_broken_array_is_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "r.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"r.json.*{sentence}"):
        list(read_rows(path))


def test_a_bad_element_is_skipped_and_the_rest_is_read(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('[{"id": 1, "response": "x"}, [2], {"id": 3, "response": "\\ud83d"}, {"id": 4, "response": "y"}]')
    skipped = Skipped()
    assert [r.id for r in read_responses(path, on_error="skip", skipped=skipped)] == ["1", "4"]
    assert "item 2: must be a JSON object, not list" in skipped.reasons[0]
    assert "item 3: holds half a character" in skipped.reasons[1]


def test_a_line_without_end_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("clave.io.json_rows.MAX_ROW", 1000)
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"id": 1, "response": "{"x" * 5000}"}}\n{{"id": 2, "response": "y"}}\n')
    skipped = Skipped()
    assert [r.id for r in read_responses(path, on_error="skip", skipped=skipped)] == ["2"]
    assert "line 1: longer than" in skipped.reasons[0]
    path.write_text(f'[{{"id": 1, "response": "{"x" * 5000}')
    with pytest.raises(InputError, match="item 1: longer than"):
        list(read_rows(path))


def test_memory_does_not_grow_with_an_array(tmp_path):
    def peak(n):
        path = tmp_path / f"{n}.json"
        with path.open("w") as out:
            out.write("[" + ",\n".join(f'{{"id": "{i}", "response": "{"x" * 5000}"}}' for i in range(n)) + "]")
        tracemalloc.start()
        assert sum(1 for _ in read_rows(path)) == n
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(10_000) < peak(1_000) + 2_000_000
