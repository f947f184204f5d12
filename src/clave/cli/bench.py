"""`clave bench`: evaluators compared on labelled rows, and the analyses of such a run.

clave bench run --valeval valeval --judges majority,tfidf,zero-shot,clave --splits original --model openai/gpt-4o-mini -o run
clave bench curve run --judges tfidf,clave
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clave.cli import options as opt
from clave.cli.bench_results import board, submit
from clave.cli.bench_tables import difference_cell, dollars_cell, finished, predictions_of, show_quotes, show_run
from clave.cli.bundles import bundled, call_options
from clave.cli.terminal import say

if TYPE_CHECKING:
    from clave.benchmark.running import Outcome
    from clave.benchmark.session import Session
    from clave.llm.opening import ChatOptions

app = typer.Typer(
    no_args_is_help=True, help="Compare evaluators on labelled rows: run, curve, ablate, diversity, balance, probes, submit, board."
)
app.command()(submit)
app.command()(board)
Run = Annotated[Path, typer.Argument(help="Folder of a benchmark run.")]
Judges = Annotated[str | None, typer.Option("--judges", help="Names of judges, separated by commas.", show_default="those of the run")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Number of random draws of labels.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Maximum number of rows per value, from the original split.")]


def _list_judges(judges: str | None) -> str | None:
    """`--judges list` prints the names and needs no other option."""
    if judges == "list":
        from clave.judges.registry import JUDGES, WITH_CHOICE

        say("\n".join([*JUDGES.names(), *WITH_CHOICE]))
        raise typer.Exit
    return judges


@app.command()
@bundled(chat=call_options)
def run(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the run; an existing one is continued.")],
    plan: Annotated[Path | None, typer.Argument(help="YAML file with options; those on the command line take precedence.")] = None,
    valeval: Annotated[str | None, typer.Option("--valeval", help="Folder of a built ValEval.")] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Instead of --valeval: labelled rows (.jsonl, .csv, .parquet), with an optional column `split`."),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option("--calibration", help="File of calibration rows.", show_default="rows of --labels with split calibration"),
    ] = None,
    system: Annotated[list[str] | None, typer.Option("--system", help="Value system of --labels; repeatable.")] = None,
    fold_column: Annotated[str | None, typer.Option("--fold-column", help="Column that assigns rows to Clave's folds.")] = None,
    judges: Annotated[
        str | None,
        typer.Option("--judges", help="Names of judges, separated by commas; `list` prints them.", callback=_list_judges, is_eager=True),
    ] = None,
    splits: Annotated[str | None, typer.Option("--splits", help="Splits to judge, separated by commas, the original one first.")] = None,
    values: Annotated[str | None, typer.Option("--values", help="Only these values, separated by commas.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Maximum number of rows per value and split.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed for the rows that --limit draws.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Large model for prompted judges and Clave, as provider/model.")] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Several large models, separated by commas; prompted judges and Clave run on each.")
    ] = None,
    jury: Annotated[str | None, typer.Option("--jury", help="Further models for the judge `jury`, separated by commas.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Judge again the rows that failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the price and stop.")] = False,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Run judges on labelled rows, and write predictions, a manifest and a report page. Run it again to resume.

    The price is printed before the first call.
    """
    from clave.benchmark.plan import Plan
    from clave.benchmark.pricing import quotes
    from clave.benchmark.session import Session

    given: dict[str, Any] = {
        "valeval": valeval,
        "labels": labels,
        "calibration": calibration,
        "systems": system,
        "fold_column": fold_column,
        "judges": _names(judges),
        "splits": _names(splits),
        "values": _names(values),
        "limit": limit,
        "seed": seed,
        "model": model,
        "models": _names(models),
        "base_url": chat["base_url"],
        "jury": _names(jury),
    }
    read = Plan.read(plan).model_dump(exclude_unset=True) if plan else {}
    read = {key: value for key, value in read.items() if key not in ("model", "models") or not (model or models)}
    made = Plan.of(read | {key: value for key, value in given.items() if value is not None})
    session = Session(output, made, **chat) if dry_run else Session.create(output, made, **chat)
    if made.asked or dry_run:
        show_quotes(asyncio.run(quotes(session, retry_failed=retry_failed)), chat["budget"], as_json and dry_run)
    if dry_run:
        return
    outcome = _followed(lambda tick: session.run(retry_failed=retry_failed, tick=tick))
    show_run(session, outcome, as_json)


