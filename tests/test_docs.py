"""README and docs: links lead somewhere, and every command line in them is one that `clave` understands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from clave.cli.main import app

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
    while hasattr(found, "commands"):
        found, arguments = found.commands[arguments[0]], arguments[1:]
    return found, arguments


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_are_understood(page):
    for call in commands(page):
        found, arguments = named(call)
        found.make_context(call[0], arguments)  # an unknown or missing option raises


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda p: p.name)
def test_options_in_the_text_of_the_readme_exist(page):
    calls = [call.split() for call in re.findall(r"`clave ([a-z][^`]+)`", page.read_text(encoding="utf-8"))]
    assert len(calls) > 10
    for call in calls:
        found, arguments = named(call)
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("-")} <= known, call


def test_both_readmes_show_the_same_commands():
    english, chinese = map(commands, PAGES[:2])
    assert english == chinese
    assert [call[0] for call in english] == ["estimate", "calibrate", "evaluate", "report"]
