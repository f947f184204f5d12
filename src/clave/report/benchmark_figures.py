"""The drawings of a benchmark report: leaderboard, heat map, reliability, curves, ablation, balance, flips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clave.benchmark.analyses import Ablation, Balance, CurvePoint, Flips
from clave.benchmark.statistics import Estimate
from clave.benchmark.tables import Cell, LeaderboardRow, ReliabilityBin
from clave.report.drawing import SERIES, can_draw, canvas, short, to_svg


def leaderboard_dots(rows: Sequence[LeaderboardRow], name: str) -> str:
    """Accuracy with its interval, a colour per tier."""
    if not can_draw() or not rows:
        return ""
    with canvas(4.6, 0.7 + 0.27 * len(rows)) as axes:
        for y, row in enumerate(rows):
            _dot(axes, y, row.accuracy, SERIES[((row.tier or len(SERIES)) - 1) % len(SERIES)])
        _names(axes, [r.judge for r in rows])
        axes.set(xlim=(0, 1), xlabel="accuracy")
        axes.grid(axis="x")
        return to_svg(axes.figure, name, "Accuracy of each judge with its 95 % interval")


def heat_map(cells: Sequence[Cell]) -> str:
    """Accuracy of each judge on each value."""
    if not can_draw() or not cells:
        return ""
    judges, values = list(dict.fromkeys(c.judge for c in cells)), list(dict.fromkeys(c.value for c in cells))
    grid = np.full((len(judges), len(values)), np.nan)
    for cell in cells:
        if cell.accuracy.value is not None:
            grid[judges.index(cell.judge), values.index(cell.value)] = cell.accuracy.value
    with canvas(2.2 + 0.46 * len(values), 1.4 + 0.27 * len(judges)) as axes:
        axes.pcolormesh(grid, cmap="viridis", vmin=0, vmax=1, edgecolors="none")
        for (y, x), value in np.ndenumerate(grid):
            if np.isfinite(value):
                axes.text(x + 0.5, y + 0.5, f"{value:.2f}"[1:] if value < 1 else "1", ha="center", va="center", fontsize=8,
                          color="#ffffff" if value < 0.6 else "#101318")  # fmt: skip
        axes.set_yticks(np.arange(len(judges)) + 0.5, [short(j, 28) for j in judges])
        axes.set_xticks(np.arange(len(values)) + 0.5, [short(v, 18) for v in values], rotation=40, ha="right", rotation_mode="anchor")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        return to_svg(axes.figure, "heat", "Accuracy of each judge on each value")


def reliability_plot(bins: Sequence[ReliabilityBin], judge: str, name: str) -> str:
    """What the judge promised against what it kept; the area of a point is its number of rows."""
    own = [b for b in bins if b.judge == judge]
    if not can_draw() or not own:
        return ""
    with canvas(2.5, 2.5) as axes:
        axes.plot([0, 1], [0, 1], color="#808896", linewidth=0.9)
        most = max(b.n for b in own)
        sizes = [12 + 90 * b.n / most for b in own]
        axes.scatter([b.confidence for b in own], [b.accuracy for b in own], s=sizes, color=SERIES[0], alpha=0.75, clip_on=False)
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="stated confidence", ylabel="share right", title=short(judge, 30))
        axes.grid()
        return to_svg(axes.figure, name, f"Reliability of {short(judge, 30)}")


def curve_plot(points: Sequence[CurvePoint], name: str = "curve") -> str:
    """Accuracy against labels per value."""
    if not can_draw() or not points:
        return ""
    with canvas(4.6, 3.0) as axes:
        for i, judge in enumerate(dict.fromkeys(p.judge for p in points)):
            own = [p for p in points if p.judge == judge and p.accuracy.value is not None]
            x, colour = [p.labels for p in own], SERIES[i % len(SERIES)]
            axes.plot(x, [p.accuracy.value for p in own], color=colour, marker="o", markersize=3.5, label=short(judge, 28))
            known = [p for p in own if p.accuracy.low is not None]
            axes.fill_between(
                [p.labels for p in known],
                [p.accuracy.low for p in known],
                [p.accuracy.high for p in known],
                color=colour,
                alpha=0.13,
                linewidth=0,
            )
        axes.set(xlabel="labels per value", ylabel="accuracy")
        axes.grid()
        axes.figure.legend(loc="outside upper left", ncols=2)
        return to_svg(axes.figure, name, "Accuracy against labels per value")


def ablation_bars(rows: Sequence[Ablation], name: str) -> str:
    """Difference of each variant to the full evaluator."""
    rows = [r for r in rows if r.to_full is not None and r.to_full.value is not None]
    if not can_draw() or not rows:
        return ""
    with canvas(4.6, 0.7 + 0.3 * len(rows)) as axes:
        for y, row in enumerate(rows):
            assert row.to_full is not None
            colour = "#b8384b" if row.p_holm is not None and row.p_holm < 0.05 else "#6f7a8c"
            axes.barh(y, row.to_full.value, color=colour, alpha=0.5, height=0.6)
            _dot(axes, y, Estimate(**row.to_full.model_dump(include={"value", "low", "high", "n"})), colour)
        axes.axvline(0, color="#808896", linewidth=0.9)
        _names(axes, [r.judge for r in rows])
        axes.set_xlabel("accuracy − that of the full evaluator")
        axes.grid(axis="x")
        return to_svg(axes.figure, name, "What each part adds")


def balance_scatter(points: Sequence[Balance]) -> str:
    """Adaptability against generalizability; the size is the price."""
    known = [p for p in points if p.adaptability.value is not None and p.generalizability.value is not None]
    if not can_draw() or not known:
        return ""
    dearest = max((p.price.prompt_tokens + p.price.completion_tokens for p in known), default=0) or 1
    with canvas(4.6, 4.0 + 0.09 * len(known)) as axes:
        handles, places = [], dict[tuple[int, int], list[str]]()
        for i, p in enumerate(known):
            x, y, colour = p.adaptability, p.generalizability, SERIES[i % len(SERIES)]
            size = 22 + 260 * (p.price.prompt_tokens + p.price.completion_tokens) / dearest
            if x.low is not None and y.low is not None:
                axes.plot([x.low, x.high], [y.value, y.value], color=colour, alpha=0.5, linewidth=1)
                axes.plot([x.value, x.value], [y.low, y.high], color=colour, alpha=0.5, linewidth=1)
            handles.append(axes.scatter([x.value], [y.value], s=size, color=colour, alpha=0.75, linewidth=0))
            handles[-1].set_label(f"{i + 1}  {short(p.judge, 22)}")
            places.setdefault((round(50 * (x.value or 0)), round(50 * (y.value or 0))), []).append(str(i + 1))
        for (x50, y50), numbers in places.items():  # points that lie together share one row of numbers
            axes.annotate(", ".join(numbers), (x50 / 50, y50 / 50), xytext=(6, 5), textcoords="offset points", fontsize=8)
        axes.axline((0.5, 0.5), slope=1, color="#808896", linewidth=0.8, linestyle=":")
        axes.set(xlabel="adaptability: accuracy on the original split", ylabel="generalizability: accuracy elsewhere")
        axes.margins(0.12)
        axes.grid()
        legend = axes.figure.legend(handles=handles, loc="outside lower left", ncols=2, columnspacing=1)
        for handle in legend.legend_handles:
            handle.set_sizes([28])
        return to_svg(axes.figure, "balance", "Adaptability against generalizability, size is price")


def flip_dots(rows: Sequence[Flips], name: str) -> str:
    """Flip rates per judge, a colour per kind of edit."""
    rows = [r for r in rows if r.flips.value is not None]
    if not can_draw() or not rows:
        return ""
    judges, kinds = list(dict.fromkeys(r.judge for r in rows)), list(dict.fromkeys(r.perturbation for r in rows))
    with canvas(4.6, 0.9 + max(0.3, 0.13 * len(kinds)) * len(judges)) as axes:
        for row in rows:
            place = kinds.index(row.perturbation)
            _dot(axes, judges.index(row.judge) + 0.7 * ((place + 0.5) / len(kinds) - 0.5), row.flips, SERIES[place % len(SERIES)])
        _names(axes, judges)
        axes.set(xlabel="share of verdicts that flip")
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        handles = [axes.plot([], [], "o", color=SERIES[i % len(SERIES)], label=short(kind))[0] for i, kind in enumerate(kinds)]
        axes.figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1, handletextpad=0.2)
        return to_svg(axes.figure, name, "Flip rate of each judge under each kind of edit")


def _dot(axes: Any, y: float, estimate: Estimate, colour: str) -> None:
    if estimate.value is None:
        return
    if estimate.low is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    axes.plot([estimate.value], [y], "o", color=colour, markersize=4.5)


def _names(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [short(n, 28) for n in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
