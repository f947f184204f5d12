"""README and docs: links lead somewhere, and every command line in them is one that `clave` understands."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
from nbclient import NotebookClient

from clave.cli.main import app
from clave.llm.providers import PROVIDERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """The arguments of each `clave` call in the code blocks of a page; those with a … for what is left out are only half a call."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [part.strip() for line in text.splitlines() for part in line.split("&&")]
    calls = [shlex.split(re.sub(r"[\[\]]", "", line), comments=True)[1:] for line in lines if re.match(r"clave [a-z]+( |$)", line)]
    return [call for call in calls if "=" not in call and "…" not in call]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_a_file_and_a_heading(page):
    for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def named(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the words after it."""
    found = typer.main.get_command(app)
    while hasattr(found, "commands") and arguments:
        found, arguments = found.commands[arguments[0]], arguments[1:]
    return found, arguments


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_are_understood(page):
    for call in commands(page):
        found, arguments = named(call)
        found.make_context(call[0], arguments)  # an unknown or missing option raises


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_options_in_the_text_exist(page):
    for call in (call.split() for call in re.findall(r"`clave ([a-z][^`]+)`", page.read_text(encoding="utf-8"))):
        found, arguments = named(call)
        known = {option for parameter in getattr(found, "params", ()) for option in parameter.opts}
        assert {word for word in arguments if word.startswith("-") and word != "-"} <= known, call


def test_both_readmes_show_the_same_commands():
    english, chinese = map(commands, PAGES[:2])
    assert english == chinese
    assert [call[0] for call in english] == ["estimate", "calibrate", "evaluate", "report", "serve"]


def blocks(page: Path, language: str = "") -> list[str]:
    """The code blocks of a page in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda p: p.name)
def test_readme_is_short(page):
    assert len(page.read_text(encoding="utf-8").splitlines()) < 150


def test_readme_s_python_prints_what_stands_below_it(capsys):
    exec(blocks(PAGES[0], "python")[0], {})
    shown = blocks(PAGES[0])[0]
    pattern = ".*".join(map(re.escape, shown.split("…")))  # a line may end in … for what is left out
    assert re.fullmatch(pattern, capsys.readouterr().out)
    assert blocks(PAGES[1], "python") == blocks(PAGES[0], "python")
    assert blocks(PAGES[1])[0] == shown


def test_picture_is_what_the_demo_finds():
    script: Any = runpy.run_path(str(ROOT / "docs" / "_build" / "profile_figure.py"))
    drawn, kept = script["profile_figure"](), script["FIGURE"].read_text(encoding="utf-8")
    assert re.sub(r"-?\d+\.\d+", "#", drawn) == re.sub(r"-?\d+\.\d+", "#", kept)
    assert numbers(drawn) == pytest.approx(numbers(kept), abs=0.5)  # fonts and processors differ in the last digits


def numbers(text: str) -> list[float]:
    """The decimals of a text."""
    return list(map(float, re.findall(r"-?\d+\.\d+", text)))


@pytest.mark.parametrize("notebook", sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_print_what_they_show(notebook):
    kept, run = nbformat.read(notebook, as_version=4), nbformat.read(notebook, as_version=4)
    NotebookClient(run, timeout=300, kernel_name="python3").execute()
    assert printed(run) == printed(kept)


def printed(notebook: Any) -> str:
    """What the cells of a notebook printed, but for bars and for numbers: those may differ in the last digit."""
    texts = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())]
    return re.sub(r"\d+\.?\d*(e-\d+)?", "#", "".join(texts))


WRITTEN = {ROOT / "docs" / "board.md"}  # by a command, a paragraph a line


@pytest.mark.parametrize(
    "page", [page for page in (*PAGES, ROOT / "CONTRIBUTING.md") if page not in WRITTEN], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_no_line_is_wider_than_160(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 160 and not line.startswith("|")] == []  # a row of a table cannot be broken


def test_llms_txt_leads_to_pages():
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8"))
    assert len(targets) > 15
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []


def test_every_environment_variable_that_is_read_is_documented():
    page = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r'"((?:CLAVE|OPENAI|SSL_CERT|HF)_[A-Z_]+)"', source)) | {key for _, key in PROVIDERS.values() if key}
    assert {"CLAVE_CACHE", "OPENAI_BASE_URL"} < read
    assert [name for name in sorted(read) if f"`{name}`" not in page] == []
