"""The head of a benchmark report: which judge can be trusted, where, and at what price, in one sentence and one table.

from clave.benchmark.analyses import balance
from clave.benchmark.tables import value_matrix

summary(board, "original", value_matrix(table, "original"), balance(table, "original"), {"care": "Care"})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clave.benchmark.analyses import Balance
from clave.benchmark.tables import LeaderboardRow, ValueAccuracy
from clave.report.dot_charts import judges_chart
from clave.report.drawing import short
from clave.report.page import Figure, Section, Table


def lead(board: Sequence[LeaderboardRow], original: str) -> str:
    """The best judge of the original split, how many cannot be told apart from it, and which of these is cheapest."""
    first = [r for r in _together(board, original) if r.tier == 1]
    if not first:
        return "No judge gave a verdict."
    best = f"The best judge on the split “{original}” is {first[0].judge}: {first[0].accuracy}"
    if len(first) == 1:
        return f"{best}. No other comes close enough to be mistaken for it."
    others = first[1].judge if len(first) == 2 else f"{len(first) - 1} others"
    return f"{best}. It cannot be told apart from {others}. {_cheapest(first)}"


def _cheapest(rows: Sequence[LeaderboardRow]) -> str:
    costs = {r.judge: r.price.cost for r in rows if r.price.cost is not None}
    if len(costs) == len(rows):
        name = min(costs, key=lambda judge: costs[judge])
        return f"The cheapest of these is {name}, at ${costs[name]:,.2f} for 1,000 verdicts."
    row = min(rows, key=_tokens)
    return f"Of these, {row.judge} needs the fewest tokens, {_tokens(row):,} for 1,000 verdicts."


def summary(
    board: Sequence[LeaderboardRow],
    original: str,
    cells: Sequence[ValueAccuracy],
    balanced: Sequence[Balance],
    names: Mapping[str, str],
) -> Section:
    """One row per judge, best first.

    Args:
        board: The leaderboard, all systems together first.
        original: The split of the annotators' own kind of data.
        cells: Accuracy per judge and value on that split.
        balanced: Accuracy of every judge on the other splits; empty where there are none.
        names: Id -> name of the values.
    """
    elsewhere = {b.judge: b.generalizability for b in balanced}
    rows = []
    ranked = _together(board, original)
    priced = any(row.price.cost for row in ranked)
    for row in ranked:
        known = [c for c in cells if c.judge == row.judge and c.accuracy.value is not None]
        weakest = min(known, key=lambda c: c.accuracy.value or 0.0, default=None)
        rows.append(
            (
                row.judge,
                row.tier,
                row.accuracy,
                *((elsewhere.get(row.judge),) if elsewhere else ()),
                short(names.get(weakest.value, weakest.value), 24) if weakest else "–",
                weakest.accuracy if weakest else None,
                row.price.cost if priced else _tokens(row),
                row.calibration_error.value,
                row.coverage.value,
                row.accuracy.n,
                row.accuracy.failed,
            )
        )
    columns = ("Judge", "Tier", "Accuracy", *(("Elsewhere",) if elsewhere else ()), "Weakest value", "Accuracy there",
               "$ / 1,000" if priced else "Tokens / 1,000", "Confidence off by", "Sure enough", "n", "Failed")  # fmt: skip
    reach = "Elsewhere is the accuracy on all other splits together: what remains when scenarios, sources or wording change. "
    text = (
        f"Judges on the split “{original}”, best first. Judges of one tier cannot be told apart by accuracy: choose among them by price. "
        f"{reach if elsewhere else ''}Accuracy there is that on the value that the judge does worst. Confidence off by: how far stated "
        "confidence lies from the share that is right (ECE; 0 is best). Sure enough: the share of verdicts that can be taken as they are "
        "if at most 10 % of them may be wrong; the rest need a person. Prices are per 1,000 verdicts."
    )
    caption = f"Accuracy of each judge, split “{original}”. Judges of one tier cannot be told apart"
    table = Table("Judges at a glance", columns, tuple(rows))
    figure = Figure("judges", caption, "", table, wide=True, chart=judges_chart(ranked, elsewhere), opened=True)
    return Section("summary", "Which judge, where, at what price", text, defines=True, figures=(figure,))


def _together(board: Sequence[LeaderboardRow], split: str) -> list[LeaderboardRow]:
    return [r for r in board if r.split == split and r.system == board[0].system]


def _tokens(row: LeaderboardRow) -> int:
    return round(row.price.prompt_tokens + row.price.completion_tokens)
