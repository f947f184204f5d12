"""Foreign text on its way out: terminal, tables, CSV, Markdown and secrets, in every command that shows it."""

import csv
import io
import json
import logging
import unicodedata

import pytest
from attacks.drawing import drawn
from attacks.texts import SURROGATE, TEXTS
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from clave.cli.terminal import Log, Terminal, say, say_json
from clave.io import read_responses
from clave.text import masking
from clave.text.masking import masked, note_secret
from clave.text.plain import clean, clean_json, csv_cell, from_csv_cell, markdown

HOSTILE = (*TEXTS, SURROGATE)


def drives(text):
    """Characters that a terminal obeys or that turn a text around."""
    return [
        c
        for c in text
        if (unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t") or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_shows_a_text_and_obeys_nothing(text, capsys):
    out = io.StringIO()
    terminal = Terminal(file=out, width=200, force_terminal=False)
    table = Table(text, title=text)
    table.add_column(text)
    table.add_row(text, Text(text))
    for shown in (text, Text(text), table):
        terminal.print(shown)
    assert not drives(out.getvalue())
    if "[" in text and not drives(text):
        assert out.getvalue().count(text) >= 3  # no markup was taken out
    say(text)
    assert not drives(capsys.readouterr().out)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_spreadsheet_calculates_nothing(text):
    cell = csv_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝"))
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [cell]
    assert from_csv_cell(cell) == text


@pytest.mark.parametrize("text", ["'- a list", "'=1+1", "''-x", "'", "'tis so", "'@home"])
def test_an_apostrophe_that_we_did_not_write_stays(text, tmp_path):
    (tmp_path / "r.csv").write_text(f"id,response\n{text},{text}\n")
    assert [(r.id, r.response) for r in read_responses(tmp_path / "r.csv")] == [(text, text)]


@given(st.text("'=+-@ \t\r\n019.eEinfaN\x1b＝\u2060", max_size=8))
def test_a_cell_gives_back_every_text(text):
    assert from_csv_cell(csv_cell(text)) == text
    assert not csv_cell(text).strip(" \t\r\n").startswith(("=", "@", "＝"))


def test_tables_of_verdicts_and_labels_hold_no_formula_and_are_read_as_they_were(tmp_path):
    from clave.annotate.exchange import as_bytes, judgement_rows, read_judgements
    from clave.annotate.judgement import Judgement
    from clave.io import read_verdicts
    from clave.io.tables import write_table

    for k, text in enumerate(TEXTS):
        verdicts_of(tmp_path / "v.jsonl", text)
        write_table(tmp_path / "v.jsonl", tmp_path / "v.csv")
        assert list(read_verdicts(tmp_path / "v.csv")) == list(read_verdicts(tmp_path / "v.jsonl"))
        label = {"id": f"{text} {k}", "value": "care", "annotator": "ana", "label": "adhere", "metadata": {f"c {text}": text}}
        judgement = Judgement(**label, response=text, scenario=text, note=text)
        (tmp_path / "l.csv").write_bytes(as_bytes(judgement_rows([judgement]), "csv"))
        assert read_judgements(tmp_path / "l.csv") == [judgement]
        for name in ("v.csv", "l.csv"):
            with (tmp_path / name).open(encoding="utf-8", newline="") as file:
                cells = [cell.strip() for row in csv.reader(file) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "＝"))]


@pytest.mark.parametrize("text", HOSTILE)
def test_json_for_programs_says_the_same_and_drives_nothing(text, capsys):
    say_json({text: [text]})
    shown = capsys.readouterr().out
    assert not drives(shown)
    assert json.loads(shown) == {text: [text]}
    assert json.loads(clean_json(json.dumps(text, ensure_ascii=False))) == text


def test_no_secret_is_printed_wherever_it_stands(capsys):
    note_secret("sk-never-shown-0123")
    out = io.StringIO()
    terminal = Terminal(file=out, width=20)
    table = Table("sk-never-shown-0123", title="sk-never-shown-0123")
    table.add_row("see sk-never-shown-0123 there", Text("sk-never-shown-0123"))
    for shown in ("sk-never-shown-0123", Text("a sk-never-shown-0123 b"), table):
        terminal.print(shown)
    say("sk-never-shown-0123")
    say_json({"a": "sk-never-shown-0123"})
    assert "never-shown" not in out.getvalue().replace("\n", "").replace(" ", "") + capsys.readouterr().out


