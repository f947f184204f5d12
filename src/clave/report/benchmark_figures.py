"""The drawings of a benchmark report: leaderboard, heat map, reliability, curves, ablation, diversity, balance, flips.

from clave.benchmark.tables import leaderboard

svg = leaderboard_dots(leaderboard(table), "board-0")          # an `<svg>` element, or "" without matplotlib or without rows
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clave.benchmark.analyses import Ablation, Balance, Chosen, CurvePoint, Flips
from clave.benchmark.tables import LeaderboardRow, ReliabilityBin, ValueAccuracy
from clave.report.drawing import GRID, INK, MARKERS, SERIES, can_draw, canvas, short, to_svg
from clave.scoring.statistics import Array, Difference, Estimate

MOST_DOTS = 4
"""Dots beside one name that a reader can still tell apart; more kinds of edits are drawn as a map."""
_QUIET = "#808896"


def leaderboard_dots(rows: Sequence[LeaderboardRow], name: str) -> str:
    """Accuracy with its interval; a colour per tier, whose number stands at the right; an unfinished judge is hollow."""
    if not can_draw() or not rows:
        return ""
    with canvas(4.6, 0.9 + 0.27 * len(rows)) as axes:
        at_right = axes.get_yaxis_transform()
        axes.text(1.03, -1, "tier", transform=at_right, va="center", fontsize=8.5)
        axes.text(1.16, -1, "accuracy", transform=at_right, va="center", fontsize=8.5)
        for y, row in enumerate(rows):
            _dot(axes, y, row.accuracy, SERIES[(row.tier - 1) % len(SERIES)] if row.tier else _QUIET, hollow=row.tier is None)
            axes.text(1.03, y, row.tier or "–", transform=at_right, va="center", fontsize=8.5)
            known = row.accuracy.value is not None
            axes.text(1.16, y, f"{row.accuracy.value:.3f}" if known else "–", transform=at_right, va="center", fontsize=8.5)
        _names(axes, [r.judge for r in rows])
        axes.set(xlim=_around([r.accuracy for r in rows]), xlabel="accuracy")
        axes.grid(axis="x")
        return to_svg(axes.figure, name, "Accuracy of each judge with its 95 % interval")


def heat_map(cells: Sequence[ValueAccuracy], names: Mapping[str, str]) -> str:
    """Accuracy of each judge on each value; values of one system stand together, and the longer list goes down the page."""
    if not can_draw() or not cells:
        return ""
    systems = list(dict.fromkeys(c.system for c in cells))
    system_of = {c.value: c.system for c in sorted(cells, key=lambda c: systems.index(c.system))}
    judges, values = list(dict.fromkeys(c.judge for c in cells)), list(system_of)
    grid = np.full((len(judges), len(values)), np.nan)
    for cell in cells:
        if cell.accuracy.value is not None:
            grid[judges.index(cell.judge), values.index(cell.value)] = cell.accuracy.value
    down, called = len(values) > len(judges), [names.get(value, value) for value in values]
    with _map(grid.T if down else grid, called if down else judges, judges if down else called, lowest=0.0, highest=1.0) as axes:
        for system in systems if len(systems) > 1 else ():
            first = next(i for i, value in enumerate(values) if system_of[value] == system)
            (axes.axhline if down else axes.axvline)(first, color=INK, linewidth=1.6 if first else 0)
            place = (len(judges) + 0.15, first + 0.5) if down else (first + 0.1, -0.25)
            axes.text(*place, short(system, 16), va="center" if down else "bottom", fontsize=8.5, style="italic")
        return to_svg(axes.figure, "heat", "Accuracy of each judge on each value")


def reliability_plot(bins: Sequence[ReliabilityBin], judge: str, name: str) -> str:
    """What the judge promised against what it kept; the area of a point is its number of rows."""
    own = [b for b in bins if b.judge == judge]
    if not can_draw() or not own:
        return ""
    with canvas(2.5, 2.5) as axes:
        axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.9)
        most = max(b.n for b in own)
        sizes = [12 + 90 * b.n / most for b in own]
        axes.scatter([b.confidence for b in own], [b.accuracy for b in own], s=sizes, color=SERIES[0], alpha=0.75, clip_on=False)
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="stated confidence", ylabel="share right", title=short(judge, 30))
        axes.grid()
        return to_svg(axes.figure, name, f"Reliability of {short(judge, 30)}")


def curve_plot(points: Sequence[CurvePoint], name: str = "curve") -> str:
    """Accuracy against labels per value, with bands of 95 %."""
    if not can_draw() or not points:
        return ""
    with canvas(4.6, 3.4) as axes:
        for i, judge in enumerate(dict.fromkeys(p.judge for p in points)):
            own = [p for p in points if p.judge == judge and p.accuracy.value is not None]
            x, colour = [p.labels for p in own], SERIES[i % len(SERIES)]
            values = [p.accuracy.value for p in own]
            axes.plot(x, values, color=colour, marker=MARKERS[i % len(MARKERS)], markersize=4.5, label=short(judge, 28))
            known = [p for p in own if p.accuracy.low is not None]
            band = [[getattr(p.accuracy, end) for p in known] for end in ("low", "high")]
            axes.fill_between([p.labels for p in known], *band, color=colour, alpha=0.13, linewidth=0)
        axes.set(xlabel="labels per value", ylabel="accuracy")
        axes.set_xticks(sorted({p.labels for p in points}))
        axes.grid()
        axes.figure.legend(loc="outside upper left", ncols=2)
        return to_svg(axes.figure, name, "Accuracy against labels per value")


def ablation_bars(rows: Sequence[Ablation], name: str) -> str:
    """Difference of each variant to the full evaluator; those that differ at 5 % are red and starred."""
    if not can_draw() or not (known := [(r, r.to_full) for r in rows if r.to_full is not None and r.to_full.value is not None]):
        return ""
    with canvas(4.6, 0.7 + 0.3 * len(known)) as axes:
        names = []
        for y, (row, to_full) in enumerate(known):
            differs = row.p_holm is not None and row.p_holm < 0.05
            axes.barh(y, to_full.value, color="#c4455a" if differs else "#7a8598", alpha=0.6, height=0.6)
            _dot(axes, y, to_full, INK)
            names.append(f"{short(row.judge, 28)}{' *' if differs else ''}")
        axes.axvline(0, color=_QUIET, linewidth=0.9)
        _names(axes, names)
        axes.margins(x=0.06)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("accuracy − that of the full evaluator")
        axes.grid(axis="x")
        return to_svg(axes.figure, name, "What each part adds")


def balance_scatter(points: Sequence[Balance]) -> str:
    """Adaptability against generalizability; the size is the price."""
    known = [p for p in points if p.adaptability.value is not None and p.generalizability.value is not None]
    if not can_draw() or not known:
        return ""
    dearest = max((p.price.prompt_tokens + p.price.completion_tokens for p in known), default=0) or 1
    with canvas(5.4, 4.2) as axes:
        for i, p in enumerate(known):
            x, y, colour = p.adaptability, p.generalizability, SERIES[i % len(SERIES)]
            size = 22 + 260 * (p.price.prompt_tokens + p.price.completion_tokens) / dearest
            if x.low is not None and y.low is not None:
                axes.plot([x.low, x.high], [y.value, y.value], color=colour, alpha=0.5, linewidth=1)
                axes.plot([x.value, x.value], [y.low, y.high], color=colour, alpha=0.5, linewidth=1)
            # small points over large ones, or they would be hidden
            axes.scatter([x.value], [y.value], s=size, color=colour, alpha=0.75, linewidth=0, zorder=3 - size / 1000)
        axes.axline((0.5, 0.5), slope=1, color=_QUIET, linewidth=0.8, linestyle=":")
        axes.set(xlabel="adaptability: accuracy on the original split", ylabel="generalizability: accuracy elsewhere")
        axes.margins(0.12)
        axes.grid()
        _name_points(axes, [(p.judge, p.adaptability.value or 0.0, p.generalizability.value or 0.0) for p in known])
        return to_svg(axes.figure, "balance", "Adaptability against generalizability, size is price")


def flip_dots(rows: Sequence[Flips], name: str) -> str:
    """Flip rates per judge and kind of edit: dots with intervals, or a map where there are many kinds or strengths."""
    rows = [r for r in rows if r.flips.value is not None]
    if not can_draw() or not rows:
        return ""
    several = len({(r.perturbation, r.strength) for r in rows}) > len({r.perturbation for r in rows})
    named = [(r.judge, f"{r.perturbation} {r.strength:g}" if several and r.strength is not None else r.perturbation, r.flips) for r in rows]
    kinds = list(dict.fromkeys(kind for _, kind, _ in named))
    if len(kinds) <= MOST_DOTS:
        return _grouped(named, name, "share of verdicts that flip", "Flip rate of each judge under each kind of edit", from_zero=True)
    judges = list(dict.fromkeys(judge for judge, *_ in named))
    grid = np.full((len(judges), len(kinds)), np.nan)
    for judge, kind, share in named:
        grid[judges.index(judge), kinds.index(kind)] = share.value
    down = len(kinds) > len(judges)
    highest = max(0.5, float(np.nanmax(grid)))
    with _map(grid.T if down else grid, kinds if down else judges, judges if down else kinds, lowest=0.0, highest=highest) as axes:
        return to_svg(axes.figure, name, "Flip rate of each judge under each kind of edit")


def choice_dots(rows: Sequence[Chosen], name: str) -> str:
    """Accuracy of each judge by how its labelled samples were chosen."""
    named = [(r.judge, r.choice, r.accuracy) for r in rows if r.accuracy.value is not None]
    if not can_draw() or not named:
        return ""
    return _grouped(named, name, "accuracy", "Accuracy of each judge by how its labels were chosen", from_zero=False)


def _grouped(rows: Sequence[tuple[str, str, Estimate]], name: str, xlabel: str, alt: str, *, from_zero: bool) -> str:
    judges, kinds = list(dict.fromkeys(r[0] for r in rows)), list(dict.fromkeys(r[1] for r in rows))
    with canvas(4.6, 0.9 + max(0.3, 0.15 * len(kinds)) * len(judges)) as axes:
        for judge, kind, estimate in rows:
            k = kinds.index(kind)
            y = judges.index(judge) + 0.7 * ((k + 0.5) / len(kinds) - 0.5)
            _dot(axes, y, estimate, SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)])
        _names(axes, judges)
        for y in range(1, len(judges)):
            axes.axhline(y - 0.5, color=GRID, alpha=0.12, linewidth=0.6)
        axes.set_xlabel(xlabel)
        if from_zero:
            axes.set_xlim(left=0)
        axes.grid(axis="x")
        handles = [
            axes.plot([], [], MARKERS[i % len(MARKERS)], markersize=4.5, color=SERIES[i % len(SERIES)], label=short(kind))[0]
            for i, kind in enumerate(kinds)
        ]
        axes.figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1, handletextpad=0.2)
        return to_svg(axes.figure, name, alt)


def _shades() -> Any:
    """From next to nothing to nearly the colour of what adheres, but for a shade, so that it does not follow the page into the dark."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["#f1f5f7", "#1c7e71"])


