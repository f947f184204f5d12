"""`clave valeval`: build the benchmark data set from public sources, look at it, prove it, audit its labels, publish it.

clave valeval build -o valeval --accept-nc
clave valeval check valeval
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from clave.cli import options as opt
from clave.cli.terminal import Terminal, say, say_json
from clave.cli.trusting import open_evaluator
from clave.errors import InputError
from clave.valeval.provenance import ORIGINS, TERMS

if TYPE_CHECKING:
    from clave.records import Verdict
    from clave.valeval.download import Downloaded
    from clave.valeval.row import ValEvalRow

T = TypeVar("T", bound=str)

app = typer.Typer(help="ValEval, the benchmark data set: build, stats, check, audit, blind, readings, push.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A built data set.")]


@app.command()
def build(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write the data set to.")],
    raw_dir: Annotated[Path | None, typer.Option(help="Folder of raw files; what is missing there is downloaded into it.")] = None,
    sources: Annotated[list[str] | None, typer.Option("--source", "--sources", help="A source, or module:object; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Seed for the splits.")] = 0,
    accept_nc: Annotated[bool, typer.Option("--accept-nc", help="Accept non-commercial licences.")] = False,
    allow_changed: Annotated[bool, typer.Option("--allow-changed", help="Accept raw files whose hash is not the expected one.")] = False,
    origin: Annotated[list[str] | None, typer.Option(help=f"Only labels of this origin: {' | '.join(ORIGINS)}; repeatable.")] = None,
    licence: Annotated[
        list[str] | None, typer.Option("--licence", "--license", help=f"Only sources under these terms: {' | '.join(TERMS)}; repeatable.")
    ] = None,
    corrections: Annotated[Path | None, typer.Option(help="Labels that people settled on the audit page (JSONL).")] = None,
    model: Annotated[str | None, typer.Option(help="Model that paraphrases and translates, as provider/model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Build the data set. The same raw files, package and seed give the same bytes."""
    from clave.valeval.build import BuildPlan, refuse_unaccepted
    from clave.valeval.build import build as run
    from clave.valeval.inputs import by_hand, layout_in
    from clave.valeval.sources.registry import find_sources

    console = Terminal(stderr=True)
    origins, terms = _among(origin, ORIGINS, "origin"), _among(licence, TERMS, "licence")
    found = tuple(s for s in find_sources([name for entry in sources or () for name in entry.split(",") if name]) if s.terms in terms)
    raw = raw_dir or _default_raw_dir()
    for source in found:
        there = "there" if layout_in(source, raw) else "to be put there by hand" if by_hand(source, raw) else "to be downloaded"
        console.print(f"{source.title}: {source.license}, {there}", markup=False, highlight=False)
    refuse_unaccepted(found, accept_nc)
    chat = None
    if model:
        from clave.llm.opening import open_chat

        chat = open_chat(model, base_url=base_url)
    plan = BuildPlan(out, raw, found, seed, accept_nc, allow_changed, corrections, origins, terms, chat)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:

        def bar(name: str) -> Downloaded:
            task = bars.add_task(name, total=None)
            return lambda have, total: bars.update(task, completed=have, total=total)

        manifest = run(plan, progress=bar, say=lambda text: console.print(text, markup=False, highlight=False))
    changed = [i["path"] for inputs in manifest["inputs"].values() for i in inputs if i["bytes"] in {"changed", "unknown"}]
    if as_json:
        say_json({"rows": manifest["rows"], "changed": changed})
        return
    for name, rows in manifest["rows"].items():
        console.print(f"{name}: {rows:,} rows", markup=False, highlight=False)
    if changed:
        console.print(f"raw files without a known hash, or changed: {', '.join(changed)}", markup=False, highlight=False)


def _among(given: list[str] | None, known: tuple[T, ...], what: str) -> tuple[T, ...]:
    unknown = [g for g in given or () if g not in known]
    if unknown:
        raise InputError(f"there is no {what} {unknown[0]!r}: name one of {', '.join(known)}")
    return tuple(k for k in known if not given or k in given)


