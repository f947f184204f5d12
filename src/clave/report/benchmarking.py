"""The report of a benchmark run: every table and figure recomputed from the raw predictions. A part without data does not appear.

from clave.report.writing import write_page

write_page(run_page("run"), "report.html")
benchmark_page(PredictionTable.read("run"), skipped={"kaleido": "its weights are not at hand"})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clave.benchmark.analyses import balance
from clave.benchmark.annotators import Ceiling, ceilings
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.session import read_manifest
from clave.benchmark.tables import ALL, LeaderboardRow, leaderboard, value_matrix
from clave.records import LABELS, Response
from clave.report import benchmark_sections as parts
from clave.report.benchmark_figures import leaderboard_dots
from clave.report.benchmark_summary import lead, summary
from clave.report.page import Fact, Figure, Page, Section, Table
from clave.scoring.reliability import CalibrationError


def benchmark_page(
    table: PredictionTable,
    *,
    board: Sequence[LeaderboardRow] | None = None,
    curves: PredictionTable | None = None,
    ablations: PredictionTable | None = None,
    choices: PredictionTable | None = None,
    probed: PredictionTable | None = None,
    full: str = "",
    original: str = "original",
    annotators: Sequence[Ceiling] = (),
    texts: Mapping[str, Response] | None = None,
    names: Mapping[str, str] | None = None,
    skipped: Mapping[str, str] | None = None,
    manifest: Mapping[str, Any] | None = None,
    title: str = "Benchmark of value evaluators",
) -> Page:
    """The report of predictions, as data.

    Args:
        table: The predictions of the run.
        board: Their leaderboard, where it was computed already: half a minute for hundreds of thousands of predictions.
        curves: Predictions of a learning curve (with `labels` and `seed`).
        ablations: Predictions of an ablation.
        choices: Predictions of a diversity study.
        probed: Predictions of probes; without them those probes that stand among the predictions of the run.
        full: The judge of `ablations` that nothing was left out of.
        original: The split of the annotators' own kind of data; the first split, where there is none of this name.
        annotators: One annotator against the others, for the splits where it is known.
        texts: Responses by id, to show the texts on which judges part.
        names: Id -> name of the values; a value without one goes by its id.
        skipped: Judges that were not run, and why.
        manifest: What made the run: versions, seeds, hashes.
        title: The heading.
    """
    names, skipped, manifest = names or {}, skipped or {}, manifest or {}
    plain = [str(s) for s in table.where(perturbation="").distinct("split")]
    original = original if original in plain else plain[0]
    board = sorted(leaderboard(table) if board is None else board, key=lambda r: (r.system != ALL, r.split != original))
    table = _by_rank(table, [r.judge for r in board])
    cells, balanced = value_matrix(table, original), balance(table, original)
    sections = [
        summary(board, original, cells, balanced, names),
        _leaderboard(board, annotators),
        parts.across_models(board, original),
        parts.matrix(cells, original, names),
        parts.balanced(balanced, original),
        parts.skilled(table, sorted(plain, key=lambda split: split != original)),
        parts.drop(table, plain, original),
        parts.calibration(table, original),
        parts.robustness(table),
        parts.probed(table if probed is None else probed),
        parts.learning(curves, original) if curves is not None else None,
        parts.ablated(ablations, full, original) if ablations is not None else None,
        parts.chosen(choices, original) if choices is not None else None,
        parts.disagreeing(table, original, texts or {}, names),
        _skipped(skipped),
        _manifest(manifest),
    ]
    failed = sum(label is None for label in table["label"])
    splits = sorted(map(str, table.distinct("split")), key=lambda split: split != original)
    facts = (
        Fact("Judges", f"{len(table.distinct('judge')):,}", f"{len(skipped)} skipped" if skipped else ""),
        Fact("Predictions", f"{len(table):,}", f"({failed:,} without a verdict)" if failed else ""),
        Fact("Values", f"{len(table.distinct('value')):,}"),
        Fact("Splits", f"{len(splits):,}", ", ".join(splits)),
    )
    return Page(title, lead(board, original), facts, tuple(s for s in sections if s is not None))


def run_page(
    folder: str | Path,
    *,
    table: PredictionTable | None = None,
    board: Sequence[LeaderboardRow] | None = None,
    texts: Mapping[str, Response] | None = None,
    title: str = "Benchmark of value evaluators",
) -> Page:
    """The report of a run's folder, with whatever analyses stand there, as data.

    Args:
        folder: Of the run.
        table: Its predictions, where they were read already.
        board: See `benchmark_page`.
        texts: Responses by id, to show the texts on which judges part.
        title: The heading.

    Raises:
        InputError: The folder holds no predictions.
    """
    folder = Path(folder)

    def extra(name: str) -> PredictionTable | None:
        path = folder / f"{name}.parquet"
        return PredictionTable.read(path) if path.is_file() else None

    manifest = read_manifest(folder)
    return benchmark_page(
        PredictionTable.read(folder) if table is None else table,
        board=board,
        curves=extra("curve"),
        ablations=extra("ablation"),
        choices=extra("diversity"),
        probed=extra("probes"),
        full=str(manifest.get("ablation_full", "")),
        original=str(manifest.get("original_split", "original")),
        annotators=ceilings(folder),
        texts=texts,
        skipped=_all_skipped(manifest),
        names=manifest.get("value_names", {}),
        manifest={k: v for k, v in manifest.items() if k not in ("skipped", "value_names")},
        title=title,
    )


def _all_skipped(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What the run and its studies left out, and where the budget ended it."""
    early = {"the rest of the run": f"stopped early: {manifest['stopped']}"} if manifest.get("stopped") else {}
    studies = ((name, manifest.get(name)) for name in ("curve", "ablation", "diversity", "probes"))
    left = {f"{name}: {what}": why for name, study in studies for what, why in _left_out(study).items()}
    return {**early, **_left_out(manifest), **left}