def test_what_libraries_log_is_cleaned_and_masked(capsys):
    note_secret("sk-never-logged-01")
    log = logging.getLogger("somewhere")
    handler = Log()
    log.addHandler(handler)
    try:
        try:
            raise RuntimeError("\x1b[31m sk-never-logged-01")
        except RuntimeError:
            log.exception("it failed: %s", "\x9b2J")
    finally:
        log.removeHandler(handler)
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "never-logged" not in said
    assert not drives(said)


@pytest.mark.parametrize("number", ["-0.5", "+1", "-1e-3", "12"])
def test_a_number_stays_one(number):
    assert csv_cell(number) == number


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_a_text_and_makes_nothing_of_it(text):
    shown = markdown(text)
    assert not drives(shown)
    for sign in "`*_[]|#$":
        assert shown.count(sign) == shown.count("\\" + sign)
    for made in ("<", "://", "www.", "@e", "@S"):
        assert made not in shown
    assert "\n" not in shown


def test_what_people_write_stays_as_it_is():
    for text in ("Zwölf 中文 🙂", "👩‍👩‍👧", "שלום\u200f!", "a\tb\nc"):
        assert clean(text) == text


def test_a_secret_is_masked_however_it_is_written():
    note_secret("sk-very secret/1")
    said = "refused: sk-very secret/1, sk-very%20secret%2F1 at https://me:pw@host.example/v1 and postgresql://u:p%40@db/x"
    assert masked(said) == "refused: ***, *** at https://***@host.example/v1 and postgresql://***@db/x"
    assert masked("mail me@host.example, see https://host.example/@me") == "mail me@host.example, see https://host.example/@me"


def test_a_server_that_repeats_the_key_puts_it_nowhere(chat_server, tmp_path, monkeypatch):
    import asyncio

    from clave.llm import ChatRequest, OpenAIChat

    monkeypatch.setenv("OPENAI_API_KEY", "sk-echoed-0123456789")
    for status in (400, 403, 422, 200):
        body = {"error": {"message": "bad request with Authorization: Bearer sk-echoed-0123456789"}}
        chat_server.script = [(status, {}, body)]
        chat = OpenAIChat("openai/m", base_url=chat_server.url, max_retries=0)
        try:
            answer = asyncio.run(chat.complete(ChatRequest("s", "u", None, str)))
            said = answer.model_dump_json()
        except Exception as error:
            said = str(error)
        assert "0123456789" not in said
        assert "***" in said


def verdicts_of(path, text):
    from clave.records import Evidence, MappedConcept, Verdict

    rows = [
        Verdict(
            id=f"{text} {k}",
            value="care",
            status="ok",
            label="adhere",
            probabilities={"adhere": 0.8, "oppose": 0.1, "unrelated": 0.1},
            reason=text,
            concepts=(MappedConcept(text=text),),
            evidence=(Evidence(text=text, start=0, end=len(text)),),
            evaluator=text,
            judged="",
        )
        for k in range(3)
    ]
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("text", drawn(TEXTS, 10))
@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_a_report_of_hostile_names_obeys_nothing(text, form, tmp_path):
    from typer.testing import CliRunner

    from clave.cli.main import app

    verdicts, page = tmp_path / "v.jsonl", tmp_path / f"p.{form}"
    verdicts_of(verdicts, text)
    ran = CliRunner().invoke(app, ["report", str(verdicts), "-o", str(page)])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    assert not drives(ran.output)
    written = page.read_text(encoding="utf-8")
    if form != "json":
        assert not drives(written)
        own = 2 if form == "html" else 0  # the list of verdicts: its data and its code, which the page's policy names by hash
        assert written.count("<script") == written.count("</script") == own
        assert "http://evil.example" not in written.replace("&#", "") or form == "html"
    else:
        json.loads(written)


def test_a_short_key_of_digits_spoils_no_figure_of_json(monkeypatch, capsys):
    monkeypatch.setattr(masking, "_NOTED", {"6096", "null"})
    say_json({"low": 0.6096657, "none": None, "said": ["key 6096", ("6096",)]})
    assert json.loads(capsys.readouterr().out) == {"low": 0.6096657, "none": None, "said": ["key ***", ["***"]]}
