"""Evaluate a file into a file: checked before anything is spent, resumable, nothing lost by a kill.

summary = asyncio.run(evaluate_file(clave, Source("responses.jsonl"), "verdicts.jsonl"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.evaluator import Clave
from clave.io import Skipped, VerdictWriter, read_responses
from clave.io.rows import OnError
from clave.io.verdicts import drop_failed, verdicts_to_parquet

if TYPE_CHECKING:
    from clave.cascade import Cascade

Tick = Callable[[int, int], None]
"""(verdicts done, verdicts in all)."""


@dataclass(frozen=True)
class Source:
    """Responses to evaluate, and how to read them."""

    path: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    on_error: OnError = "stop"

    def units(self, clave: Clave | Cascade, skipped: Skipped | None = None) -> Iterator[Unit]:
        """Each response with the values it is to be evaluated for.

        Raises:
            InputError: A bad row, with its file and line.
        """
        for response in read_responses(self.path, mapping=self.mapping, on_error=self.on_error, skipped=skipped):
            yield response, clave.values_of(response)


@dataclass(frozen=True)
class Summary:
    """What stands in the output file after a run."""

    counts: dict[tuple[str, str], int]
    """(value, label or status) -> verdicts."""
    new: int
    """Verdicts that this run added."""
    skipped: Skipped
    stopped: str
    """Why the run ended early; empty where it did not."""


def _only_by(name: str, writer: VerdictWriter) -> None:
    """Refuse a file with verdicts of another evaluator, before anything in it is changed."""
    others = writer.evaluators - {name}
    if others:
        raise InputError(f"{writer.path} holds verdicts of {min(others)}, and this is {name}: name another output with -o")


async def evaluate_file(
    clave: Clave | Cascade,
    source: Source,
    output: str | Path,
    *,
    min_confidence: float = 0.0,
    coverage: float = 1.0,
    retry_failed: bool = False,
    tick: Tick = lambda done, total: None,
) -> Summary:
    """Evaluate all responses of a file; verdicts that the output holds already are kept.

    Args:
        clave: The evaluator.
        source: The responses. A stream that cannot be read twice (`-`) is not checked beforehand.
        output: A `.jsonl` file, appended to verdict by verdict, or a `.parquet` file, written from such a file at the end.
        min_confidence: As for `Clave.evaluate`.
        coverage: As for `Clave.evaluate`.
        retry_failed: Evaluate again what failed in an earlier run.
        tick: Called after each verdict.

    Raises:
        InputError: A bad row, an output that holds another evaluator's verdicts, an unknown ending.
        ModelError: The large model cannot be used at all.
    """
    target = Path(output)
    if target.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{target}: verdicts are written to a .jsonl or a .parquet file")
    lines = target if target.suffix == ".jsonl" else target.with_suffix(".jsonl")
    total = 0
    if source.path != "-":
        bad = Skipped()
        total = sum(len(values) for _, values in source.units(clave, bad))
        if not total:
            raise InputError(f"{source.path}: there is no response in it" + (f" but bad rows: {bad.reasons[0]}" if bad.count else ""))
    if retry_failed:
        with VerdictWriter(lines) as writer:
            _only_by(clave.name, writer)
        drop_failed(lines)
    skipped, new = Skipped(), 0
    with VerdictWriter(lines) as writer:
        _only_by(clave.name, writer)
        tick(len(writer), total)

        def rest() -> Iterator[Unit]:
            for response, values in source.units(clave, skipped):
                left = tuple(v for v in values if not writer.has(response.id, v.id))
                if left:
                    yield response, left

        async for verdict in clave.aevaluate_units(rest(), min_confidence=min_confidence, coverage=coverage):
            writer.write(verdict)
            new += 1
            tick(len(writer), total)
        counts = dict(writer.counts)
    if target != lines:
        verdicts_to_parquet(lines, target)
    return Summary(counts, new, skipped, clave.stopped)
