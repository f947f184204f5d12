"""Evaluate a file into a file: checked before anything is spent, resumable, nothing lost by a kill.

summary = asyncio.run(evaluate_file(clave.judging, ResponseSource("responses.jsonl"), "verdicts.jsonl"))
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypedDict

from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.evaluating.stream import INTERRUPTED, Stream, interruptible, seldom_collected
from clave.evaluating.verdicts import UNLIKE
from clave.files.finishing import Finish, Finished, plain_path
from clave.files.output import STANDARD_OUTPUT, output_of
from clave.files.resuming import may_replace, resume
from clave.files.source import ResponseSource
from clave.fitting.prevalence import Prevalence
from clave.io import Skipped, VerdictWriter
from clave.io.manifest import RunManifest, Shift, responses_file, write_manifest
from clave.io.replacing import keep_apart
from clave.io.tables import write_table
from clave.io.verdicts import VerdictStream
from clave.records import Response, Verdict
from clave.scoring.statistics import Array
from clave.values import Value, ValueSystem

Tick = Callable[[int, int], None]
"""(verdicts done, verdicts in all)."""


class Evaluates(Protocol):
    """What a file of responses can be evaluated by: `Clave.judging`, or a cascade."""

    @property
    def name(self) -> str: ...

    @property
    def system(self) -> ValueSystem: ...

    @property
    def values(self) -> tuple[str, ...]: ...

    def values_of(self, response: Response) -> tuple[Value, ...]: ...

    def balances(self, flags: Sequence[str] = ()) -> Mapping[str, Array]: ...

    def verdicts(
        self, units: Iterable[Unit], *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> Stream[Verdict]: ...


@dataclass(frozen=True)
class Summary:
    """What stands in the output file after a run."""

    counts: Mapping[tuple[str, str], int]
    """(value, label or status) -> verdicts."""
    new: int
    """Verdicts that this run added."""
    skipped: Skipped
    stopped: str
    """Why the run ended early; empty where it did not."""
    notes: tuple[str, ...] = ()
    """What the user should know of verdicts that were there before."""
    plain: Path | None = None
    """Where the verdicts stand as they were before abstention by coverage and at the calibration's balance, if there was either."""
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    """By value, the calibration's balance of labels and that of the run, with a prevalence."""


class EvaluateOptions(TypedDict, total=False):
    """How a file is evaluated; see `evaluate_file`."""

    min_confidence: float
    coverage: float
    abstain_novel: bool
    prevalence: Prevalence | None
    retry_failed: bool
    tick: Tick