@app.command()
def stats(
    folder: Folder,
    figure: Annotated[Path | None, typer.Option(help="The figure; by default stats.svg in the folder.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Print counts by value, source and reading, and write a figure."""
    from clave.valeval import stats as counted
    from clave.valeval.check import read_manifest

    manifest = read_manifest(folder)
    if as_json:
        say_json({"rows": manifest["cells"], "sources": manifest["sources"]})
    else:
        console = Terminal(width=None if Terminal().is_terminal else 160)
        for table in counted.tables(manifest):
            console.print(table)
    counted.figure(manifest, figure or folder / "stats.svg")


@app.command()
def check(
    folder: Folder,
    raw_dir: Annotated[Path | None, typer.Option(help="Also check the raw files in this folder against the manifest.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Check the invariants: schema, labels, ids, no scenario across splits, counts, hashes. Exit code 1 if one does not hold."""
    from clave.valeval.check import check as run

    problems = run(folder, raw_dir)
    if as_json:
        say_json({"problems": problems})
    else:
        for problem in problems or [f"{folder}: all checks pass"]:
            say(problem)
    if problems:
        raise typer.Exit(1)


@app.command()
def audit(
    folder: Folder,
    verdicts: Annotated[list[Path] | None, typer.Option(help="Verdicts of an evaluator on the split files; repeatable.")] = None,
    evaluator: Annotated[list[Path] | None, typer.Option(help="A saved evaluator to run now; repeatable.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Without evaluators: two judges that learn from the other scenarios.")] = False,
    cleanlab: Annotated[bool, typer.Option("--cleanlab", help="Add the scores of the cleanlab package.")] = False,
    split: Annotated[list[str] | None, typer.Option(help="Splits to audit; by default calibration and the unedited test splits.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; by default audit.html in the folder.")] = None,
    trust: opt.Trust = False,
    as_json: opt.Json = False,
) -> None:
    """List rows whose label two evaluators both contradict, on a page where you settle them for `build --corrections`."""
    from clave.io import read_verdicts
    from clave.valeval.audit import audit as run
    from clave.valeval.audit import cleanlab_scores, collect_verdicts, local_answers
    from clave.valeval.audit_page import audit_page

    rows = _rows(folder, split or ["calibration", "original", "generalization", "related"])
    judged = [read_verdicts(f) for f in verdicts or ()] + [_evaluate(e, rows, trust) for e in evaluator or ()]
    if len(judged) == 1 or not (judged or local):
        raise InputError("name two evaluators, by --verdicts files or --evaluator folders, or --local for two that learn from the rows")
    answers = collect_verdicts(judged) if judged else local_answers(rows)
    findings, errors = run(rows, answers, cleanlab_scores(rows, answers) if cleanlab else None)
    page = out or folder / "audit.html"
    page.write_text(audit_page(findings, errors), encoding="utf-8")
    listed = page.with_suffix(".jsonl")
    with listed.open("w", encoding="utf-8", newline="\n") as file:
        for f in findings:
            entry = {"id": f.row.id, "value": f.row.value, "label": f.row.label, "suggested": f.suggested, "probability": f.probability}
            file.write(json.dumps(entry | ({} if f.cleanlab is None else {"cleanlab": f.cleanlab})) + "\n")
    if as_json:
        say_json({"sources": [e._asdict() for e in errors], "page": str(page), "rows": str(listed)})
        return
    for e in errors:
        share = f"{e.flagged / e.n:.3f} ({e.low:.3f}-{e.high:.3f})" if e.n else "no estimate"
        say(f"{e.source}: {e.flagged} of {e.n} flagged, estimated label error {share}")
        say(f"  the evaluators agree with {e.agreed} of {e.n} labels; {e.failed} rows without two answers")
        if e.cleanlab is not None:
            say(f"  cleanlab flags {e.cleanlab}, {e.both} of them flagged here too")
    say(f"look them over: {page}")


@app.command()
def blind(
    folder: Folder,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the rows are written (JSONL).")],
    per_source: Annotated[int, typer.Option("-n", "--per-source", min=1, help="Rows of each source.")] = 60,
    split: Annotated[list[str] | None, typer.Option(help="Splits; by default calibration and the unedited test splits.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other rows.")] = 0,
    as_json: opt.Json = False,
) -> None:
    """Write rows for a second reading: shuffled, without labels, as many of each label of a source. The ids name the source: hide them."""
    from clave.valeval.readings import blind as chosen

    found = chosen(_rows(folder, split or ["calibration", "original", "generalization", "related"]), per_source, seed)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8", newline="\n")
    if as_json:
        say_json({"rows": len(found), "file": str(out)})
    else:
        say(f"{len(found):,} rows to read: {out}")


@app.command()
def readings(
    folder: Folder,
    files: Annotated[
        list[Path], typer.Argument(help="Readings or verdicts, one file per reader; without files, the readings that come with clave.")
    ] = [],  # noqa: B006
    as_json: opt.Json = False,
) -> None:
    """Show how often blind readers give the same label as each source, and how far the readers agree (kappa)."""
    from clave.valeval.readings import against, read_file, share_text, shipped, summary

    readers = {f.stem: read_file(f) for f in files} or shipped()
    labels = {r.id: r.label for r in _rows(folder, ["calibration", "original", "generalization", "related"])}
    found = summary(labels, readers)
    apart = against(labels, *[*readers.values(), {}, {}][:2])
    if as_json:
        say_json(found | {"against": [kind._asdict() for kind in apart]})
        return
    for name, sources in found["readers"].items():
        for source, c in sources.items():
            say(f"{name}, {source}: {share_text(c['agreed'], c['read'])} labels borne out")
    for source, k in found["kappa"].items():
        value = "not defined" if k["value"] is None else f"{k['value']:.2f}"
        say(f"first two readers, {source}: the same label in {k['agreed']} of {k['read']}, kappa {value}")
    for kind in apart:
        say(f"first two readers, {kind.source}: {kind.said} in {kind.rows} rows labelled {kind.label}")


def _rows(folder: Path, names: list[str]) -> list[ValEvalRow]:
    from clave.valeval.row import SPLITS, VIEWS, read_split

    return [row for name in _among(names, (*SPLITS, *VIEWS), "split") for row in read_split(folder / f"{name}.jsonl")]


def _evaluate(path: Path, rows: list[ValEvalRow], trust: bool) -> Iterator[Verdict]:
    from clave.records import Response

    loaded = open_evaluator(str(path), trust=trust)
    known = set(loaded.values)
    responses = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows if r.value in known]
    return loaded.evaluate(responses)


@app.command()
def push(
    folder: Folder,
    repo: Annotated[str, typer.Argument(help="owner/name on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Create the repository as public.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Check the data set and upload it to the Hub with its card."""
    from clave.valeval.push import push as run

    address = run(folder, repo, private=not public)
    if as_json:
        say_json({"address": address})
    else:
        say(address)


def _default_raw_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("clave")) / "valeval-raw"
