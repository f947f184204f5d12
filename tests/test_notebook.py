"""What a notebook's kernel shows: bars while work goes on, verdicts, evaluators and reports whose texts stay texts."""

import nbformat
import pytest
from nbclient import NotebookClient

from clave import Clave, ValueSystem, Verdict
from clave.records import Evidence
from clave.report import show_report
from clave.testing import FakeChat
from clave.text.notebook import in_notebook, watched

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> $\\href{javascript:alert(3)}{x}$ \u202e"
SETUP = """
from clave import Clave, LabelledResponse, ValueSystem
from clave.testing import FakeChat
system = ValueSystem.parse("{id: one, name: One, version: '1', values: [{id: care, name: Care, definition: Kindness.}]}")
acts = {"adhere": "helped", "oppose": "harmed", "unrelated": "slept"}
rows = [
    LabelledResponse(id=f"{l}{i}", scenario=f"day {i} {l}", response=f"She {a}, number {i}", value="care", label=l)
    for l, a in acts.items() for i in range(4)
]
clave = Clave(system, chat=FakeChat({act: label for label, act in acts.items()}))
"""


def verdict(**more):
    said = {
        "id": "1",
        "value": "care",
        "status": "ok",
        "label": "oppose",
        "reason": HOSTILE,
        "evidence": (Evidence(text=HOSTILE, start=0, end=1),),
    }
    return Verdict(**said | {"probabilities": {"adhere": 0.1, "oppose": 0.8, "unrelated": 0.1}} | more)


def test_a_verdict_is_shown_with_its_texts_as_texts():
    shown = verdict()._repr_html_()
    assert "care: oppose (0.80)" in shown
    assert "&lt;script&gt;" in shown
    assert [unwanted for unwanted in ("<script", "<img", "\u202e") if unwanted in shown] == []
    assert shown.startswith('<div class="tex2jax_ignore mathjax_ignore">')
    assert "care: failed" in verdict(status="failed", label=None, probabilities=None)._repr_html_()


def test_an_evaluator_is_shown():
    hostile = ValueSystem.parse("{id: one, name: '<b>x</b>', version: '1', values: [{id: care, name: Care, definition: Kindness.}]}")
    shown = Clave(hostile, chat=FakeChat())._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "not fitted" in shown


def test_a_report_is_shown_in_a_frame_that_reaches_nothing_outside():
    shown = show_report([verdict()])._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;'.replace("!doctype", "!DOCTYPE")) or shown.lower().startswith(
        "<iframe srcdoc="
    )
    assert shown.count("<") == 2  # the frame alone: the page is an attribute
    assert 'sandbox="allow-scripts"' in shown


def test_nothing_is_shown_outside_a_notebook(capsys):
    assert not in_notebook()
    watched()("stage", 1, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("default")
def test_a_kernel_shows_bars_of_fitting_and_evaluating():
    cells = [SETUP, "clave.fit(rows)", "found = list(clave.evaluate([r.response for r in rows]))", "found[0]"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = ["".join(o.get("data", {}).get("text/html", "") for o in cell.outputs) for cell in book.cells]
    assert shown[0] == ""
    assert "<progress" in shown[1]
    assert "cross-validated accuracy" in shown[1]  # what the cell's last line is
    assert '<progress value="12" max="12"></progress> verdicts: 12 of 12' in shown[2]
    assert "care: " in shown[3]
