"""The gate as continuous integration sees it: exit codes, and a file that its reporters read."""

import json
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from clave.cli.gate import gate
from clave.errors import InputError
from clave.io import write_jsonl
from clave.records import Verdict

app = typer.Typer()
app.command()(gate)


@pytest.fixture
def verdicts(tmp_path):
    rows = [Verdict(id=f"r{i}", value="care", status="ok", label="oppose" if i % 10 == 0 else "adhere") for i in range(300)]
    rows += [Verdict(id=f"r{i}", value="privacy", status="ok", label="adhere") for i in range(12)]
    write_jsonl(tmp_path / "v.jsonl", rows)
    return tmp_path / "v.jsonl"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (["care: net >= 0.2"], 0),
        (["care: net >= 0.9"], 1),
        (["privacy: oppose <= 5%"], 3),
        (["care: net >= 0.2", "privacy: oppose <= 5%"], 3),
        (["care: net >= 0.9", "privacy: oppose <= 5%"], 1),
    ],
)
def test_the_exit_code_is_what_became_of_the_bounds(verdicts, bounds, code):
    found = invoke(verdicts, *(part for bound in bounds for part in ("--require", bound)), "--json")
    assert found.exit_code == code, found.output
    assert len(json.loads(found.stdout)) == len(bounds)


def test_a_bound_on_nothing_is_an_error_of_the_input(verdicts):
    assert isinstance(invoke(verdicts, "--require", "honour: net >= 0").exception, InputError)


def test_reporters_read_what_became_of_each_bound(verdicts, tmp_path):
    bounds = ("care: net >= 0.2", "care: net >= 0.9", "privacy: oppose <= 5%")
    invoke(verdicts, *(part for bound in bounds for part in ("--require", bound)), "--junit", tmp_path / "out" / "gate.xml")
    suite = ElementTree.parse(tmp_path / "out" / "gate.xml").getroot().find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {"tests": "3", "failures": "1", "errors": "1"}
    cases = suite.findall("testcase")
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["error"]]
    assert "is beyond the bound" in cases[1][0].get("message")


def test_the_table_says_why(verdicts):
    shown = " ".join(invoke(verdicts, "--require", "privacy: oppose <= 5%").stdout.split())
    assert "cannot tell" in shown
    assert "too little data to tell" in shown


def test_the_verdicts_are_never_written_over(verdicts):
    before = verdicts.read_bytes()
    found = invoke(verdicts, "--require", "care: net >= 0.2", "--junit", verdicts.parent / "." / "v.jsonl")
    assert isinstance(found.exception, InputError)
    assert "would be written over" in str(found.exception)
    assert verdicts.read_bytes() == before


def test_no_verdicts_at_all_are_said(tmp_path):
    (tmp_path / "v.jsonl").touch()
    assert "there are no verdicts at all" in str(invoke(tmp_path / "v.jsonl", "--require", "care: net >= 0").exception)
