"""`clave report`: a page of the verdicts of a run, or of a benchmark run.

clave report verdicts.jsonl --responses responses.jsonl -o report.html
clave report a-verdicts.jsonl --responses a.jsonl --compare b-verdicts.jsonl --responses b.jsonl --markdown
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import WHOLE, bundled, source_of
from clave.cli.terminal import Terminal, say
from clave.cli.trusting import read_evaluator

if TYPE_CHECKING:
    from clave.files.source import ResponseSource
    from clave.report.page import Page
    from clave.report.runs import Texts

_RUN = typer.Argument(
    help="Verdicts (.jsonl, .parquet, .csv, a folder of parts, a log of Inspect), or the folder of a benchmark run.", show_default=False
)
_RESPONSES = typer.Option(
    "--responses", "-r", help="The evaluated responses: for their text, scenarios and `model` column. With --compare, once for each run."
)
_COMPARE = typer.Option("--compare", "-c", help="Verdicts of another run to compare with the first; repeatable.")
_SYSTEM = typer.Option("--system", "-s", help="Value system (built-in id or YAML), for the names of the values.")
_EVALUATOR = typer.Option(
    "--evaluator",
    "-e",
    help="The evaluator that gave the verdicts (folder, or org/name on the Hub): profiles are corrected for its errors.",
)
_AUDIT = typer.Option("--audit", help="Human labels of the responses that `clave audit plan` drew: profiles are rectified by them.")
_OVER = typer.Option("--over", help="What to estimate for: like-these (scenarios like these) | these (just these responses).")
_FIGURES = typer.Option("--figures", help="Folder for the figures, as .svg and .pdf.")
_OUTPUT = typer.Option("--output", "-o", help="The page: .html, .md, .json, .csv or .tex (booktabs).", show_default="beside the input")


@bundled(source=source_of, without=WHOLE)
def report(
    run: Annotated[Path, _RUN],
    responses: Annotated[list[str] | None, _RESPONSES] = None,
    compare: Annotated[list[Path] | None, _COMPARE] = None,
    system: Annotated[str | None, _SYSTEM] = None,
    evaluator: Annotated[str | None, _EVALUATOR] = None,
    audit: Annotated[Path | None, _AUDIT] = None,
    over: Annotated[str, _OVER] = "like-these",
    title: Annotated[str, typer.Option(help="The heading of the page.")] = "",
    output: Annotated[Path | None, _OUTPUT] = None,
    figures: Annotated[Path | None, _FIGURES] = None,
    trust: opt.Trust = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown, to standard output or to -o.")] = False,
    *,
    source: Callable[[str], ResponseSource],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, to standard output or to -o.")] = False,
) -> None:
    """Make one self-contained page of a run: value profiles, models side by side, examples with evidence, failures."""
    from clave.errors import InputError
    from clave.io.inspect_log import is_log
    from clave.io.replacing import keep_apart
    from clave.report.drawing import saved_in
    from clave.report.forms.json import to_json
    from clave.report.forms.markdown import to_markdown
    from clave.report.runs import Texts
    from clave.report.writing import write_page

    if markdown and as_json:
        raise InputError("--markdown and --json cannot be had at once: run the command twice")
    texts = [Texts(source(path).responses(), path) for path in responses or ([str(run)] if is_log(run) else ())]
    these = opt.one_of("--over", over, "like-these", "these") == "these"
    if _is_benchmark(run) and (evaluator is not None or audit is not None or these):
        raise InputError("--evaluator, --audit and --over are for files of verdicts: a benchmark run is scored by its own labels")
    with saved_in(figures) if figures is not None else nullcontext():
        if _is_benchmark(run):
            page = _benchmark(run, texts, title)
        else:
            page = _evaluation([run, *(compare or ())], texts, system, title, evaluator, audit, these, trust)
    if output is None and (markdown or as_json):
        say((to_markdown(page) if markdown else to_json(page)).rstrip("\n"))
        return
    ending = ".md" if markdown else ".json" if as_json else ".html"
    default = run / f"report{ending}" if _is_benchmark(run) else run.with_suffix(ending)
    if output is not None and (markdown or as_json) and output.suffix.lower() != ending:
        raise InputError(f"{output}: with {'--markdown' if markdown else '--json'} the file must end in {ending}")
    keep_apart(output or default, [run, *(compare or ()), *(responses or ()), *(() if audit is None else (audit,))])
    written = write_page(page, output or default)
    console = Terminal(stderr=True)
    if page.lead:
        console.print(Text(page.lead))
    console.print(Text(f"Wrote {written}"), soft_wrap=True)


def _is_benchmark(run: Path) -> bool:
    """Whether it is the folder of a benchmark, and not one of parts that hold verdicts."""
    return run.is_dir() and not any(run.glob("part-*"))


def _evaluation(
    verdicts: list[Path],
    texts: list[Texts],
    system: str | None,
    title: str,
    evaluator: str | None,
    audit: Path | None,
    these: bool,
    trust: bool,
) -> Page:
    from clave.report.evaluation import evaluation_page
    from clave.report.runs import paired
    from clave.values import ValueSystem

    run, *others = paired(verdicts, texts)
    return evaluation_page(
        run,
        compare=others,
        system=ValueSystem.load(system) if system else None,
        title=title or "Value report",
        evaluator=read_evaluator(evaluator, trust=trust) if evaluator is not None else None,
        audit=audit,
        these=these,
    )


def _benchmark(run: Path, texts: list[Texts], title: str) -> Page:
    from clave.errors import InputError
    from clave.report.benchmarking import run_page

    if len(texts) > 1:
        raise InputError("a benchmark run has one file of responses: give --responses once")
    responses = texts[0].by_id() if texts else {}
    return run_page(run, texts=responses, title=title) if title else run_page(run, texts=responses)
