"""`clave report`: a page of the verdicts of a run, or of a benchmark run.

clave report verdicts.jsonl --responses responses.jsonl -o report.html
clave report verdicts.jsonl --compare other.jsonl --markdown
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clave.cli import options as opt

if TYPE_CHECKING:
    from clave.records import Response

_RUN = typer.Argument(help="Verdicts (.jsonl, .parquet), or the folder of a benchmark run.", show_default=False)
_RESPONSES = typer.Option("--responses", "-r", help="The evaluated responses: for their text, scenarios and `model` column.")
_COMPARE = typer.Option("--compare", "-c", help="Verdicts of another run, to stand beside the first. May be given again.")
_SYSTEM = typer.Option("--system", "-s", help="Value system (built-in id or YAML), for the names of the values.")
_OUTPUT = typer.Option("--output", "-o", help="Where to write: .html, .md or .json.", show_default="beside the input")


def report(
    run: Annotated[Path, _RUN],
    responses: Annotated[str | None, _RESPONSES] = None,
    compare: Annotated[list[Path] | None, _COMPARE] = None,
    system: Annotated[str | None, _SYSTEM] = None,
    mapping: opt.Map = None,
    title: Annotated[str, typer.Option(help="The heading of the page.")] = "",
    output: Annotated[Path | None, _OUTPUT] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown on standard output, or to -o.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output, or to -o.")] = False,
) -> None:
    """Make one self-contained page of a run: value profile, models side by side, examples with evidence, failures."""
    from clave.errors import InputError
    from clave.io import read_responses
    from clave.report.page import to_json, to_markdown, write_page

    if markdown and as_json:
        raise InputError("--markdown and --json cannot be had at once: run the command twice")
    texts = read_responses(responses, mapping=opt.mapping(mapping)) if responses else ()
    page = _benchmark(run, texts, title) if run.is_dir() else _evaluation(run, texts, compare or [], system, title)
    if output is None and (markdown or as_json):
        typer.echo(to_markdown(page) if markdown else to_json(page), nl=False)
        return
    ending = ".md" if markdown else ".json" if as_json else ".html"
    default = run / f"report{ending}" if run.is_dir() else run.with_suffix(ending)
    if output is not None and (markdown or as_json) and output.suffix.lower() != ending:
        raise InputError(f"{output}: with {'--markdown' if markdown else '--json'} the file must end in {ending}")
    typer.echo(f"Wrote {write_page(page, output or default)}", err=True)


def _evaluation(run: Path, texts: Iterable[Response], compare: list[Path], system: str | None, title: str) -> Any:
    from clave.errors import InputError
    from clave.report.evaluation import evaluation_page
    from clave.values import ValueSystem

    names = [path.stem for path in (run, *compare)]
    if len(set(names)) < len(names):
        raise InputError("two of the compared files have one and the same name: rename one, the names stand for the runs")
    return evaluation_page(
        run,
        responses=texts,
        compare={path.stem: path for path in compare},
        system=ValueSystem.load(system) if system else None,
        title=title or "Value report",
    )


def _benchmark(run: Path, texts: Iterable[Response], title: str) -> Any:
    from clave.report.benchmarking import run_page

    responses = {r.id: r for r in texts}
    return run_page(run, texts=responses, title=title) if title else run_page(run, texts=responses)
