"""Progress of long work on standard error: stage, count, rate, cost, time left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clave.cli.terminal import Terminal
from clave.llm.ledger import Ledger


@contextlib.contextmanager
def stages(ledger: Ledger, *, transient: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage: call it with (stage, done, total). Transient bars are gone when the work is done."""
    bar = Progress(
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[cost]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Terminal(stderr=True),
        transient=transient,
    )
    tasks: dict[str, TaskID] = {}
    with bar:

        def tick(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total or None, rate="", cost="", completed=done)
            task = bar.tasks[bar.task_ids.index(tasks[stage])]
            rate = _rate(task.speed)
            bar.update(tasks[stage], completed=done, total=total or None, rate=rate, cost=cost_of(ledger))

        yield tick


def _rate(per_second: float | None) -> str:
    """Of slow work, such as a batch, in minutes."""
    if not per_second:
        return ""
    return f"{per_second:.0f}/s" if per_second >= 1 else f"{60 * per_second:.1f}/min"


def cost_of(ledger: Ledger) -> str:
    """Money, or where the price is not known, tokens."""
    if not ledger.calls:
        return ""
    if ledger.unpriced:
        return f"{(ledger.prompt_tokens + ledger.completion_tokens):,} tokens"
    return f"${ledger.cost:.4f}"
