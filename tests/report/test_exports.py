"""Tables and figures for papers: LaTeX that compiles, drawings in files of their own."""

import re
import shutil
import subprocess

import pytest
from report.test_evaluation_report import HOSTILE, made

from clave.errors import InputError
from clave.report import write_report
from clave.report.drawing import saved_in
from clave.report.evaluation import evaluation_page
from clave.report.forms.latex import tex, to_tex


@pytest.fixture
def page():
    verdicts, responses = made(hostile=HOSTILE)
    return evaluation_page(verdicts, responses=responses)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & more_of #1", r"50 \% \& more\_of \#1"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("a\n\nb", "a b"),
        ("−1 – 2", "$-$1 -- 2"),
    ],
)
def test_a_text_is_set_as_it_is(text, expected):
    assert tex(text) == expected


def test_every_table_is_there_with_its_rules_and_columns(page):
    text = to_tex(page)
    assert text.count(r"\begin{table}") == text.count(r"\toprule") == text.count(r"\bottomrule") >= 4
    for spec, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, flags=re.DOTALL):
        for line in body.strip().splitlines():
            if line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == len(spec) - 1
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == text.count(r"\label")


@pytest.mark.skipif(shutil.which("lualatex") is None, reason="no LaTeX is installed")
def test_latex_takes_it(page, tmp_path):
    (tmp_path / "t.tex").write_text(r"\documentclass{article}\usepackage{booktabs}\begin{document}" + to_tex(page) + r"\end{document}")
    assert subprocess.run(["lualatex", "-interaction=nonstopmode", "t.tex"], cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_figures_are_saved_as_files_of_their_own_and_only_when_that_is_asked_for(tmp_path):
    pytest.importorskip("matplotlib")
    verdicts, responses = made()
    with saved_in(tmp_path / "new" / "figures"):
        page = evaluation_page(verdicts, responses=responses)
    names = sorted(p.name for p in (tmp_path / "new" / "figures").iterdir())
    assert len(names) == 2 * sum(bool(f.svg) for s in page.sections for f in s.figures) >= 4
    for path in (tmp_path / "new" / "figures").iterdir():
        assert path.read_bytes().startswith(b"%PDF" if path.suffix == ".pdf" else b"<?xml")
    before = {p.name: p.read_bytes() for p in (tmp_path / "new" / "figures").iterdir()}
    with saved_in(tmp_path / "new" / "figures"):
        evaluation_page(verdicts, responses=responses)
    assert {p.name: p.read_bytes() for p in (tmp_path / "new" / "figures").iterdir()} == before
    evaluation_page(verdicts, responses=responses)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="figures cannot be written there"), saved_in(tmp_path / "file"):
        pass


def test_the_ending_says_latex(tmp_path):
    verdicts, responses = made()
    assert r"\toprule" in write_report(verdicts, tmp_path / "r.tex", responses=responses).read_text()
