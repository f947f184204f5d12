"""Results as files: whole, compared only with what was judged alike, and harmless whoever wrote them."""

import asyncio
import json
import os

import pytest
from benchmark.bench_rows import WORDS, judged, rows, session, write
from typer.testing import CliRunner

from clave.benchmark.results import FORMAT, MOST_BYTES, read_board, read_result, signature
from clave.benchmark.submitting import submit
from clave.cli.bench import app
from clave.errors import InputError
from clave.report.board import board_page
from clave.report.forms.html import to_html
from clave.report.forms.markdown import to_markdown
from clave.testing import FakeChat

ANSWERS = {words.split()[0]: label for label, words in WORDS.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of two judges, and their files."""
    folder = tmp_path_factory.mktemp("results")
    made = judged(folder, write(folder).model_copy(update={"judges": ("majority", "tfidf")}))
    submit(made, folder / "results", by="A. Author", link="https://example.org/run")
    return folder


def changed(place, **changes):
    """A file of the run with something else in it, and the hash that fits."""
    path = next(p for p in (place / "results").iterdir() if p.name.startswith("tfidf"))
    data = {k: v for k, v in json.loads(path.read_text()).items() if k != "sha256"} | changes
    return data | {"sha256": signature(data)}


def test_the_same_run_gives_the_same_files(place, tmp_path):
    before = {p.name: p.read_bytes() for p in (place / "results").iterdir()}
    assert sorted(name.rpartition("-")[0] for name in before) == ["majority", "tfidf"]
    made = session(place / "run", write(place).model_copy(update={"judges": ("majority", "tfidf")}))
    asyncio.run(made.run())
    submit(made, tmp_path, by="A. Author", link="https://example.org/run")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_file_holds_figures_and_no_text(place):
    found = read_board(place / "results").results
    assert {r.judge: {s.split for s in r.scores} for r in found.values()} == {j: {"test", "elsewhere"} for j in ("majority", "tfidf")}
    tfidf = next(r for r in found.values() if r.judge == "tfidf")
    assert ({s.split: s.accuracy.n for s in tfidf.scores}["test"], tfidf.by, tfidf.model, tfidf.cost_per_1000) == (18, "A. Author", "", 0.0)
    for path in (place / "results").iterdir():
        assert not any(words in path.read_text() for words in WORDS.values())


def test_a_model_stands_beside_the_judge(tmp_path):
    plan = write(tmp_path).model_copy(update={"judges": ("zero-shot", "majority")})
    made = judged(tmp_path, plan, FakeChat(ANSWERS))
    submit(made, tmp_path / "results")
    models = {r.judge: r.model for r in read_board(tmp_path / "results").results.values()}
    assert models == {"zero-shot": "fake/chat", "majority": ""}


def test_only_finished_judges_are_written(place, tmp_path):
    made = session(place / "run", write(place).model_copy(update={"judges": ("majority", "tfidf")}))
    with pytest.raises(InputError, match="no judge 'best': it has majority, tfidf"):
        submit(made, tmp_path, ["best"])
    lines = (made.folder / "predictions.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run").mkdir()
    for name in ("config.yaml", "manifest.json"):
        (tmp_path / "run" / name).write_bytes((made.folder / name).read_bytes())
    (tmp_path / "run" / "predictions.jsonl").write_text("".join(line for line in lines if "tfidf" not in line) + lines[-1])
    half = session(tmp_path / "run", write(place).model_copy(update={"judges": ("majority", "tfidf")}))
    assert [p.name.rpartition("-")[0] for p in submit(half, tmp_path / "out")] == ["majority"]
    with pytest.raises(InputError, match="tfidf of the run is finished"):
        submit(half, tmp_path / "out", ["tfidf"])


@pytest.mark.parametrize("field", ["by", "link", "note", "version"])
def test_what_is_said_of_a_run_is_bounded(place, tmp_path, field):
    made = session(place / "run", write(place).model_copy(update={"judges": ("majority", "tfidf")}))
    with pytest.raises(InputError, match=f"{field}: "):
        submit(made, tmp_path, **{field: "javascript:alert(1)" * 100})


def test_a_changed_figure_is_seen(place, tmp_path):
    path = next((place / "results").iterdir())
    data = json.loads(path.read_text())
    data["scores"][0]["kappa"]["value"] = 0.123
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="was changed since it was written"):
        read_result(tmp_path / "a.json")


def test_another_layout_of_the_same_content_is_the_same(place, tmp_path):
    path = next((place / "results").iterdir())
    (tmp_path / "a.json").write_text(json.dumps(json.loads(path.read_text()), sort_keys=True, indent=7))
    assert read_result(tmp_path / "a.json") == read_result(path)


HOSTILE = {
    "deep": "[" * 100_000,
    "deep-object": '{"a":' * 100_000,
    "number": "1" * 10_000,
    "binary": b"\xff\xfe\x00",
    "empty": "",
    "list": "[1, 2]",
    "twice": f'{{"format": "{FORMAT}", "format": "{FORMAT}"}}',
    "nan": f'{{"format": "{FORMAT}", "tokens_per_1000": NaN}}',
    "huge": " " * (MOST_BYTES + 1),
    "other": '{"format": "other", "secret": "SECRET-TEXT"}',
    "lacks": f'{{"format": "{FORMAT}", "judge": "SECRET-TEXT"}}',
    "surrogate": f'{{"format": "{FORMAT}", "judge": "\\ud800"}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_file_is_named_and_left_out(place, tmp_path, name):
    text = HOSTILE[name]
    (tmp_path / f"{name}.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    for good in (place / "results").iterdir():
        (tmp_path / good.name).write_bytes(good.read_bytes())
    found = read_board(tmp_path)
    assert (list(found.left_out), len(found.results)) == ([f"{name}.json"], 2)
    assert "SECRET-TEXT" not in found.left_out[f"{name}.json"]
    assert f"{name}.json" in to_html(board_page(found))


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens_per_1000": -1.0},
        {"judge": ""},
        {"judge": "x" * 1000},
        {"scores": []},
        {"scores": "many"},
        {"link": "javascript:alert(1)"},
        {"extra": "SECRET-TEXT"},
        {"predictions_sha256": "SECRET-TEXT"},
        {"data": {"name": "d", "rows_sha256": {"SECRET-TEXT" * 100: "0" * 64}, "learnt_sha256": "0" * 64}},
    ],
)
def test_a_content_that_cannot_be_is_refused_whatever_its_hash(place, tmp_path, changes):
    (tmp_path / "a.json").write_text(json.dumps(changed(place, **changes)))
    with pytest.raises(InputError, match="is no result of a benchmark run") as caught:
        read_result(tmp_path / "a.json")
    assert "SECRET-TEXT" not in str(caught.value)


@pytest.mark.parametrize("bad", [{"value": 1.5}, {"value": 0.5, "low": 0.6}, {"n": 10**6}, {"n": -1, "failed": 3}, {"value": 10**400}])
def test_figures_that_cannot_be_are_refused(place, tmp_path, bad):
    scores = changed(place)["scores"]
    scores[0]["accuracy"] |= bad
    (tmp_path / "a.json").write_text(json.dumps(changed(place, scores=scores)))
    with pytest.raises(InputError, match="is no result of a benchmark run"):
        read_result(tmp_path / "a.json")


def test_what_is_no_regular_file_is_not_opened(place, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(next((place / "results").iterdir()))
    (tmp_path / "folder.json").mkdir()
    assert set(read_board(tmp_path).left_out.values()) == {"is no regular file"}


def test_hostile_words_stay_words(place, tmp_path):
    name = "<script>alert(1)</script>\u202e|x\x1b[31m"
    (tmp_path / "a.json").write_text(json.dumps(changed(place, judge=name, by=name, note=name, link="https://a.b/<script>")))
    page = board_page(read_board(tmp_path))
    html, text = to_html(page), to_markdown(page)
    assert "<script" not in html
    assert not {"\u202e", "\x1b"} & set(html + text)
    assert "&lt;script&gt;" in html


def test_results_on_other_rows_stand_in_tables_of_their_own(place, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    more = [row | {"id": f"more-{row['id']}"} for row in rows("test", 1, 900)]
    made = judged(other, write(other, more).model_copy(update={"judges": ("majority",)}))
    for path in (place / "results").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    submit(made, tmp_path)
    page = board_page(read_board(tmp_path))
    found = sorted((s.title.rpartition("“")[2].rstrip("”"), len(s.tables[0].rows)) for s in page.sections)
    assert found == [("elsewhere", 3), ("test", 1), ("test", 2)]


def test_the_same_result_twice_counts_once(place, tmp_path):
    path = next((place / "results").iterdir())
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(path.read_bytes())
    found = read_board(tmp_path)
    assert (list(found.results), found.left_out) == (["a.json"], {"b.json": "says the same as a.json"})


def test_the_commands(place, tmp_path):
    runner = CliRunner()
    done = runner.invoke(app, ["submit", str(place / "run"), "-o", str(tmp_path / "r"), "--judge", "tfidf", "--note", "by hand"])
    assert done.exit_code == 0, done.output
    (tmp_path / "r" / "bad.json").write_text("{}")
    for more, code in ((), 0), (("--strict",), 1):
        told = runner.invoke(app, ["board", str(tmp_path / "r"), "-o", str(tmp_path / "board.html"), *more])
        assert (told.exit_code, "left out bad.json: is no result" in told.output) == (code, True)
    assert "by hand" in (tmp_path / "board.html").read_text()
    missing = runner.invoke(app, ["board", str(tmp_path / "nowhere")])
    assert isinstance(missing.exception, InputError)
