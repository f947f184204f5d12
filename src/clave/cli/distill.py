"""`clave distill`: from an evaluator with a large model to one that makes no calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.terminal import Terminal, say

NOT_OFFERED = 1
"""Exit code where the student loses more than was allowed; nothing is saved then."""


def distill(
    responses: Annotated[str, typer.Option("--responses", help="Unlabelled responses: .jsonl, .csv, .parquet or hf://org/name:split.")],
    evaluator: Annotated[str, typer.Option("--evaluator", "-e", help="Folder of the evaluator with a large model.")],
    calls: Annotated[int, typer.Option("--calls", min=1, help="Calls to the large model for labelling, at the most.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new evaluator.")],
    held_out: Annotated[str | None, typer.Option("--held-out", help="Labels to judge by; else its own, cross-validated.")] = None,
    max_loss: Annotated[
        float, typer.Option("--max-loss", help="Accuracy it may lose, at the upper end of the interval, and be saved.")
    ] = 0.05,
    recognizer: opt.Recognizer = "head",
    base: opt.Base = "",
    seed: Annotated[int, typer.Option("--seed", help="Of the responses that are drawn, and of fitting.")] = 0,
    mapping: opt.Map = None,
    turns: opt.Turns = "last",
    limit: opt.Limit = None,
    on_error: opt.OnError = "stop",
    base_url: opt.BaseUrl = None,
    concurrency: opt.Concurrency = 32,
    max_retries: opt.MaxRetries = 6,
    timeout: opt.Timeout = 120.0,
    max_tokens: opt.MaxTokens = 4096,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    cache: opt.Cache = None,
    as_json: opt.Json = False,
) -> None:
    """Have an evaluator teach a small model that makes no calls; it is saved where human labels bear it out."""
    import json
    from itertools import islice

    from clave.cli.progress import stages
    from clave.distill import distill as teach
    from clave.evaluator import Clave
    from clave.io import read_labels, read_responses
    from clave.saving import refuse_occupied

    refuse_occupied(output)
    training = opt.training(recognizer, base)
    teacher = Clave.from_pretrained(
        evaluator, **opt.chat_options(base_url, concurrency, max_retries, timeout, budget, prices, cache, max_tokens)
    )
    policy = opt.one_of("--on-error", on_error, "stop", "skip")
    judged = opt.one_of("--turns", turns, "last", "all")
    rows = islice(read_responses(responses, mapping=opt.mapping(mapping), turns=judged, on_error=policy), limit)
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
        say(json.dumps({**data, "evaluator": found.student.name, "folder": str(output) if found.offered else None}))
    else:
        console = Terminal()
        console.print(Text(found.summary()))
        console.print(Text(f"Saved to {output}." if found.offered else "Nothing was saved: raise --calls, or allow more with --max-loss."))
    if not found.offered:
        raise typer.Exit(NOT_OFFERED)
