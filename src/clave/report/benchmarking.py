"""The report of a benchmark run: every table and figure recomputed from the raw predictions. A part without data does not appear.

write_benchmark_report(PredictionTable.read("run"), "report.html", skipped={"kaleido": "its weights are not at hand"})
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clave.benchmark.analyses import PROBE, ablation, balance, curve, disagreements, diversity, flips, probes
from clave.benchmark.annotators import Ceiling, ceilings
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.tables import ALL, LeaderboardRow, drops, leaderboard, reliability_bins, value_matrix
from clave.records import LABELS, Evidence, Response
from clave.report.benchmark_figures import (
    ablation_bars,
    balance_scatter,
    curve_plot,
    flip_dots,
    heat_map,
    leaderboard_dots,
    reliability_plot,
)
from clave.report.examples import marked
from clave.report.page import Card, CardGroup, Fact, Figure, Neighbour, Page, Piece, Section, Table, write_page


def write_benchmark_report(
    table: PredictionTable,
    path: str | Path,
    *,
    curves: PredictionTable | None = None,
    ablations: PredictionTable | None = None,
    choices: PredictionTable | None = None,
    probed: PredictionTable | None = None,
    full: str = "",
    original: str = "original",
    annotators: Sequence[Ceiling] = (),
    texts: Mapping[str, Response] | None = None,
    skipped: Mapping[str, str] | None = None,
    manifest: Mapping[str, Any] | None = None,
    title: str = "Benchmark of value evaluators",
) -> Path:
    """Write the report of a run as `.html`, `.md` or `.json`, by the ending of the path.

    Args:
        table: The predictions of the run.
        path: Where to write.
        curves: Predictions of a learning curve (with `labels` and `seed`).
        ablations: Predictions of an ablation.
        choices: Predictions of a diversity study.
        probed: Predictions of probes; without them those probes that stand among the predictions of the run.
        full: The judge of `ablations` that nothing was left out of.
        original: The split of the annotators' own kind of data; the first split, where there is none of this name.
        annotators: One annotator against the others, for the splits where it is known.
        texts: Responses by id, to show the texts on which judges part.
        skipped: Judges that were not run, and why.
        manifest: What made the run: versions, seeds, hashes.
        title: The heading.
    """
    page = benchmark_page(
        table,
        curves=curves,
        ablations=ablations,
        choices=choices,
        probed=probed,
        full=full,
        original=original,
        annotators=annotators,
        texts=texts or {},
        skipped=skipped or {},
        manifest=manifest or {},
        title=title,
    )
    return write_page(page, path)


def benchmark_page(
    table: PredictionTable,
    *,
    curves: PredictionTable | None,
    ablations: PredictionTable | None,
    choices: PredictionTable | None,
    probed: PredictionTable | None,
    full: str,
    original: str,
    annotators: Sequence[Ceiling],
    texts: Mapping[str, Response],
    skipped: Mapping[str, str],
    manifest: Mapping[str, Any],
    title: str,
) -> Page:
    """The report as data; arguments as for `write_benchmark_report`."""
    plain = [str(s) for s in table.where(perturbation="").distinct("split")]
    original = original if original in plain else plain[0]
    board = sorted(leaderboard(table), key=lambda r: (r.system != ALL, r.split != original))
    table = _by_rank(table, [r.judge for r in board])
    sections = [
        _leaderboard(board, annotators),
        _matrix(table, original),
        _reliability(table, original),
        _drops(table, plain, original),
        _flips(table),
        _curve(curves, original) if curves is not None else None,
        _ablation(ablations, full) if ablations is not None else None,
        _diversity(choices, original) if choices is not None else None,
        _balance(table, original),
        _probes(table if probed is None else probed),
        _disagreements(table, original, texts),
        _skipped(skipped),
        _manifest(manifest),
    ]
    failed = sum(label is None for label in table["label"])
    facts = (
        Fact("Judges", f"{len(table.distinct('judge')):,}", f"{len(skipped)} skipped" if skipped else ""),
        Fact("Predictions", f"{len(table):,}", f"{failed:,} without a verdict"),
        Fact("Values", f"{len(table.distinct('value')):,}"),
        Fact("Splits", f"{len(table.distinct('split')):,}", ", ".join(map(str, table.distinct("split")))),
    )
    return Page(title, _lead(board, original), facts, tuple(s for s in sections if s is not None))


def run_page(folder: str | Path, *, texts: Mapping[str, Response] | None = None, title: str = "Benchmark of value evaluators") -> Page:
    """The report of a run's folder, with whatever analyses stand there, as data.

    Args:
        folder: Of the run.
        texts: Responses by id, to show the texts on which judges part.
        title: The heading.

    Raises:
        InputError: The folder holds no predictions.
    """
    folder = Path(folder)

    def extra(name: str) -> PredictionTable | None:
        path = folder / f"{name}.parquet"
        return PredictionTable.read(path) if path.is_file() else None

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) if (folder / "manifest.json").is_file() else {}
    return benchmark_page(
        PredictionTable.read(folder),
        curves=extra("curve"),
        ablations=extra("ablation"),
        choices=extra("diversity"),
        probed=extra("probes"),
        full=str(manifest.get("ablation_full", "")),
        original=str(manifest.get("original_split", "original")),
        annotators=ceilings(folder),
        texts=texts or {},
        skipped=manifest.get("skipped", {}),
        manifest={k: v for k, v in manifest.items() if k != "skipped"},
        title=title,
    )


def _by_rank(table: PredictionTable, ranked: list[str]) -> PredictionTable:
    """The best judge first, everywhere on the page."""
    place = {judge: i for i, judge in reversed(list(enumerate(ranked)))}
    return table.take(np.argsort([place[judge] for judge in table["judge"]], kind="stable"))


def _lead(board: list[LeaderboardRow], original: str) -> str:
    rows = [r for r in board if r.split == original and r.system in (ALL, board[0].system)]
    first = [r for r in rows if r.system == rows[0].system and r.tier == 1]
    if not first:
        return "No judge gave a verdict."
    tied = f"; {len(first) - 1} more cannot be told from it" if len(first) > 1 else "; it stands alone"
    return f"On the split “{original}” the best accuracy is that of {first[0].judge}: {first[0].accuracy}{tied}."


def _leaderboard(board: list[LeaderboardRow], annotators: Sequence[Ceiling]) -> Section:
    columns = ("Judge", "Tier", "Accuracy", "n", "Failed", "Not judged", "To the best", "p (Holm)", "Macro-F1", "κ",
               *(f"Recall {x}" for x in LABELS), "ECE", "Brier", "Coverage at 10 % risk",
               "Tokens / 1,000", "$ / 1,000", "Seconds")  # fmt: skip
    figures, tables = [], []
    for i, (system, split) in enumerate(dict.fromkeys((r.system, r.split) for r in board)):
        rows = [r for r in board if (r.system, r.split) == (system, split)]
        name = f"{split or 'all rows'}, {'all systems' if system == ALL else system or 'one system'}"
        whole = system == ALL or system == board[0].system
        people = [c for c in annotators if whole and c.split == split]
        table = Table(f"Leaderboard: {name}", columns, (*(_cells(r) for r in rows), *(_human_cells(c, len(columns)) for c in people)))
        if whole:
            figures.append(Figure(f"board-{i}", f"Accuracy: {name}. One colour is one tier.", leaderboard_dots(rows, f"board-{i}"), table))
        else:
            tables.append(table)
    text = (
        "Intervals are 95 % bootstrap intervals over scenarios. Tier 1 is the best judge and all that cannot be told from it (paired "
        "bootstrap, Holm's correction, 5 %); the best of the rest opens the next tier. Rows without a verdict are counted as failed and "
        "stand in no score. A judge with rows that are not judged yet is unfinished: it has no tier and stands last."
        + " One annotator against the others: over all rows of the split that several people labelled, how often one gives the label that "
        "most of the others gave." * bool(annotators)
    )
    return Section("leaderboard", "Leaderboard", text, tuple(figures), tuple(tables))


def _cells(row: LeaderboardRow) -> tuple[Any, ...]:
    price = row.price
    return (
        row.judge, row.tier, row.accuracy, row.accuracy.n, row.accuracy.failed, row.missing, row.to_best, row.p_holm,
        row.macro_f1, row.kappa,
        *(row.recalls[label] for label in LABELS), row.calibration_error, row.brier, row.coverage,
        round(price.prompt_tokens + price.completion_tokens), price.cost, price.latency,
    )  # fmt: skip


def _human_cells(people: Ceiling, columns: int) -> tuple[Any, ...]:
    """A row of the leaderboard that has an accuracy, an n, and nothing else."""
    found = people.agreement
    return (people.name, None, found, found.n, *(None,) * (columns - 4))


def _matrix(table: PredictionTable, split: str) -> Section:
    cells = value_matrix(table, split)
    values = list(dict.fromkeys(c.value for c in cells))
    by = {(c.judge, c.value): c.accuracy for c in cells}
    rows = tuple((judge, *(by.get((judge, v)) for v in values)) for judge in dict.fromkeys(c.judge for c in cells))
    data = Table(f"Accuracy per value, split “{split}”", ("Judge", *values), rows)
    return Section("values", "Judge × value", figures=(Figure("heat", data.caption, heat_map(cells), data, wide=True),))


def _reliability(table: PredictionTable, split: str) -> Section | None:
    bins = reliability_bins(table, split)
    figures = []
    for i, judge in enumerate(dict.fromkeys(b.judge for b in bins)):
        rows = tuple((b.confidence, b.accuracy, b.n) for b in bins if b.judge == judge)
        data = Table(f"Reliability of {judge}", ("Stated confidence", "Share right", "Rows"), rows)
        figures.append(Figure(f"rel-{i}", data.caption, reliability_plot(bins, judge, f"rel-{i}"), data))
    text = "On the line a judge is as often right as it says; below it, it promises too much."
    return Section("reliability", "Calibration", text, tuple(figures), dense=True) if figures else None


def _drops(table: PredictionTable, splits: list[str], original: str) -> Section | None:
    tables = []
    for target in (s for s in splits if s != original):
        rows = tuple((d.judge, d.system, d.drop, d.drop.n, d.drop.failed) for d in drops(table, original, target))
        tables.append(Table(f"Accuracy lost from {original} to {target}", ("Judge", "System", "Drop", "n", "Failed"), rows))
    text = "Accuracy on the original split minus that on other scenarios and sources; a positive number is a loss."
    return Section("drop", "Drop to generalization", text, tables=tuple(tables)) if tables else None


def _flips(table: PredictionTable) -> Section | None:
    found = [f for f in flips(table) if not f.perturbation.startswith(PROBE)]
    if not found:
        return None
    rows = tuple((f.judge, f.perturbation, f.strength, f.flips, f.flips.n, f.flips.failed, f.followed) for f in found)
    data = Table("Flip rates", ("Judge", "Edit", "Strength", "Flipped", "Pairs", "Failed", "Followed, where the label changes"), rows)
    figure = Figure("flips", "Share of verdicts that change when the meaning does not", flip_dots(found, "flips"), data)
    return Section("flips", "Robustness", figures=(figure,))


def _curve(table: PredictionTable, split: str) -> Section | None:
    points = curve(table, split)
    rows = tuple((p.judge, p.labels, p.accuracy, p.accuracy.n, p.accuracy.failed, p.seeds) for p in points)
    data = Table("Accuracy against labels per value", ("Judge", "Labels per value", "Accuracy", "n", "Failed", "Seeds"), rows)
    return Section("curve", "Learning curve", figures=(Figure("curve", data.caption, curve_plot(points), data),)) if points else None


def _ablation(table: PredictionTable, full: str) -> Section:
    found = ablation(table, full)
    figures = []
    for i, split in enumerate(dict.fromkeys(a.split for a in found)):
        part = [a for a in found if a.split == split]
        rows = tuple((a.judge, a.accuracy, a.accuracy.n, a.accuracy.failed, a.to_full, a.p_holm) for a in part)
        data = Table(f"Ablation, split “{split}”", ("Variant", "Accuracy", "n", "Failed", f"To {full}", "p (Holm)"), rows)
        caption = f"{data.caption}: red bars differ at 5 %"
        figures.append(Figure(f"ablation-{i}", caption, ablation_bars(part, f"ablation-{i}"), data))
    return Section("ablation", "Ablation", f"Each part left out in turn, against {full}.", tuple(figures))


def _balance(table: PredictionTable, original: str) -> Section | None:
    points = balance(table, original)
    if not points:
        return None
    rows = tuple(
        (p.judge, p.adaptability, p.generalizability, round(p.price.prompt_tokens + p.price.completion_tokens), p.price.cost)
        for p in points
    )
    data = Table("Adaptability and generalizability", ("Judge", "Original", "Elsewhere", "Tokens / 1,000", "$ / 1,000"), rows)
    figure = Figure("balance", "Top right is best; the size of a point is its tokens per verdict", balance_scatter(points), data)
    return Section("balance", "Balance", figures=(figure,))


def _probes(table: PredictionTable) -> Section | None:
    found = probes(table)
    rows = tuple((p.judge, p.probe, "turn" if p.must_turn else "stay", p.moved, p.moved.n, p.moved.failed, p.verdict) for p in found)
    data = Table("Share of verdicts that move", ("Judge", "Probe", "Must", "Moved", "Pairs", "Failed", "Result"), rows)
    text = (
        "Where verdicts must stay, pass: even the upper end of the interval is within 10 %; fail: the lower end is past it. Where the edit "
        "turns the label (a negation), pass: the lower end of the share that turns with it is past 50 %; fail: the upper end is below."
    )
    return Section("probes", "Probes of judge biases", text, tables=(data,)) if found else None


def _diversity(table: PredictionTable, split: str) -> Section | None:
    found = diversity(table, split)
    rows = tuple((c.judge, c.choice, c.labels, c.seeds, c.accuracy, c.accuracy.n, c.accuracy.failed, c.to_random, c.p_holm) for c in found)
    columns = ("Judge", "Labels chosen", "Labels per value", "Seeds", "Accuracy", "n", "Failed", "To random", "p (Holm)")
    data = Table(f"Accuracy by how the labelled samples were chosen, split “{split}”", columns, rows)
    text = "Clustered: one sample from each K-Means cluster, as in the paper. Narrow: one sample and those nearest to it."
    return Section("diversity", "Diversity of the labelled samples", text, tables=(data,)) if found else None


def _disagreements(table: PredictionTable, split: str, texts: Mapping[str, Response]) -> Section | None:
    cards = []
    for found in disagreements(table, split):
        response = texts.get(found.id)
        if response:
            body, cut = marked(response.response, [Evidence(text=t, start=0, end=0) for t in found.evidence])
        else:
            body, cut = tuple(Piece(t, marked=True) for t in found.evidence), 0
        cards.append(
            Card(
                title=f"{found.id} · {found.value}",
                label=found.gold,
                note="said by people",
                scenario=response.scenario[:400] if response else "",
                body=body,
                cut=cut,
                concepts=tuple(Neighbour(c, "", f"by {found.explained_by}") for c in found.concepts),
                verdicts=tuple((judge, label or "no verdict") for judge, label in found.labels.items()),
            )
        )
    text = "The texts on which the judges part most, spread over the values. The label at the head is what people said."
    return Section("disagreements", "Instructive disagreements", text, groups=(CardGroup("Texts", tuple(cards)),)) if cards else None


def _skipped(skipped: Mapping[str, str]) -> Section | None:
    data = Table("Judges that were not run", ("Judge", "Why"), tuple(skipped.items()))
    return Section("skipped", "Skipped", tables=(data,)) if skipped else None


def _manifest(manifest: Mapping[str, Any]) -> Section | None:
    data = Table("Manifest", ("What", "Value"), tuple((k, str(v)) for k, v in manifest.items()))
    return Section("manifest", "What made this run", tables=(data,)) if manifest else None