def _left_out(study: object) -> dict[str, str]:
    found = study.get("skipped") if isinstance(study, Mapping) else None
    return {str(what): str(why) for what, why in found.items()} if isinstance(found, Mapping) else {}


def _by_rank(table: PredictionTable, ranked: list[str]) -> PredictionTable:
    """The best judge first, everywhere on the page."""
    place = {judge: i for i, judge in reversed(list(enumerate(ranked)))}
    return table.take(np.argsort([place[judge] for judge in table["judge"]], kind="stable"))


def _leaderboard(board: list[LeaderboardRow], annotators: Sequence[Ceiling]) -> Section:
    columns = ("Judge", "Tier", "Accuracy", "n", "Failed", "Not judged", "To the best", "p (all pairs)", "Macro-F1", "κ",
               *(f"Recall {x}" for x in LABELS), "Brier", "Log loss", "ECE", "As counted (by chance)", "Coverage at 10 % risk",
               "Tokens / 1,000", "$ / 1,000", "Seconds")  # fmt: skip
    figures, tables = [], []
    for i, (system, split) in enumerate(dict.fromkeys((r.system, r.split) for r in board)):
        rows = [r for r in board if (r.system, r.split) == (system, split)]
        name = f"{split or 'all rows'}, {'all systems' if system == ALL else system or 'one system'}"
        whole = system == ALL or system == board[0].system
        people = [c for c in annotators if whole and c.split == split]
        table = Table(f"Leaderboard: {name}", columns, (*(_cells(r) for r in rows), *(_human_cells(c, len(columns)) for c in people)))
        if whole:
            caption = f"Accuracy: {name}. One colour is one tier; lines are 95 % intervals."
            figures.append(Figure(f"board-{i}", caption, leaderboard_dots(rows, f"board-{i}"), table))
        else:
            tables.append(table)
    text = (
        "Intervals are 95 % intervals over scenarios, for these labels and this fit: with other labels to learn from, every judge would "
        "come out somewhat differently. Tier 1 is the best judge and all that cannot be told apart from it at 5 %, adjusted for all pairs "
        "of judges since the best is only known afterwards; the best of the rest opens the next tier. Rows without a verdict are counted "
        "as failed and stand in no score. A judge with rows that are not judged yet is unfinished: it has no tier and stands last. Of "
        "probabilities, Brier score and log loss tell which are better. ECE is what is left of the expected calibration error without "
        "the part that chance makes; beside it stands what is usually given, and what a perfectly calibrated judge would show of that "
        "on as many rows. Coverage is the share of rows that can be answered so that, with 90 % confidence, at most 10 % of the answers "
        "are wrong."
        + " One annotator against the others: over all rows of the split that several people labelled, how often one gives the label that "
        "most of the others gave." * bool(annotators)
    )
    return Section("leaderboard", "Leaderboard", text, tuple(figures), more=tuple(tables), defines=True)


def _cells(row: LeaderboardRow) -> tuple[Any, ...]:
    price = row.price
    return (
        row.judge, row.tier, row.accuracy, row.accuracy.n, row.accuracy.failed, row.missing, row.to_best, row.p_adjusted,
        row.macro_f1, row.kappa,
        *(row.recalls[label] for label in LABELS),
        row.brier, row.log_loss, row.calibration_error, _counted(row.calibration_error), row.coverage,
        round(price.prompt_tokens + price.completion_tokens), price.cost, price.latency,
    )  # fmt: skip


def _counted(error: CalibrationError) -> str | None:
    return None if error.counted is None or error.by_chance is None else f"{error.counted:.3f} ({error.by_chance:.3f})"


def _human_cells(people: Ceiling, columns: int) -> tuple[Any, ...]:
    """A row of the leaderboard that has an accuracy, an n, and nothing else."""
    found = people.agreement
    return (people.name, None, found, found.n, *(None,) * (columns - 4))


def _skipped(skipped: Mapping[str, str]) -> Section | None:
    data = Table("What was not run", ("What", "Why"), tuple(skipped.items()))
    text = "Nothing on this page says anything about these."
    return Section("skipped", "Skipped", text, tables=(data,)) if skipped else None


def _manifest(manifest: Mapping[str, Any]) -> Section | None:
    data = Table("Manifest", ("What", "Value"), tuple(_flat(manifest)))
    logs = tuple(_log(key, value) for key, value in manifest.items() if _is_log(value))
    text = "What is needed to make the run again: the plan, the rows' hash, the versions, and what each command took."
    return Section("manifest", "What made this run", text, tables=(data, *logs)) if manifest else None


def _is_log(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _log(key: str, entries: list[Mapping[str, Any]]) -> Table:
    columns = tuple(dict.fromkeys(name for entry in entries for name in entry))
    rows = tuple(tuple(_plain(entry.get(name)) for name in columns) for entry in entries)
    return Table(key.replace("_", " ").capitalize(), columns, rows)


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested entries with their path; without empty ones."""
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key} · ")
        elif not _is_log(value) and value not in ({}, [], "", None):
            yield prefix + key, str(_plain(value))


def _plain(value: Any) -> str | int | float | None:
    return value if isinstance(value, int | float | None) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
