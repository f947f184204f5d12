"""Bombs: small files that stand for hours, gigabytes or more stack than there is. Each is made by a function of a folder."""

import csv
import gzip
import io
import json
import struct
import zipfile

import pytest

DEEP = 100_000
MB = 2**20


def _text(name, text):
    def make(folder):
        (folder / name).write_text(text() if callable(text) else text, encoding="utf-8")
        return folder / name

    return make


def _laughs():
    lines = ["a: &a [" + ",".join(["lol"] * 10) + "]"]
    lines += [f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 10)}]" for k in range(12)]
    return "\n".join(lines)


YAML = {
    "brackets": "[" * DEEP,
    "closed brackets": "[" * DEEP + "]" * DEEP,
    "braces": "a: " + "{a: " * DEEP,
    "dashes": "- " * DEEP + "x",
    "indents": "".join(" " * k + "a:\n" for k in range(2_000)),
    "question marks": "? " * DEEP,
    "too long": "a: " + "x" * 5_000_000,
    "a billion laughs": _laughs(),
    "a long text a thousand times": "a: &a " + "z" * 100_000 + "\nb: [" + ",".join(["*a"] * 1000) + "]",
    "itself": "a: &a [*a]",
    "itself in a mapping": "&a {x: *a}",
    "6,000 digits": "a: " + "9" * 6_000,
    "a number in base 60": "a: " + ":".join(["1"] * 300_000),
    "a fraction in base 60": "a: " + ":".join(["1"] * 3_000) + ".5",
    "a million hex digits": "a: 0x" + "f" * 1_000_000,
    "a tag that runs code": "!!python/object/apply:os.system ['true']",
    "a tag that does not suit": "a: !!bool x",
    "a list as a key": "? [a]\n: b",
    "a date that is none": "a: 2001-99-99",
}
"""Of these no value system, price list or plan comes."""


def _gz(name, data, times=1):
    def make(folder):
        with gzip.open(folder / name, "wb", compresslevel=9) as file:
            for _ in range(times):
                file.write(data)
        return folder / name

    return make


def _zst(name, data, times):
    def make(folder):
        zstd = pytest.importorskip("backports.zstd")
        with zstd.open(folder / name, "wb") as file:
            for _ in range(times):
                file.write(data)
        return folder / name

    return make


def _log(**members):
    """A log of Inspect of these members, each a text or as many megabytes of spaces."""

    def make(folder):
        with zipfile.ZipFile(folder / "r.eval", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                with archive.open(name.replace("_", "/") + ".json", "w", force_zip64=True) as file:
                    for part in [content.encode()] if isinstance(content, str) else [b" " * MB] * content:
                        file.write(part)
        return folder / "r.eval"

    return make


def _csv(name, rows):
    def make(folder):
        out = io.StringIO()
        csv.writer(out).writerows(rows())
        (folder / name).write_text(out.getvalue(), encoding="utf-8")
        return folder / name

    return make


def _parquet(name, columns, **options):
    def make(folder):
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.table(columns(pyarrow)), folder / name, compression="zstd", **options)
        return folder / name

    return make


def _deep_list(pyarrow):
    kind, value = pyarrow.int8(), 1
    for _ in range(200):
        kind, value = pyarrow.list_(kind), [value]
    return {"response": pyarrow.array([value], kind)}


def _cut_parquet(folder):
    path = _parquet("r.parquet", lambda pa: {"response": ["x"] * 1000})(folder)
    path.write_bytes(path.read_bytes()[:60] + struct.pack("<I", 2**31 - 1) + b"PAR1")
    return path


def _understated(make):
    """A file whose footer says of each column that it unpacks to a byte; its pages say what is true."""

    def forged(folder):
        parquet = pytest.importorskip("pyarrow.parquet")
        path = make(folder)
        metadata, data = parquet.ParquetFile(path).metadata, path.read_bytes()
        (length,) = struct.unpack("<I", data[-8:-4])
        pages, footer, end = data[: -8 - length], data[-8 - length : -8], data[-8:]
        for place in range(metadata.num_columns):
            told = _varint(2 * metadata.row_group(0).column(place).total_uncompressed_size)
            footer = footer.replace(told, bytes([0x82, *[0x80] * (len(told) - 2), 0]))
        path.write_bytes(pages + footer + end)
        group = parquet.ParquetFile(path).metadata.row_group(0)
        assert {group.column(place).total_uncompressed_size for place in range(group.num_columns)} == {1}
        return path

    return forged


def _varint(number):
    return bytes([number & 0x7F | 0x80]) + _varint(number >> 7) if number > 0x7F else bytes([number])


def _wide(pyarrow, columns, characters):
    text = pyarrow.array(["x" * characters])
    return {f"c{k}": text for k in range(columns)}