@app.command()
@bundled(chat=call_options)
def curve(
    folder: Run,
    judges: Judges = None,
    points: Annotated[str, typer.Option("--labels", help="Numbers of labels per value, separated by commas.")] = "5,10,20,40,60,100",
    seeds: Seeds = 3,
    limit: Limit = None,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Draw accuracy against the number of labels per value."""
    from clave.benchmark.analyses import curve as points_of
    from clave.benchmark.session import Session
    from clave.benchmark.studies import learning_curve

    session = Session.open(folder, **chat)
    wanted = [_number("--labels", p) for p in _names(points) or ()]
    outcome = _followed(lambda tick: learning_curve(session, _judges(session, judges), points=wanted, seeds=seeds, limit=limit, tick=tick))
    found = points_of(predictions_of(session, "curve", outcome), session.original)
    rows = [(p.judge, str(p.labels), str(len(p.draws)), p.accuracy) for p in found]
    finished(
        session,
        outcome,
        f"Accuracy, split {session.original}",
        ("judge", "labels", "draws", "accuracy"),
        rows,
        found=found if as_json else None,
    )


@app.command()
@bundled(chat=call_options)
def ablate(
    folder: Run,
    full: Annotated[str, typer.Option("--full", help="The variant of Clave to leave parts out of.")] = "clave",
    without: Annotated[str | None, typer.Option("--without", help="Parts to leave out, separated by commas.", show_default="each")] = None,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Measure Clave with each part left out: concepts, pool mapping, stance, guideline, examples, recognizer, cross-fitting."""
    from clave.benchmark.analyses import ablation as compared
    from clave.benchmark.session import Session
    from clave.benchmark.studies import LEFT_OUT, ablation

    session = Session.open(folder, **chat)
    outcome = _followed(lambda tick: ablation(session, full, without=_names(without) or tuple(LEFT_OUT), tick=tick))
    found = compared(predictions_of(session, "ablation", outcome), full)
    rows = [(a.judge, a.split, a.accuracy, difference_cell(a.to_full, a.p_holm)) for a in found]
    finished(
        session, outcome, f"Parts left out of {full}", ("variant", "split", "accuracy", "to full"), rows, found=found if as_json else None
    )


@app.command()
@bundled(chat=call_options)
def diversity(
    folder: Run,
    judges: Judges = None,
    labels: Annotated[int, typer.Option("--labels", min=2, help="Number of labels per value to choose.")] = 20,
    seeds: Seeds = 3,
    limit: Limit = None,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Compare labels chosen by K-Means, at random, and from one corner of the data."""
    from clave.benchmark.analyses import diversity as compared
    from clave.benchmark.session import Session
    from clave.benchmark.studies import diversity as study

    session = Session.open(folder, **chat)
    outcome = _followed(lambda tick: study(session, _judges(session, judges), labels=labels, seeds=seeds, limit=limit, tick=tick))
    found = compared(predictions_of(session, "diversity", outcome), session.original)
    rows = [(c.judge, c.choice, str(len(c.draws)), c.accuracy, difference_cell(c.to_random, c.p_holm)) for c in found]
    finished(
        session,
        outcome,
        f"{labels} labels per value",
        ("judge", "chosen", "draws", "accuracy", "to random"),
        rows,
        found=found if as_json else None,
    )


@app.command()
def balance(folder: Run, as_json: opt.Json = False) -> None:
    """Compare accuracy on the original split with accuracy on all others, and the price. Makes no calls."""
    from clave.benchmark.analyses import balance as compared
    from clave.benchmark.predictions import PredictionTable
    from clave.benchmark.running import Outcome
    from clave.benchmark.session import Session
    from clave.errors import InputError

    session = Session.open(folder, cache="")
    found = compared(PredictionTable.read(folder), session.original)
    if not found:
        raise InputError(f"{folder}: has the split {session.original} only: run more with --splits into another folder")
    text = json.dumps([b.model_dump() for b in found], indent=1, ensure_ascii=False)
    (folder / "balance.json").write_text(text + "\n", encoding="utf-8")
    rows = [
        (
            b.judge,
            b.adaptability,
            b.generalizability,
            f"{b.price.prompt_tokens + b.price.completion_tokens:,.0f}",
            dollars_cell(b.price.cost),
        )
        for b in sorted(found, key=lambda b: -(b.adaptability.value or 0))
    ]
    columns = ("judge", "original", "elsewhere", "tokens / 1,000", "$ / 1,000")
    finished(session, Outcome(), "Balance", columns, rows, found=found if as_json else None)


@app.command()
@bundled(chat=call_options)
def probes(
    folder: Run,
    judges: Judges = None,
    which: Annotated[str | None, typer.Option("--probes", help="Probes to run, separated by commas.", show_default="all")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Number of rows of each value.")] = 10,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Test edits that must not change verdicts (length, refusal, injection, markdown, language, self-naming, value order); and negation."""
    from clave.benchmark.analyses import probes as compared
    from clave.benchmark.probing import PROBES, probe
    from clave.benchmark.session import Session

    session = Session.open(folder, **chat)
    chosen = _names(which) or PROBES
    outcome = _followed(lambda tick: probe(session, _judges(session, judges), probes=chosen, limit=limit, tick=tick))
    found = compared(predictions_of(session, "probes", outcome))
    rows = [(p.judge, p.probe, "turn" if p.must_turn else "stay", p.moved, p.verdict) for p in found]
    finished(session, outcome, "Verdicts that move", ("judge", "probe", "must", "moved", "result"), rows, found=found if as_json else None)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(opt.names(text))


def _number(name: str, text: str) -> int:
    from clave.errors import InputError

    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{name}: {text!r} is not a whole number above 0")
    return int(text)


def _judges(session: Session, judges: str | None) -> tuple[str, ...]:
    return _names(judges) or session.plan.judges


def _followed(work: Callable[[Callable[[str, int, int], None]], Any]) -> Outcome:
    """Run work with a bar for each judge on standard error."""
    from clave.cli.progress import stages
    from clave.evaluating.stream import INTERRUPTED
    from clave.llm.ledger import Ledger
    from clave.llm.pricing import free

    with stages(Ledger(free)) as tick:
        outcome: Outcome = asyncio.run(work(tick))
    if outcome.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    return outcome
