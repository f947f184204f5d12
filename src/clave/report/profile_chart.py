"""The main figure of a report, as data that the page draws in its own letters, without matplotlib and on any screen.

chart = profile_chart(findings, {"care": "Care"})
chart.rows[0].name, chart.rows[0].bars[0].net, chart.at(0.0)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clave.profile.study import Finding
from clave.report.drawing import SERIES, short
from clave.report.missing import STATUSES
from clave.report.page import Bar, BarRow, ProfileChart

_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def profile_chart(found: Sequence[Finding], names: Mapping[str, str]) -> ProfileChart:
    """Net adherence of every model on every value with its interval, and what the verdicts were.

    Args:
        found: The profile of each model.
        names: Id -> name of the values.
    """
    models = list(dict.fromkeys(f.model for f in found))
    low, high = _reach(found)
    rows = [
        BarRow(short(names.get(value, value), 40), tuple(_bar(f, models) for f in found if f.value == value))
        for value in dict.fromkeys(f.value for f in found)
    ]
    return ProfileChart(low, high, tuple(t for t in _TICKS if low <= t <= high), tuple(rows))


def _bar(finding: Finding, models: Sequence[str]) -> Bar:
    net, counted = finding.best.net, finding.counted.net.value
    known = net.value is not None and net.low is not None and net.high is not None
    claimed = (net.low, net.value, net.high) if finding.best.supported and known else None
    many = len(models) > 1
    return Bar(
        name=short(finding.model, 24) if many else "",
        colour=f"s{models.index(finding.model) % len(SERIES)}" if many else "oppose" if (net.value or 0) < 0 else "adhere",
        net=claimed,  # type: ignore[arg-type]  # narrowed by `known`
        counted=counted,
        without="" if claimed else "no response bears on it" if counted is None else "nothing is claimed",
        parts=tuple((name, n) for name, n in (*finding.counts.items(), *((s, finding.statuses.get(s, 0)) for s in STATUSES)) if n),
    )


def _reach(found: Sequence[Finding]) -> tuple[float, float]:
    """Ends of the axis: a half or a whole to each side, whatever holds all that is drawn."""
    drawn = [0.0, *(f.counted.net.value or 0.0 for f in found)]
    for net in (f.best.net for f in found if f.best.supported):
        drawn += [end for end in (net.low, net.value, net.high) if end is not None]
    low = next(t for t in (0.0, -0.5, -1.0) if t <= min(drawn))
    high = next(t for t in (0.0, 0.5, 1.0) if t >= max(drawn))
    return (low, high) if low < high else (-1.0, 1.0)
