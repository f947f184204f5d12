"""An evaluation through a provider's batch API in one go: `clave evaluate --batch`.

    summary = await evaluate_in_batches(clave.judging, ResponseSource("responses.jsonl"), "verdicts.jsonl")

The evaluation is gone through again and again, until nothing waits: what has its answers becomes a verdict, and what lacks one goes into a
batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.files.batch.sending import POLL, Batches, Sending
from clave.files.evaluating import EvaluateOptions, Summary, Tick, evaluate_file
from clave.files.output import STANDARD_OUTPUT
from clave.files.source import ResponseSource


async def evaluate_in_batches(
    judging: Judging,
    source: ResponseSource,
    output: str | Path,
    *,
    sending: Sending | None = None,
    batch_tick: Tick = lambda done, total: None,
    tell: Callable[[str], None] = lambda sentence: None,
    poll: float = POLL,
    **options: Unpack[EvaluateOptions],
) -> Summary:
    """Evaluate a file into a file as `evaluate_file` does, by batches in place of calls.

    Args:
        judging: With a large model behind a server that has a batch API, and a cache.
        source: A file: it is read several times.
        output: A file.
        sending: How requests go out.
        batch_tick: Called with requests that the provider has answered, and all that are with it.
        tell: Called with what happens to each batch, a sentence.
        poll: See `POLL`.
        **options: As for `evaluate_file`.

    Raises:
        InputError: As `evaluate_file`; or no cache, standard input or output.
        ModelError: The server has no batch API, or refuses what is sent.
    """
    if source.once or str(output) == STANDARD_OUTPUT:
        raise InputError("a batch takes hours and its responses are read several times: name files for the responses and the verdicts")
    batches = Batches(judging, sending or Sending(), batch_tick, tell, poll)
    if options.get("retry_failed"):
        batches.give_up()
    async with batches:
        summary = await evaluate_file(judging.with_chat(batches.chat), source, output, again=batches.answered, **options)
    if not summary.stopped:
        batches.sent.forget_failures(judging.name)
    return summary
