"""The main figures of reports, as data that the page draws in its own letters, without matplotlib and on any screen.

chart = profile_chart(findings, {"care": "Care"})
chart.groups[0].name, chart.groups[0].dots[0].interval, chart.at(0.0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from clave.benchmark.tables import LeaderboardRow
from clave.profile.study import Finding
from clave.report.drawing import SERIES, short
from clave.report.missing import STATUSES
from clave.report.page import Dot, DotChart, DotGroup, signed
from clave.scoring.statistics import Estimate


def profile_chart(found: Sequence[Finding], names: Mapping[str, str]) -> DotChart:
    """Net adherence of every model on every value with its interval, and what the verdicts were.

    Args:
        found: The profile of each model.
        names: Id -> name of the values.
    """
    models = list(dict.fromkeys(f.model for f in found))
    low, high = _reach(found)
    groups = tuple(
        DotGroup(short(names.get(value, value), 40), tuple(_net(f, models) for f in found if f.value == value))
        for value in dict.fromkeys(f.value for f in found)
    )
    claims = any(dot.interval for group in groups for dot in group.dots)
    ticks = tuple((t, f"{t:+g}".replace("-", "−") if t else "0") for t in (-1, -0.5, 0, 0.5, 1) if low <= t <= high)
    keys = ("estimate, with its 95 % interval" if claims else "", "counted verdicts")
    return DotChart(low, high, ticks, groups, ("net adherence", "verdicts"), keys)


def _net(finding: Finding, models: Sequence[str]) -> Dot:
    best, counted = finding.best, finding.counted.net.value
    claimed = _interval(best.net) if best.supported else None
    without = "no response bears on it" if counted is None else f"{signed(counted)} counted"
    parts = tuple((name, n) for name, n in (*finding.counts.items(), *((s, finding.statuses.get(s, 0)) for s in STATUSES)) if n)
    many = len(models) > 1
    return Dot(
        name=short(finding.model, 24) if many else "",
        colour=f"s{models.index(finding.model) % len(SERIES)}" if many else "oppose" if (best.net.value or 0) < 0 else "adhere",
        interval=claimed,
        ring=counted,
        said=signed(claimed[1]) if claimed else without,
        ends=f"{signed(claimed[0])} … {signed(claimed[2])}" if claimed else "",
        aside=f"{sum(n for _, n in parts):,}",
        parts=parts,
    )


def _reach(found: Sequence[Finding]) -> tuple[float, float]:
    """Ends of the axis: a half or a whole to each side, whatever holds all that is drawn."""
    drawn = [0.0, *(f.counted.net.value or 0.0 for f in found)]
    for net in (f.best.net for f in found if f.best.supported):
        drawn += [end for end in (net.low, net.value, net.high) if end is not None]
    low = next(t for t in (0.0, -0.5, -1.0) if t <= min(drawn))
    high = next(t for t in (0.0, 0.5, 1.0) if t >= max(drawn))
    return (low, high) if low < high else (-1.0, 1.0)


def judges_chart(board: Sequence[LeaderboardRow], elsewhere: Mapping[str, Estimate]) -> DotChart:
    """Accuracy of every judge with its interval, by tier; rings are its accuracy on other splits.

    Args:
        board: One leaderboard, best judge first.
        elsewhere: Accuracy on the other splits; empty where there are none.
    """
    priced = any(row.price.cost for row in board)
    accuracies = [row.accuracy for row in board] + list(elsewhere.values())
    ends = [end for a in accuracies for end in (a.low, a.value, a.high) if end is not None] or [0.0, 1.0]
    low, high = math.floor(10 * min(ends)) / 10, math.ceil(10 * max(ends)) / 10
    low, high = (low, high) if low < high else (0.0, 1.0)
    ticks = tuple((t / 10, f"{t / 10:.1f}") for t in range(round(10 * low), round(10 * high) + 1, 2 if high - low > 0.5 else 1))
    tiers = dict.fromkeys(row.tier for row in board)
    groups = tuple(
        DotGroup(
            "Unfinished" if tier is None else f"Tier {tier}", tuple(_right(r, tier, elsewhere, priced) for r in board if r.tier == tier)
        )
        for tier in tiers
    )
    keys = ("accuracy, with its 95 % interval", "on other splits" if elsewhere else "")
    return DotChart(low, high, ticks, groups, ("accuracy", "$ / 1,000" if priced else "tokens / 1,000"), keys)


def _right(row: LeaderboardRow, tier: int | None, elsewhere: Mapping[str, Estimate], priced: bool) -> Dot:
    found, price = _interval(row.accuracy), row.price
    cost = "–" if price.cost is None else f"{price.cost:,.2f}"
    return Dot(
        name=short(row.judge, 30),
        colour=f"s{(tier or 6) - 1}" if (tier or 6) <= len(SERIES) else "s5",
        interval=found,
        ring=elsewhere[row.judge].value if row.judge in elsewhere else None,
        said=f"{found[1]:.3f}" if found else "no verdict",
        ends=f"{found[0]:.3f} … {found[2]:.3f}" if found else "",
        aside=cost if priced else _short_count(price.prompt_tokens + price.completion_tokens),
    )


def _short_count(n: float) -> str:
    """3,200,000 as 3.2M, 290,236 as 290k: for a column that is narrow on a phone; the table has it in full."""
    return f"{n / 1e6:,.1f}M" if n >= 999_500 else f"{n / 1e3:,.0f}k" if n >= 1000 else f"{n:,.0f}"


def _interval(estimate: Estimate) -> tuple[float, float, float] | None:
    if estimate.low is None or estimate.value is None or estimate.high is None:
        return None
    return estimate.low, estimate.value, estimate.high
