"""`clave distill`: from an evaluator with a large model to one that makes no calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import bundled, call_options, source_of
from clave.cli.terminal import Terminal, say_json
from clave.cli.trusting import open_evaluator

if TYPE_CHECKING:
    from clave.files.source import ResponseSource
    from clave.llm.opening import ChatOptions

NOT_OFFERED = 1
"""Exit code where the student loses more than was allowed; nothing is saved then."""


@bundled(source=source_of, chat=call_options, without=("shard",))
def distill(
    responses: Annotated[str, typer.Option("--responses", help="Unlabelled responses: .jsonl, .csv, .parquet or hf://org/name:split.")],
    evaluator: Annotated[str, typer.Option("--evaluator", "-e", help="Folder of the evaluator with a large model.")],
    calls: Annotated[int, typer.Option("--calls", min=1, help="Maximum number of calls to the large model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new evaluator.")],
    held_out: Annotated[
        str | None, typer.Option("--held-out", help="Human labels to test on; by default the evaluator's own, cross-validated.")
    ] = None,
    max_loss: Annotated[
        float, typer.Option("--max-loss", help="Save it only if the loss of accuracy (the upper end of its interval) is at most this.")
    ] = 0.05,
    recognizer: opt.Recognizer = "head",
    base: opt.Base = "",
    seed: Annotated[int, typer.Option("--seed", help="Seed of drawing responses and of fitting.")] = 0,
    trust: opt.Trust = False,
    *,
    source: Callable[[str], ResponseSource],
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Train a small model, which makes no calls, on an evaluator's verdicts. It is saved only if it does well on human labels."""

    from clave.cli.progress import stages
    from clave.distill import distill as teach
    from clave.io import read_labels
    from clave.saving import refuse_occupied

    refuse_occupied(output)
    training = opt.training(recognizer, base)
    teacher = open_evaluator(evaluator, trust=trust, **chat)
    rows = source(responses).responses()
    judges = list(read_labels(held_out, values=teacher.system.by_id)) if held_out else []
    with stages(teacher.ledger) as tick:
        found = teach(
            teacher,
            rows,
            calls=calls,
            held_out=judges,
            most_loss=max_loss,
            recognizer=recognizer,
            training=training,
            seed=seed,
            progress=tick,
        )
    if found.offered:
        found.student.save(output)
    if as_json:
        data = {k: v.model_dump() if hasattr(v, "model_dump") else v for k, v in vars(found).items() if k != "student"}
        say_json({**data, "evaluator": found.student.name, "folder": str(output) if found.offered else None})
    else:
        console = Terminal()
        console.print(Text(found.summary()))
        console.print(Text(f"Saved to {output}." if found.offered else "Nothing was saved: raise --calls, or allow more with --max-loss."))
    if not found.offered:
        raise typer.Exit(NOT_OFFERED)
