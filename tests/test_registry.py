"""The registry: built-in things, things that packages offer, and broken ones that are named and left out."""

import json
import sys

import pytest
from typer.testing import CliRunner

from clave import Clave, InputError, LabelledResponse, Settings, ValueSystem
from clave.cli.main import app
from clave.judges.registry import JUDGES, open_judges
from clave.recognizers.registry import RECOGNIZERS
from clave.registry import Registry
from clave.report.page import Page
from clave.report.writing import FORMS, write_page

PACKAGE = """
from clave.judges.classical import majority
from clave.recognizers.head import Head


class Ours(Head):
    kind = "ours"


def judge(material):
    made = majority()
    made.name = "our-judge"
    return made


def form(page):
    return f"{page.title} in bytes".encode()


broken = 7
"""
ENTRY_POINTS = """
[clave.recognizers]
ours = our_package:Ours
broken = our_package:broken
gone = our_package:nothing
head = our_package:Ours

[clave.judges]
our-judge = our_package:judge

[clave.forms]
ours = our_package:form
html = our_package:form
odd = our_package:broken
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with things of its own."""
    (tmp_path / "our_package.py").write_text(PACKAGE)
    info = tmp_path / "our_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: our-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    for registry in (RECOGNIZERS, JUDGES, FORMS):
        registry.__dict__.pop("_offered", None)
    yield
    sys.modules.pop("our_package", None)
    for registry in (RECOGNIZERS, JUDGES, FORMS):
        registry.__dict__.pop("_offered", None)


def test_a_recognizer_of_another_package_is_fitted_and_saved(package, tmp_path):
    system = ValueSystem.parse("{id: one, name: One, version: '1', values: [{id: care, name: Care, definition: Kindness.}]}")
    rows = [
        LabelledResponse(id=f"{label}{i}", scenario=f"day {i} {label}", response=f"{label} it was, number {i}", value="care", label=label)
        for label in ("adhere", "oppose", "unrelated")
        for i in range(4)
    ]
    clave = Clave(system, settings=Settings(recognizer="ours", int8=False)).fit(rows)
    assert Clave.load(clave.save(tmp_path / "e")).fitted.learnt.recognizer.kind == "ours"


def test_a_judge_of_another_package_is_opened_by_its_name(package):
    assert open_judges(["our-judge"])[0].name == "our-judge"
    assert "our-judge" in JUDGES.names()


def test_what_cannot_be_used_is_named_and_left_out(package):
    problems = {p.name: (p.package, p.problem) for p in RECOGNIZERS.plugins()}
    assert problems["ours"] == ("our-package", "")
    assert problems["broken"][1].endswith("it is not a class")
    assert "no attribute 'nothing'" in problems["gone"][1]
    assert problems["head"][1] == "a built-in recognizer has this name"
    assert "broken" not in RECOGNIZERS.names()
    shown = json.loads(CliRunner().invoke(app, ["plugins", "--json"]).output)
    assert {"group": "clave.judges", "name": "our-judge", "package": "our-package", "problem": ""} in shown
    with pytest.raises(InputError, match="recognizer 'broken' of the package our-package cannot be used"):
        RECOGNIZERS["broken"]


def test_a_near_name_is_suggested():
    with pytest.raises(InputError, match=r"there is no thing 'hedd' \(did you mean head\?\): use one of head, tail"):
        Registry("thing", "clave.nothing", {"head": "a:b", "tail": "a:c"})["hedd"]


@pytest.mark.usefixtures("package")
def test_a_package_offers_a_form_of_the_report(tmp_path):
    page = Page("Profile")
    assert write_page(page, tmp_path / "report.ours").read_bytes() == b"Profile in bytes"
    assert "<html" in write_page(page, tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"report ends in \.html, .*\.ours"):
        write_page(page, tmp_path / "report.xyz")
    with pytest.raises(InputError, match="'odd' of the package our-package cannot be used: it is not a function"):
        write_page(page, tmp_path / "report.odd")