@contextlib.contextmanager
def _map(grid: Array, down: Sequence[str], across: Sequence[str], *, lowest: float, highest: float) -> Iterator[Any]:
    """Axes with a cell for each number of a grid (rows down, columns across); a number that is not known leaves its cell empty."""
    with canvas(3.6 + 0.46 * len(across), 1.5 + 0.27 * len(down)) as axes:  # a single column has names on both sides, too
        axes.pcolormesh(grid, cmap=_shades(), vmin=lowest, vmax=highest, edgecolors="none")
        for (y, x), value in np.ndenumerate(grid):
            if np.isfinite(value):
                light = value < lowest + 0.62 * (highest - lowest)
                axes.text(x + 0.5, y + 0.5, f"{value:.2f}"[1:] if value < 0.995 else "1", ha="center", va="center", fontsize=8.5,
                          color="#101318" if light else "#ffffff")  # fmt: skip
        axes.set_yticks(np.arange(len(down)) + 0.5, [short(text, 28) for text in down])
        axes.set_xticks(np.arange(len(across)) + 0.5, [short(text, 20) for text in across], rotation=40, ha="right", rotation_mode="anchor")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        yield axes


def _dot(axes: Any, y: float, estimate: Estimate | Difference, colour: str, marker: str = "o", *, hollow: bool = False) -> None:
    if estimate.value is None:
        return
    if estimate.low is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color=colour, linewidth=1.8, marker="|", markersize=6, solid_capstyle="butt")
    axes.plot([estimate.value], [y], marker, color=colour, markersize=5, markerfacecolor="none" if hollow else colour)