ROWS = {
    "json: deep": _text("r.jsonl", '{"a":' * DEEP),
    "json: deep and closed": _text("r.jsonl", '{"id": "a", "response": ' + "[" * DEEP + "]" * DEEP + "}"),
    "json: a deep array": _text("r.json", "[" * DEEP + "]" * DEEP),
    "json: millions of lists in a row": _text("r.jsonl", lambda: '{"id": "a", "response": [' + "[]," * 2_000_000 + "[]]}"),
    "json: millions of lists in an array": _text("r.json", lambda: '[{"response": [' + "[]," * 2_000_000 + "[]]}]"),
    "json: 6,000 digits": _text("r.jsonl", '{"id": "a", "response": ' + "9" * 6_000 + "}"),
    "json: a number that does not end": _text("r.json", "[" + "9" * 3_000_000),
    "json: spaces": _text("r.json", "[" + " " * 20_000_000),
    "json: a string that does not end": _text("r.json", '["' + "x" * 70_000_000),
    "json.gz: a line of gigabytes": _gz("r.jsonl.gz", b"x" * MB, 200),
    "json.gz: cut": lambda folder: _cut(_gz("r.jsonl.gz", b'{"id": "a"}\n' * 10_000)(folder)),
    "json.zst: a line of gigabytes": _zst("r.jsonl.zst", b"x" * MB, 200),
    "csv.zst: a line of gigabytes": _zst("r.csv.zst", b"x" * MB, 200),
    "json.gz: a log of gigabytes": _gz("r.json.gz", b'{"version": 2, "status": ' + b" " * MB, 600),
    "eval: a header of gigabytes": _log(header=600),
    "eval: a sample of gigabytes": _log(header="{}", samples_a=600),
    "eval: millions of lists in a sample": _log(header="{}", samples_a='{"id": "a", "output": [' + "[]," * 2_000_000 + "[]]}"),
    "eval: a deep sample": _log(header="{}", samples_a='{"id": ' + "[" * DEEP + "]" * DEEP + "}"),
    "csv.gz: a line of gigabytes": _gz("r.csv.gz", b"x" * MB, 200),
    "csv.gz: a cell of gigabytes": _gz("r.csv.gz", b'"' + b"x\n" * (MB // 2), 200),
    "csv.gz: a row over many lines": lambda folder: _gz("r.csv.gz", b'"x\n","\n",' * (MB // 8), 100)(folder),
    "csv: millions of commas": _text("r.csv", lambda: "id,response\n" + "," * 20_000_000),
    "csv: a million columns": _text("r.csv", lambda: ",".join(["a", *map(str, range(300_000)), "a"]) + "\n"),
    "csv: a quote that does not end": _text("r.csv", 'id,response\na,"' + "x" * 70_000_000),
    "csv: a deep cell": _csv("r.csv", lambda: [["id", "messages"], ["a", "[" * DEEP + "]" * DEEP]]),
    "parquet: a text of gigabytes": _parquet("r.parquet", lambda pa: {"response": pa.array(["x" * 300_000_000])}, use_dictionary=False),
    "parquet: a text of gigabytes, and a footer that says otherwise": _understated(
        _parquet("r.parquet", lambda pa: _wide(pa, 4, 300_000_000), use_dictionary=False, write_statistics=False)
    ),
    "parquet: many large texts in a row": _parquet("r.parquet", lambda pa: _wide(pa, 30, 60_000_000), use_dictionary=False),
    "parquet: a list of one text a thousand times": _parquet(
        "r.parquet",
        lambda pa: {
            "response": pa.ListArray.from_arrays(
                pa.array([0, 1000], pa.int32()),
                pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["x" * 10_000_000])),
            )
        },
    ),
    "parquet: a list of a hundred million": _parquet(
        "r.parquet", lambda pa: {"response": pa.ListArray.from_arrays(pa.array([0, 10**8], pa.int32()), pa.nulls(10**8, pa.int8()))}
    ),
    "parquet: deep": _parquet("r.parquet", _deep_list),
    "parquet: 20,000 columns": _parquet("r.parquet", lambda pa: {f"c{k}": ["x"] for k in range(20_000)}),
    "parquet: a length that is a lie": _cut_parquet,
}
"""Of these nothing is read that could be judged."""


def _cut(path):
    path.write_bytes(path.read_bytes()[:-20])
    return path


def many_annotators(folder):
    """Labels of 3,000 annotators: as pairs of annotators 4,500,000."""
    path = folder / "labels.jsonl"
    rows = ({"id": f"r{k % 7}", "response": "x", "value": "care", "label": "adhere", "annotator": f"a{k}"} for k in range(3_000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
