"""An evaluation through a provider's batch API in one go: `clave evaluate --batch`.

    summary = await evaluate_in_batches(clave.judging, Source("responses.jsonl"), "verdicts.jsonl")

The evaluation is gone through again and again, until nothing waits: what has its answers becomes a verdict, and what lacks one goes into a
batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clave.errors import InputError
from clave.evaluating.judging import Judging
from clave.files.batch.sending import POLL, Batches, Sending
from clave.files.evaluating import Summary, Tick, evaluate_file
from clave.files.output import STANDARD_OUTPUT
from clave.files.source import Source
from clave.fitting.prevalence import Prevalence


async def evaluate_in_batches(
    judging: Judging,
    source: Source,
    output: str | Path,
    *,
    min_confidence: float = 0.0,
    coverage: float = 1.0,
    abstain_novel: bool = False,
    prevalence: Prevalence | None = None,
    retry_failed: bool = False,
    sending: Sending | None = None,
    tick: Tick = lambda done, total: None,
    batch_tick: Tick = lambda done, total: None,
    tell: Callable[[str], None] = lambda sentence: None,
    poll: float = POLL,
) -> Summary:
    """Evaluate a file into a file as `evaluate_file` does, by batches in place of calls.

    Args:
        judging: With a large model behind a server that has a batch API, and a cache.
        source: A file: it is read several times.
        output: A file.
        min_confidence: As for `evaluate_file`.
        coverage: As for `evaluate_file`.
        abstain_novel: As for `evaluate_file`.
        prevalence: As for `evaluate_file`.
        retry_failed: Evaluate again what failed in an earlier run.
        sending: How requests go out.
        tick: Called with verdicts in the file, and all of them.
        batch_tick: Called with requests that the provider has answered, and all that are with it.
        tell: Called with what happens to each batch, a sentence.
        poll: See `POLL`.

    Raises:
        InputError: As `evaluate_file`; or no cache, standard input or output.
        ModelError: The server has no batch API, or refuses what is sent.
    """
    if source.once or str(output) == STANDARD_OUTPUT:
        raise InputError("a batch takes hours and its responses are read several times: name files for the responses and the verdicts")
    batches = Batches(judging, sending or Sending(), batch_tick, tell, poll)
    if retry_failed:
        batches.give_up()
    async with batches:
        summary = await evaluate_file(
            judging.with_chat(batches.chat),
            source,
            output,
            min_confidence=min_confidence,
            coverage=coverage,
            abstain_novel=abstain_novel,
            prevalence=prevalence,
            retry_failed=retry_failed,
            tick=tick,
            again=batches.answered,
        )
    if not summary.stopped:
        batches.sent.forget_failures(judging.name)
    return summary