async def evaluate_file(
    judging: Evaluates,
    source: ResponseSource,
    output: str | Path,
    *,
    min_confidence: float = 0.0,
    coverage: float = 1.0,
    abstain_novel: bool = False,
    prevalence: Prevalence | None = None,
    retry_failed: bool = False,
    tick: Tick = lambda done, total: None,
    again: Callable[[], Awaitable[bool]] | None = None,
) -> Summary:
    """Evaluate all responses of a file; verdicts that the output holds already are kept where they judge the same text in the same way.

    Beside the output stands a manifest of what made it (`clave.io.manifest`). Standard output has neither. With `coverage` or `prevalence`
    the output is made at the end, of plain verdicts in `NAME.plain.jsonl` (`clave.files.finishing`).

    Args:
        judging: The evaluator, as `Clave.judging` gives it, or a cascade.
        source: The responses. A stream that cannot be read twice (`-`) is not checked beforehand.
        output: A `.jsonl` file, appended to verdict by verdict, a `.parquet` or `.csv` file, written from such a file at the end, or `-`,
            standard output. With a shard of the source it is a folder, and this run writes a part of it.
        min_confidence: As for `Clave.evaluate`.
        coverage: Share of each value's verdicts that is kept, the most certain of this run; the others are abstained.
        abstain_novel: As for `Clave.evaluate`.
        prevalence: Shares of labels among the responses, see `clave.fitting.prevalence`.
        retry_failed: Evaluate again what failed in an earlier run.
        tick: Called after each verdict.
        again: Called when all responses have been gone through; whether they are to be once more, as answers have come meanwhile.

    Raises:
        InputError: A bad row, an output that was made by another evaluator, with other options or on other responses, an unknown ending.
        ModelError: The large model cannot be used at all.
    """
    place = None if str(output) == STANDARD_OUTPUT else output_of(output, source.shard)
    if place is not None and place.table is not None:
        keep_apart(place.table, [source.path])
    finish = Finish(min_confidence, coverage, prevalence, abstain_novel)
    judging.verdicts((), min_confidence=min_confidence, coverage=coverage, abstain_novel=abstain_novel)  # refuses what is out of range
    if finish:
        judging.balances()
        if place is None:
            raise InputError("`coverage` and `prevalence` can only be told once all verdicts are there: name an output file in place of -")
    total, asked = 0, set[str]()
    if not source.once:
        bad = Skipped()
        for _, values in source.units(judging.values_of, bad):
            total += len(values)
            asked.update(value.id for value in values)
        if not total and source.shard is None:
            raise InputError(f"{source.path}: there is no response in it" + (f" but bad rows: {bad.reasons[0]}" if bad.count else ""))
    manifest = RunManifest(
        clave=version("clave"),
        evaluator=judging.name,
        system=judging.system.id,
        values={value.id: value.name for value in judging.system.values if value.id in (asked or judging.values)},
        responses=responses_file(source.path),
        options=finish.options,
    )
    plain = plain_path(place.lines) if finish and place is not None else None
    if plain is not None and place is not None:
        may_replace(place.lines, plain, manifest)
    new = unlike = 0
    notes: list[str] = []
    with seldom_collected(), VerdictStream(sys.stdout.buffer) if place is None else VerdictWriter(plain or place.lines) as writer:
        if isinstance(writer, VerdictWriter):
            whole = None if source.once else partial(source.whole.units, judging.values_of)
            own = manifest if plain is None else manifest.model_copy(update={"options": Finish().options})
            notes = resume(writer, own, whole, retry_failed=retry_failed)
            write_manifest(writer.path, own)
        tick(len(writer), total)

        def rest(skipped: Skipped) -> Iterator[Unit]:
            for response, values in source.units(judging.values_of, skipped):
                if source.once and any(writer.differs(response, v.id) for v in values):
                    raise InputError(f"{output} holds a verdict on another text of id {response.id!r}: name another output")
                left = tuple(v for v in values if not writer.has(response.id, v.id))
                if left:
                    yield response, left

        while True:
            verdicts = judging.verdicts(
                rest(skipped := Skipped()),
                min_confidence=0.0 if finish else min_confidence,
                abstain_novel=abstain_novel and not finish,
            )
            with interruptible(verdicts.stop):
                async for verdict in verdicts:
                    writer.write(verdict)
                    new += 1
                    unlike += UNLIKE in verdict.flags
                    tick(len(writer), total)
            if again is None or verdicts.stopped == INTERRUPTED or not await again():
                break
        done = Finished(dict(writer.counts))
    if unlike:
        what = "abstained" if abstain_novel else "can be far off: `abstain_novel` abstains on them"
        notes.append(f"{unlike:,} of {new:,} new verdicts are on responses unlike the labelled samples, and {what} (flag {UNLIKE})")
    if verdicts.stopped != INTERRUPTED and responses_file(source.path) != manifest.responses:
        notes.append(f"{source.path} has changed while it was read: run the same command again to have verdicts on what it holds now")
    if plain is not None and place is not None:
        done = finish.write(plain, place.lines, judging.balances)
        write_manifest(place.lines, manifest.model_copy(update={"shifts": dict(done.shifts)}))
    if place is not None and place.table is not None:
        write_table(place.lines, place.table)
    return Summary(done.counts, new, skipped, verdicts.stopped, tuple(notes), plain, done.shifts)
