"""Foreign text on its way out: terminal, tables, CSV, Markdown and secrets, in every command that shows it."""

import csv
import io
import json
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text

from clave.cli.terminal import Terminal, say
from clave.text.masking import masked, note_secret
from clave.text.plain import clean, csv_cell, markdown

HOSTILE = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x9b2J",
    "a\rb",
    "back\x08space",
    "nul\x00",
    "del\x7f",
    "[/nope]",
    "[bold]not bold[/bold]",
    "[link=http://evil.example]x[/link]",
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "half \ud83d",
    "tag\U000e0041",
    "line\u2028break",
    ":boom:",
    "<script>alert(1)</script>",
    "`code` *bold* _it_ | cell",
    "$x^2$ $$y$$",
    "@everyone #12 https://evil.example www.evil.example me@evil.example",
    "=1+1",
    "@SUM(A1)",
    "-2+3",
    "+cmd|' /C calc'!A0",
    "\t=1",
    '=HYPERLINK("http://evil.example")',
)


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
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [cell]


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


@pytest.mark.parametrize("text", [t for t in HOSTILE if "\ud83d" not in t])
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
