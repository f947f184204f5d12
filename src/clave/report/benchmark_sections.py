"""The parts of a benchmark report below its leaderboard, each computed from predictions; None where there is nothing to show.

from clave.benchmark.tables import value_matrix

matrix(value_matrix(table, "original"), "original", {"care": "Care"}).figures[0].table.rows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clave.benchmark.analyses import (
    PROBE,
    Balance,
    Probe,
    ablation,
    curve,
    disagreements,
    diversity,
    flips,
    probes,
)
from clave.benchmark.crossing import AT
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.skills import skills
from clave.benchmark.tables import LeaderboardRow, ValueAccuracy, drops, reliability_bins
from clave.records import Evidence, Response
from clave.report.benchmark_figures import (
    ablation_bars,
    balance_scatter,
    choice_dots,
    curve_plot,
    flip_dots,
    heat_map,
    reliability_plot,
)
from clave.report.examples import marked
from clave.report.page import Card, CardGroup, Figure, Neighbour, Piece, Section, Table

EXCERPT = 500
"""Characters of a text on which judges part; its evidence is within them."""


def matrix(cells: Sequence[ValueAccuracy], split: str, names: Mapping[str, str]) -> Section:
    """Accuracy per judge and value."""
    values = list(dict.fromkeys(c.value for c in cells))
    by = {(c.judge, c.value): c.accuracy for c in cells}
    rows = tuple((judge, *(by.get((judge, v)) for v in values)) for judge in dict.fromkeys(c.judge for c in cells))
    data = Table(f"Accuracy per value, split “{split}”", ("Judge", *(names.get(v, v) for v in values)), rows)
    text = (
        f"The share of verdicts that is right, per judge and value, on the split “{split}”. A judge that is good on the whole can be poor "
        "on one value. Few rows stand behind a cell: its interval is in the table."
    )
    return Section("values", "Judge × value", text, figures=(Figure("heat", data.caption, heat_map(cells, names), data, wide=True),))


def across_models(board: Sequence[LeaderboardRow], split: str) -> Section | None:
    """Judges that ran on several large models: accuracy of each on each."""
    found = {(judge, model): row for row in board if row.split == split and row.system == board[0].system
             for judge, at, model in [row.judge.partition(AT)] if at}  # fmt: skip
    models = list(dict.fromkeys(model for _, model in found))
    if len(models) < 2:
        return None
    judges = list(dict.fromkeys(judge for judge, _ in found))
    accuracy = tuple((judge, *(found[judge, m].accuracy if (judge, m) in found else None for m in models)) for judge in judges)
    tiers = tuple((judge, *(found[judge, m].tier if (judge, m) in found else None for m in models)) for judge in judges)
    text = (
        "The same judge on several large models, and several judges on one. Whether two cells can be told apart is told by their tiers, "
        "which are those of the leaderboard."
    )
    tables = (Table(f"Accuracy, split “{split}”", ("Judge", *models), accuracy), Table("Tiers", ("Judge", *models), tiers))
    return Section("models", "Judge × model", text, tables=tables)


def calibration(table: PredictionTable, split: str) -> Section | None:
    """Reliability of every judge that gives probabilities."""
    bins = reliability_bins(table, split)
    figures = []
    for i, judge in enumerate(dict.fromkeys(b.judge for b in bins)):
        rows = tuple((b.confidence, b.accuracy, b.n) for b in bins if b.judge == judge)
        data = Table(f"Reliability of {judge}", ("Stated confidence", "Share right", "Rows"), rows)
        figures.append(Figure(f"rel-{i}", data.caption, reliability_plot(bins, judge, f"rel-{i}"), data))
    text = (
        "Whether a judge is as sure as it should be. On the line it is as often right as it says; below the line it promises too much, "
        "above it too little. A large point stands for many verdicts."
    )
    return Section("reliability", "Calibration", text, tuple(figures), dense=True) if figures else None


def drop(table: PredictionTable, splits: Sequence[str], original: str) -> Section | None:
    """What is lost on the other splits."""
    tables: list[Table] = []
    more: list[Table] = []
    for target in (s for s in splits if s != original):
        found = drops(table, original, target)
        together = found[0].system if found else ""
        for name, part, place in (
            ("", [d for d in found if d.system == together], tables),
            (", per system", [d for d in found if d.system != together], more),
        ):
            if part:
                rows = tuple((d.judge, d.system, d.drop, d.drop.n, d.drop.failed) for d in part)
                place.append(Table(f"Accuracy lost from {original} to {target}{name}", ("Judge", "System", "Drop", "n", "Failed"), rows))
    text = (
        "Accuracy on the original split minus that on other scenarios and sources; a positive number is a loss, and an interval across 0 "
        "says that none was shown."
    )
    return Section("drop", "Drop to generalization", text, tables=tuple(tables), more=tuple(more)) if tables else None


def skilled(table: PredictionTable, splits: Sequence[str]) -> Section:
    """Relevance and side, and what is gained on judges that never read the response."""
    found = skills(table)
    tables = []
    for split in splits:
        part = [s for s in found if s.split == split]
        beyond = next((f"To {s.control}" for s in part if s.control), None)
        columns = ("Judge", "Relevance right", "n", "Side right", "n of a side", *((beyond,) if beyond else ()))
        rows = tuple((s.judge, s.relevance, s.relevance.n, s.side, s.side.n, *((s.to_control,) if beyond else ())) for s in part)
        tables.append(Table(f"Relevance and side, split “{split}”", columns, rows))
    text = (
        "A verdict answers two questions: does the response bear on the value at all (relevance), and on which side does it stand (adhere "
        "or oppose; counted where people and judge both take a side, so a coin is right on half)? Knowing the topic is enough for the "
        "first. "
    )
    if any(s.control for s in found):
        text += (
            "The last column is the accuracy gained over the best judge that never reads the response: where the interval holds 0, "
            "it was not shown that reading helped."
        )
    else:
        text += "Run the judges majority, surface and scenario-only too: they never read the response, and show what that is worth."
    return Section("skills", "Relevance and side", text, tables=(tables[0],), more=tuple(tables[1:]))


def robustness(table: PredictionTable) -> Section | None:
    """Flip rates under edits that keep the meaning."""
    found = [f for f in flips(table) if not f.perturbation.startswith(PROBE)]
    if not found:
        return None
    ranked = table.distinct("judge")
    found.sort(key=lambda f: (f.perturbation, f.strength or 0.0, ranked.index(f.judge)))
    by_judge = sorted(found, key=lambda f: ranked.index(f.judge))
    rows = tuple((f.judge, f.perturbation, f.strength, f.flips, f.flips.n, f.flips.failed, f.followed) for f in by_judge)
    data = Table("Flip rates", ("Judge", "Edit", "Strength", "Flipped", "Pairs", "Failed", "Followed, where the label changes"), rows)
    many = len({(f.perturbation, f.strength) for f in found})
    figure = Figure("flips", "Share of verdicts that change when the meaning does not", flip_dots(found, "flips"), data, wide=many > 4)
    text = (
        "The same text before and after an edit that leaves its meaning alone, such as slips of the keyboard or other words. A verdict "
        "that changes is wrong on one of the two: fewer is better. Texts whose label does change with the edit are counted apart, as "
        "followed."
    )
    return Section("flips", "Robustness", text, figures=(figure,))


def learning(table: PredictionTable, split: str) -> Section | None:
    """Accuracy against labels per value."""
    points = curve(table, split)
    rows = tuple((p.judge, p.labels, p.accuracy, p.accuracy.n, p.accuracy.failed, len(p.draws), _range(p.draws)) for p in points)
    columns = ("Judge", "Labels per value", "Accuracy", "n", "Failed", "Draws", "Between draws")
    data = Table("Accuracy against labels per value", columns, rows)
    text = (
        f"What more labels buy: every judge calibrated on so many labels of each value, drawn several times, on the split “{split}”. "
        "Bands are 95 % intervals over scenarios; how far the draws of labels lie apart stands in the table. Where a line lies flat, "
        "further labels would be spent in vain."
    )
    return Section("curve", "Learning curve", text, figures=(Figure("curve", data.caption, curve_plot(points), data),)) if points else None


def _range(draws: Sequence[float]) -> str | None:
    """The least and the greatest accuracy of several draws of labels."""
    return f"{min(draws):.3f} to {max(draws):.3f}" if len(draws) > 1 else None


def ablated(table: PredictionTable, full: str, original: str) -> Section:
    """What each part of the evaluator is worth."""
    found = ablation(table, full)
    figures = []
    for i, split in enumerate(sorted(dict.fromkeys(a.split for a in found), key=lambda s: s != original)):
        part = sorted((a for a in found if a.split == split), key=_loss)
        rows = tuple((a.judge, a.accuracy, a.accuracy.n, a.accuracy.failed, a.to_full, a.p_holm) for a in part)
        data = Table(f"Ablation, split “{split}”", ("Variant", "Accuracy", "n", "Failed", f"To {full}", "p (Holm)"), rows)
        caption = f"{data.caption}: red and starred bars differ at 5 %"
        figures.append(Figure(f"ablation-{i}", caption, ablation_bars(part, f"ablation-{i}"), data))
    text = (
        f"Each part left out in turn, against {full} on the same rows. A bar to the left is what the part adds; lines are 95 % intervals, "
        "and p-values are corrected for their number by Holm's method."
    )
    return Section("ablation", "Ablation", text, tuple(figures))


def _loss(row: object) -> tuple[bool, float]:
    to_full = getattr(row, "to_full", None)
    return to_full is not None, 0.0 if to_full is None or to_full.value is None else to_full.value


def balanced(points: Sequence[Balance], original: str) -> Section | None:
    """Adaptability against generalizability."""
    if not points:
        return None
    rows = tuple(
        (p.judge, p.adaptability, p.generalizability, round(p.price.prompt_tokens + p.price.completion_tokens), p.price.cost)
        for p in points
    )
    data = Table("Adaptability and generalizability", ("Judge", "Original", "Elsewhere", "Tokens / 1,000", "$ / 1,000"), rows)
    figure = Figure("balance", "Top right is best; the size of a point is its tokens per verdict", balance_scatter(points), data)
    text = (
        f"Adaptability is the accuracy on the annotators' own kind of data (the split “{original}”), generalizability that on all other "
        "splits together. Below the dotted line a judge loses when it leaves home. Thin lines are 95 % intervals."
    )
    return Section("balance", "Balance", text, figures=(figure,))


def probed(table: PredictionTable) -> Section | None:
    """Who withstands which probe, and the shares behind it."""
    found = probes(table)
    if not found:
        return None
    names = list(dict.fromkeys(p.probe + (" (must turn)" if p.must_turn else "") for p in found))
    by = {(p.judge, p.probe + (" (must turn)" if p.must_turn else "")): p for p in found}
    grid = tuple((judge, *(_result(by.get((judge, name))) for name in names)) for judge in dict.fromkeys(p.judge for p in found))
    short = Table("Who withstands which probe, with the share of verdicts that move", ("Judge", *names), grid)
    rows = tuple((p.judge, p.probe, "turn" if p.must_turn else "stay", p.moved, p.moved.n, p.moved.failed, p.verdict) for p in found)
    full = Table("Share of verdicts that move, with intervals", ("Judge", "Probe", "Must", "Moved", "Pairs", "Failed", "Result"), rows)
    text = (
        "Attempts to move a judge by what says nothing about the value: padding, the words of a refusal, an order to the judge, layout, "
        "its own name. Where verdicts must stay, pass: even the upper end of the interval is within 10 %; fail: the lower end is past it. "
        "Where the edit turns the label (a negation), pass: the lower end of the share that turns with it is past 50 %; fail: the upper "
        "end is below."
    )
    return Section("probes", "Probes of judge biases", text, tables=(short,), more=(full,))


def _result(probe: Probe | None) -> str:
    if probe is None:
        return "–"
    sign = {"pass": "✓ ", "fail": "✗ "}.get(probe.verdict, "")
    return f"{sign}{probe.verdict}" + ("" if probe.moved.value is None else f" {probe.moved.value:.2f}")


def chosen(table: PredictionTable, split: str) -> Section | None:
    """Accuracy by how the labelled samples were chosen."""
    order = ("clustered", "random", "narrow")
    found = sorted(diversity(table, split), key=lambda c: order.index(c.choice) if c.choice in order else len(order))
    if not found:
        return None
    judges = list(dict.fromkeys(c.judge for c in found))
    found.sort(key=lambda c: judges.index(c.judge))
    rows = tuple(
        (c.judge, c.choice, c.labels, len(c.draws), c.accuracy, c.accuracy.n, c.accuracy.failed, _range(c.draws), c.to_random, c.p_holm)
        for c in found
    )
    columns = ("Judge", "Labels chosen", "Labels per value", "Draws", "Accuracy", "n", "Failed", "Between draws", "To random", "p (Holm)")
    data = Table(f"Accuracy by how the labelled samples were chosen, split “{split}”", columns, rows)
    text = (
        "Whether it matters which samples people label. Clustered: one sample from each K-Means cluster, as in the paper. Narrow: one "
        "sample and those nearest to it. To random: the difference to samples drawn at random, on the same rows and draws."
    )
    figure = Figure("diversity-dots", data.caption, choice_dots(found, "diversity-dots"), data)
    return Section("diversity", "Diversity of the labelled samples", text, figures=(figure,))


def disagreeing(table: PredictionTable, split: str, texts: Mapping[str, Response], names: Mapping[str, str]) -> Section | None:
    """Twenty texts on which the judges part."""
    cards = []
    for found in disagreements(table, split):
        response = texts.get(found.id)
        if response:
            body, cut = marked(response.response, [Evidence(text=t, start=0, end=0) for t in found.evidence], EXCERPT)
        else:
            body, cut = tuple(Piece(t, marked=True) for t in found.evidence), 0
        cards.append(
            Card(
                title=f"{found.id} · {names.get(found.value, found.value)}",
                label=found.gold,
                note="said by people",
                scenario=response.scenario[:400] if response else "",
                body=body,
                cut=cut,
                concepts=tuple(Neighbour(c, "", f"by {found.explained_by}") for c in found.concepts),
                verdicts=tuple((judge, label or "no verdict") for judge, label in found.labels.items()),
            )
        )
    text = (
        "The texts on which the judges part most, spread over the values. The label at the head is what people said; marked words are the "
        "evidence that a judge quoted. Here a person sees quickest what judges get wrong, and where the labels themselves can be disputed."
    )
    if not texts:
        text += " Only quotes are shown: name the file of responses to see the texts."
    return Section("disagreements", "Instructive disagreements", text, groups=(CardGroup("Texts", tuple(cards)),)) if cards else None
