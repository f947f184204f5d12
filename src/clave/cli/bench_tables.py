"""What `clave bench` prints after a run or an analysis: a table, what was skipped and why, and where the page is.

The page of the run is written anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.terminal import Terminal, say_json
from clave.cli.wording import in_options

if TYPE_CHECKING:
    from clave.benchmark.predictions import PredictionTable
    from clave.benchmark.pricing import Quote
    from clave.benchmark.running import Outcome
    from clave.benchmark.session import Session
    from clave.benchmark.tables import LeaderboardRow
    from clave.llm.ledger import Budget
    from clave.records import Record
    from clave.scoring.statistics import Difference


def predictions_of(session: Session, name: str, outcome: Outcome) -> PredictionTable:
    """What an analysis has judged.

    Raises:
        InputError: Nothing could be judged; why.
    """
    from clave.benchmark.predictions import PredictionTable
    from clave.errors import InputError

    path = session.folder / f"{name}.parquet"
    if not path.is_file():
        why = "; ".join(f"{judge}: {reason}" for judge, reason in outcome.skipped.items()) or outcome.stopped
        raise InputError(f"nothing could be judged ({why})")
    return PredictionTable.read(path)


def difference_cell(difference: Difference | None, p: float | None) -> str:
    """A difference with its p-value; empty where there is nothing to compare with."""
    if difference is None or difference.value is None:
        return ""
    return f"{difference.value:+.3f}" + ("" if p is None else " (p < 0.001)" if p < 0.001 else f" (p = {p:.3f})")


def dollars_cell(cost: float | None) -> str:
    """Money, or that it is not known."""
    return "not known" if cost is None else f"{cost:,.4f}"


def show_quotes(quotes: Sequence[Quote], budget: float | Budget | None, as_json: bool = False) -> None:
    """What the calls of a run will cost, of each judge and model, on standard error; or as JSON on standard output."""
    costs = [quote.estimate.cost for quote in quotes]
    total = None if None in costs else sum(filter(None, costs))
    if as_json:
        say_json({"quotes": [quote.model_dump() for quote in quotes], "cost": total})
        return
    table = Table(title="Calls and tokens of this run", title_justify="left", **opt.NARROW)
    for column in ("judge", "model", "calls", "cached", "prompt", "answer", "$"):
        table.add_column(column, overflow="fold")
    for quote in quotes:
        e = quote.estimate
        counts = (f"{n:,}" for n in (e.calls, e.cached, e.prompt_tokens, e.completion_tokens))
        table.add_row(*map(Text, (quote.judge.partition("@")[0], quote.model, *counts, dollars_cell(e.cost))))
    console = Terminal(stderr=True)
    console.print(table)
    whole = "not known (give the prices in a file with --prices)" if total is None else f"about ${total:,.4f}"
    console.print(Text(f"Cost of the run: {whole}"))
    if isinstance(budget, int | float) and total is not None and total > budget:
        console.print(Text(f"The budget of ${budget:g} will end it before that; run it again with a larger one to go on."))


def show_run(session: Session, outcome: Outcome, as_json: bool) -> None:
    """The leaderboard of a run, all systems together, as a table or with everything else as JSON."""
    from clave.benchmark.annotators import ceilings
    from clave.benchmark.predictions import PredictionTable
    from clave.benchmark.tables import ALL, leaderboard
    from clave.errors import InputError

    if not session.predictions().stat().st_size:
        why = "; ".join(f"{judge}: {reason}" for judge, reason in outcome.skipped.items()) or outcome.stopped
        raise InputError(f"no judge gave a verdict ({why})")
    table = PredictionTable.read(session.folder)
    board, people = leaderboard(table), ceilings(session.folder)
    if as_json:
        told = {"leaderboard": [r.model_dump() for r in board], "annotators": [c.model_dump() for c in people]}
        data = {**told, "skipped": outcome.skipped, "stopped": outcome.stopped, **session.spent()}
        say_json(data)
        _write_page(session, table, board)
        if outcome.stopped:
            raise typer.Exit(opt.STOPPED_EARLY)
        return
    together = [r for r in board if r.system in (ALL, board[0].system)]
    rows = [
        (r.judge, r.split, "unfinished" if r.missing else str(r.tier or ""), r.accuracy, difference_cell(r.to_best, r.p_adjusted))
        for r in together
    ]
    notes = [f"{c.split}, {c.name}: {c.agreement}" for c in people]
    if shared := session.data.shared_scenarios:
        notes.append(
            f"{shared:,} of {len(session.data.rows):,} rows share their scenario with a calibration row, so scores are a little too good"
        )
    page = _write_page(session, table, board)
    finished(session, outcome, "Accuracy, all systems", ("judge", "split", "tier", "accuracy", "to best"), rows, notes, page)


def finished(
    session: Session,
    outcome: Outcome,
    title: str,
    columns: tuple[str, ...],
    rows: list[Any],
    notes: Sequence[str] = (),
    page: Path | None = None,
    found: Sequence[Record] | None = None,
) -> None:
    """Print a table, lines to read it by, what was skipped and why, and where the page is, which is written anew unless it just was.

    With `found`, what the table shows is printed as JSON in its place.
    """
    if found is not None:
        said = {"rows": [row.model_dump(mode="json") for row in found], "skipped": outcome.skipped, "stopped": outcome.stopped}
        say_json({**said, "report": str(page or _write_page(session))})
        if outcome.stopped:
            raise typer.Exit(opt.STOPPED_EARLY)
        return
    table = Table(title=title, title_justify="left", **opt.NARROW)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Terminal()
    console.print(table)
    for note in notes:
        console.print(Text(note), soft_wrap=True)
    for name, why in outcome.skipped.items():
        console.print(Text(f"skipped {name}: {in_options(why)}"))
    console.print(Text(f"Report: {page or _write_page(session)}"))
    if outcome.stopped:
        console.print(Text(f"Stopped early: {outcome.stopped}. Run the same command with a larger --budget to go on."))
        raise typer.Exit(opt.STOPPED_EARLY)


def _write_page(session: Session, table: PredictionTable | None = None, board: Sequence[LeaderboardRow] | None = None) -> Path:
    from clave.report.benchmarking import run_page
    from clave.report.writing import write_page

    texts = {row.id: row for row in session.data.task.responses}
    return write_page(run_page(session.folder, table=table, board=board, texts=texts), session.folder / "report.html")
