"""`clave batch`: an evaluation's requests as files for a batch API, and their results into the answer cache.

clave batch write responses.jsonl --evaluator evaluator -o requests.jsonl
clave batch read results.jsonl --evaluator evaluator
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import bundled, server_options, source_of
from clave.cli.evaluate import Evaluator, Responses, System, opened
from clave.cli.terminal import Terminal, say

if TYPE_CHECKING:
    from clave.files.batch import Answered, Written
    from clave.files.source import ResponseSource
    from clave.llm.opening import ChatOptions
    from clave.records import Progress

batch_app = typer.Typer(no_args_is_help=True, help="Batch files, for batch APIs at half the price: write requests, read results.")

Results = Annotated[list[Path], typer.Argument(help="Result and error files, as the provider returns them.")]


@batch_app.command()
@bundled(source=source_of, chat=server_options, without=("prices",))
def write(
    responses: Responses,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of requests, .jsonl; more go to NAME-2.jsonl, NAME-3.jsonl and so on.")
    ],
    evaluator: Evaluator = None,
    system: System = None,
    model: opt.Model = "none",
    calls: opt.Calls = "auto",
    ask_first: opt.AskFirst = False,
    trust: opt.Trust = False,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens", min=1, help="Token limit of an answer, reasoning included.", show_default="as clave evaluate asks first"
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Maximum number of requests in one file.")] = 50_000,
    megabytes: Annotated[float, typer.Option("--megabytes", min=0.001, help="Maximum size of one file, in megabytes.")] = 200,
    *,
    source: Callable[[str], ResponseSource],
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Write the requests whose answers are not in the cache, in OpenAI's batch format. Without --ask-first nothing is sent."""
    from clave.cli.progress import stages
    from clave.files.batch import write_batch

    clave = opened(evaluator, system, model, calls, chat, trust=trust)
    asked = source(responses)

    async def run(tick: Progress) -> Written:
        async with clave:
            return await write_batch(
                clave.judging,
                asked,
                output,
                ask_first=ask_first,
                max_tokens=max_tokens,
                most_rows=rows,
                most_bytes=int(megabytes * 1e6),
                tick=lambda done, total: tick("responses", done, total),
            )

    with stages(clave.ledger) as tick:
        written = asyncio.run(run(tick))
    if as_json:
        say(written.model_dump_json())
        return
    for sentence in _written(written, ends=not clave.judging.asks_together):
        Terminal().print(Text(sentence), soft_wrap=True)


def _written(written: Written, *, ends: bool) -> list[str]:
    """What was written, and what is to be done next."""
    if not written.files:
        return [f"All {written.cached:,} answers are in the cache: clave evaluate makes no call."]
    parts = []
    if written.joint:
        parts.append(f"{written.joint:,} for all values of a response at once")
    if written.single:
        parts.append(f"{written.single:,} for one value" + ("" if ends else " that such an answer was unsure of"))
    files = ", ".join(str(path) for path in written.files)
    told = [f"{written.joint + written.single:,} requests in {files}: {'; '.join(parts)}. {written.cached:,} answers are in the cache."]
    if written.waiting:
        told.append(
            f"{written.waiting:,} of them were written before: if they are still with the provider, read those results first, "
            "or they are paid for twice."
        )
    if written.joint:
        told.append(
            "This is the first of two stages. When it is answered and read, write again: what the answers are unsure of is asked by itself."
        )
    else:
        told.append("When they are answered and read, clave evaluate makes no call.")
    return told


@batch_app.command()
@bundled(chat=server_options, without=("prices",))
def read(
    results: Results,
    evaluator: Evaluator = None,
    system: System = None,
    model: opt.Model = "none",
    calls: opt.Calls = "auto",
    trust: opt.Trust = False,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Check results and put them into the cache. Requests that failed or expired are counted and stay missing."""
    from clave.files.batch import read_batch

    clave = opened(evaluator, system, model, calls, chat, trust=trust)
    found = read_batch(clave.judging, results)
    if as_json:
        say(found.model_dump_json())
        return
    for sentence in _read(found):
        Terminal().print(Text(sentence), soft_wrap=True)


def _read(found: Answered) -> list[str]:
    """What came of results, and what is to be done next."""
    refusals = f", {found.refused:,} of them refusals" if found.refused else ""
    known = f"; {found.known:,} were there before" if found.known else ""
    told = [f"{found.filled:,} new answers in the cache{refusals}{known}."]
    told += [
        f"{count:,} requests without an answer ({kind.replace('_', ' ')}), e.g. {found.examples[kind]}"
        for kind, count in found.missing.items()
    ]
    told.append(
        "Run clave batch write again: it writes what is missing, and says when nothing is. clave evaluate would ask for the rest live."
    )
    return told