def _around(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Limits of an axis that leave out what no interval reaches."""
    ends = [end for e in estimates for end in (e.low, e.value, e.high) if end is not None] or [0.0, 1.0]
    return max(0.0, math.floor(10 * min(ends) - 0.2) / 10), min(1.0, math.ceil(10 * max(ends) + 0.2) / 10)


def _names(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [short(n, 30) for n in names])
    axes.set_ylim(len(names) - 0.4, -0.6)


def _name_points(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """The name of each point (name, x, y) at the right of the axes, at its height as far as others leave room, and a thin line to it."""
    low, high = axes.get_ylim()
    step = min(0.055, 1 / max(1, len(points) - 1))
    heights = [0.0] * len(points)
    free = 1.0
    for i in sorted(range(len(points)), key=lambda i: -points[i][2]):
        heights[i] = free = min((points[i][2] - low) / (high - low), free)
        free -= step
    floor = 0.0
    for i in sorted(range(len(points)), key=lambda i: heights[i]):  # what was pushed below the axes comes up again
        heights[i] = max(heights[i], floor)
        floor = heights[i] + step
    for i, (name, x, y) in enumerate(points):
        colour = SERIES[i % len(SERIES)]
        axes.annotate(
            short(name, 22), (x, y), (1.04, heights[i]), textcoords="axes fraction", va="center", fontsize=8.5, color=INK,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.8, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
