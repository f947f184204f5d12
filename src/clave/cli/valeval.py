"""`clave valeval`: build the benchmark data set from public sources, look at it, prove it, audit its labels, publish it.

clave valeval build -o valeval --accept-nc
clave valeval check valeval
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from clave.errors import ClaveError, InputError

if TYPE_CHECKING:
    from clave.records import Verdict
    from clave.valeval.download import Progress as Report
    from clave.valeval.row import Row

app = typer.Typer(help="ValEval, the benchmark data set: build, stats, check, audit, push.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A built data set.")]


@app.command()
def build(
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the data set is written.")],
    raw_dir: Annotated[Path | None, typer.Option(help="Folder of raw files; what is missing there is downloaded into it.")] = None,
    sources: Annotated[list[str] | None, typer.Option("--source", "--sources", help="A source, or module:object; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other splits.")] = 0,
    accept_nc: Annotated[bool, typer.Option("--accept-nc", help="Accept non-commercial licences.")] = False,
    allow_changed: Annotated[bool, typer.Option("--allow-changed", help="Take raw files whose hash is not the known one.")] = False,
    corrections: Annotated[Path | None, typer.Option(help="Accepted label corrections (JSONL), from an audit.")] = None,
    model: Annotated[str | None, typer.Option(help="A chat model, provider/model, that paraphrases and translates.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where the chat model is, if not at its provider.")] = None,
) -> None:
    """Build the data set. The same raw files, package and seed give the same bytes."""
    from clave.valeval.build import Plan, refuse_unaccepted
    from clave.valeval.build import build as run
    from clave.valeval.inputs import by_hand, layout_in
    from clave.valeval.sources.registry import find_sources

    console = Console(stderr=True)
    found = find_sources([name for entry in sources or () for name in entry.split(",") if name])
    raw = raw_dir or _default_raw_dir()
    for source in found:
        there = "there" if layout_in(source, raw) else "to be put there by hand" if by_hand(source, raw) else "to be downloaded"
        console.print(f"{source.title}: {source.license}, {there}", markup=False, highlight=False)
    refuse_unaccepted(found, accept_nc)
    chat = None
    if model:
        from clave.llm.opening import open_chat

        chat = open_chat(model, base_url=base_url)
    plan = Plan(out, raw, found, seed, accept_nc, allow_changed, corrections, chat)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:

        def bar(name: str) -> Report:
            task = bars.add_task(name, total=None)
            return lambda have, total: bars.update(task, completed=have, total=total)

        manifest = run(plan, progress=bar, say=lambda text: console.print(text, markup=False, highlight=False))
    for name, rows in manifest["rows"].items():
        console.print(f"{name}: {rows:,} rows", markup=False, highlight=False)
    changed = [i["path"] for inputs in manifest["inputs"].values() for i in inputs if i["bytes"] in {"changed", "unknown"}]
    if changed:
        console.print(f"raw files without a known hash, or changed: {', '.join(changed)}", markup=False, highlight=False)


@app.command()
def stats(
    folder: Folder,
    figure: Annotated[Path | None, typer.Option(help="Where the figure goes; by default stats.svg in the folder.")] = None,
) -> None:
    """Print counts by value, source and reading, and write a figure."""
    from clave.valeval import stats as counted
    from clave.valeval.check import read_manifest

    manifest = read_manifest(folder)
    console = Console(width=None if Console().is_terminal else 160)
    for table in counted.tables(manifest):
        console.print(table)
    counted.figure(manifest, figure or folder / "stats.svg")


@app.command()
def check(
    folder: Folder,
    raw_dir: Annotated[Path | None, typer.Option(help="Check the raw files against the manifest too.")] = None,
) -> None:
    """Prove the invariants: schema, labels, ids, no scenario across splits, counts, hashes. Exits with 1 when one does not hold."""
    from clave.valeval.check import check as run

    problems = run(folder, raw_dir)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{folder}: all checks pass")


@app.command()
def audit(
    folder: Folder,
    verdicts: Annotated[list[Path] | None, typer.Option(help="Verdicts of an evaluator over the split files; may be repeated.")] = None,
    evaluator: Annotated[list[Path] | None, typer.Option(help="A saved evaluator, run now; may be repeated.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Splits to audit; by default calibration, original, generalization.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; by default audit.html in the folder.")] = None,
) -> None:
    """List rows whose label confident evaluators agree against, as a page to look over that saves corrections for `build`."""
    from clave.io import read_verdicts
    from clave.valeval.audit import audit as run
    from clave.valeval.audit import collect_verdicts
    from clave.valeval.audit_page import audit_page
    from clave.valeval.row import SPLITS, read_split

    names = split or ["calibration", "original", "generalization"]
    unknown = [n for n in names if n not in SPLITS]
    if unknown:
        raise InputError(f"there is no split {unknown[0]!r}: name one of {', '.join(SPLITS)}")
    if not verdicts and not evaluator:
        raise InputError("name --verdicts files or an --evaluator")
    rows = [row for name in names for row in read_split(folder / f"{name}.jsonl")]
    judged = [read_verdicts(f) for f in verdicts or ()] + [_evaluate(e, rows) for e in evaluator or ()]
    findings, errors = run(rows, collect_verdicts(judged))
    page = out or folder / "audit.html"
    page.write_text(audit_page(findings, errors), encoding="utf-8")
    listed = page.with_suffix(".jsonl")
    with listed.open("w", encoding="utf-8", newline="\n") as file:
        for f in findings:
            entry = {"id": f.row.id, "value": f.row.value, "label": f.row.label, "suggested": f.suggested, "probability": f.probability}
            file.write(json.dumps(entry) + "\n")
    for e in errors:
        share = f"{e.flagged / e.n:.3f} ({e.low:.3f}-{e.high:.3f})" if e.n else "no estimate"
        typer.echo(f"{e.source}: {e.flagged} of {e.n} flagged, estimated label error {share}")
        typer.echo(f"  the evaluators agree with {e.agreed} of {e.n} labels; {e.failed} rows without an answer")
    typer.echo(f"look them over: {page}")


def _evaluate(path: Path, rows: list[Row]) -> Iterator[Verdict]:
    from clave.records import Response

    try:
        clave = importlib.import_module("clave.evaluator").Clave
    except ImportError as error:
        raise ClaveError(f"--evaluator cannot be used: {error}; name --verdicts files instead") from None
    loaded = clave.load(path)
    known = set(loaded.values)
    responses = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows if r.value in known]
    found: Iterator[Verdict] = loaded.evaluate(responses)
    return found


@app.command()
def push(
    folder: Folder,
    repo: Annotated[str, typer.Argument(help="owner/name on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Create the repository as public.")] = False,
) -> None:
    """Check the data set and upload it to the Hub with its card."""
    from clave.valeval.push import push as run

    typer.echo(run(folder, repo, private=not public))


def _default_raw_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("clave")) / "valeval-raw"
