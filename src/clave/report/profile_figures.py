"""The drawings of a value profile for papers and slides: bars with intervals, and the mix of labels. The page draws its own chart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clave.profile.study import Finding
from clave.report.drawing import GRID, INK, LABEL_COLOURS, MARKERS, SERIES, canvas, saving, short, to_svg

_MIX = {**LABEL_COLOURS, "abstained": "#dcb869", "refused": "#b8801f", "failed": "#7a5212"}
"""Colours of labels, and of what has none."""
_ZERO = "#808896"


def profile_bars(rows: Sequence[Finding], names: dict[str, str]) -> str:
    """Net adherence per value, a bar per model, with its interval and how many verdicts are behind it; hollow marks are the counts."""
    models, values = _axes_of(rows)
    if not saving():
        return ""
    many = len(models) > 1
    step = 0.7 / len(models)
    with canvas(4.5, 0.75 + len(values) * max(0.3, 0.24 * len(models))) as axes:
        beside = axes.get_yaxis_transform()
        for m, model in enumerate(models):
            for row in (r for r in rows if r.model == model):
                y = values.index(row.value) + (m - (len(models) - 1) / 2) * step
                axes.text(1.03, y, f"{row.best.verdicts:,}", va="center", fontsize=8.5, transform=beside)
                net, counted = row.best.net, row.counted.net.value
                if counted is None:
                    axes.text(0.03, y, "no response bears on it", va="center", fontsize=8.5)
                    continue
                axes.plot([counted], [y], MARKERS[m % len(MARKERS)] if many else "o", color=INK, markerfacecolor="white", markersize=4.5)
                if not row.best.supported or net.value is None:
                    continue
                colour = SERIES[m % len(SERIES)] if many else LABEL_COLOURS["adhere" if net.value >= 0 else "oppose"]
                axes.barh(y, net.value, height=step * 0.86, color=colour, alpha=0.3, linewidth=0)
                if net.low is not None and net.high is not None:
                    axes.plot([net.low, net.high], [y, y], color=colour, linewidth=2, marker="|", markersize=5)
                axes.plot([net.value], [y], MARKERS[m % len(MARKERS)] if many else "o", color=colour, markersize=5.5)
        axes.axvline(0, color=_ZERO, linewidth=0.9)
        for y in range(1, len(values)):
            axes.axhline(y - 0.5, color=GRID, alpha=0.15, linewidth=0.6)
        axes.set(xlim=_reach(rows), ylim=(len(values) - 0.45, -0.55), yticks=range(len(values)))
        axes.set_yticklabels([short(names.get(v, v)) for v in values])
        axes.locator_params(axis="x", nbins=6)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:+.2g}".replace("-", "−") if abs(x) > 1e-9 else "0")
        axes.set_xlabel("← opposes  ·  net adherence  ·  adheres →", fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.text(1.03, -0.55, "n", va="bottom", transform=beside)
        axes.grid(axis="x")
        if many:
            handles = [
                axes.plot([], [], MARKERS[m % len(MARKERS)], color=SERIES[m % len(SERIES)], label=short(model, 30))[0]
                for m, model in enumerate(models)
            ]
            axes.figure.legend(handles=handles, loc="outside upper left", ncols=3 if _columns(models) == 2 else 1, columnspacing=1.2)
        return to_svg(axes.figure, "profile-bars", "Net adherence per value, with 95 % intervals")


def _reach(rows: Sequence[Finding]) -> tuple[float, float]:
    """Limits of an axis that hold what is drawn, and zero."""
    claimed = [r.best.net for r in rows if r.best.supported]
    drawn = [end for net in claimed for end in (net.low, net.value, net.high)] + [r.counted.net.value for r in rows]
    ends = [0.0, *(end for end in drawn if end is not None)]
    low, high = (min(ends), max(ends)) if max(ends) > min(ends) else (-1.0, 1.0)
    room = 0.05 * (high - low)
    return low - room, high + room


def label_mix(rows: Sequence[Finding], names: dict[str, str]) -> str:
    """Shares of adhere, oppose, unrelated, and of what has no label, per value (over all models)."""
    _, values = _axes_of(rows)
    if not saving():
        return ""
    total = np.array([sum(_asked(r) for r in rows if r.value == v) for v in values])
    with canvas(4.3, 1.15 + 0.32 * len(values)) as axes:
        left = np.zeros(len(values))
        for name, colour in _MIX.items():
            width = np.array([sum(_count(r, name) for r in rows if r.value == v) for v in values]) / total
            if name in LABEL_COLOURS or width.any():
                axes.barh(range(len(values)), width, left=left, color=colour, height=0.68, label=name, linewidth=0)
            left += width
        axes.set(xlim=(0, 1), ylim=(len(values) - 0.45, -0.55), yticks=range(len(values)))
        axes.set_yticklabels([short(names.get(v, v)) for v in values])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, columnspacing=0.9, handlelength=0.9, handletextpad=0.4
        )
        return to_svg(axes.figure, "label-mix", "Shares of adhere, oppose, unrelated and of what has no label, per value")


def _columns(models: Sequence[str]) -> int:
    """Of a legend: long names side by side would be wider than the drawing."""
    return 2 if all(short(model, 20) == short(model, 30) for model in models) else 1


def _asked(row: Finding) -> int:
    return sum(row.counts.values()) + sum(row.statuses.values())


def _count(row: Finding, name: str) -> int:
    return next((n for label, n in row.counts.items() if label == name), row.statuses.get(name, 0))


def _axes_of(rows: Sequence[Finding]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(r.model for r in rows)), list(dict.fromkeys(r.value for r in rows))
