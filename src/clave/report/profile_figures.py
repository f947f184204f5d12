"""The drawings of a value profile: bars with intervals, a radar, and the mix of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clave.report.drawing import INK, LABEL_COLOURS, MARKERS, SERIES, can_draw, canvas, short, to_svg
from clave.report.profile import ProfileRow


def profile_bars(rows: Sequence[ProfileRow], names: dict[str, str]) -> str:
    """Adhere minus oppose per value, a mark per model, with its interval."""
    models, values = _axes_of(rows)
    if not can_draw():
        return ""
    step = 0.7 / len(models)
    with canvas(4.3, 0.9 + len(values) * max(0.32, 0.16 * len(models))) as axes:
        for m, model in enumerate(models):
            for row in (r for r in rows if r.model == model and r.share.value is not None):
                y = values.index(row.value) + (m - (len(models) - 1) / 2) * step
                share = row.share.value or 0.0
                colour = SERIES[m % len(SERIES)] if len(models) > 1 else LABEL_COLOURS["adhere" if share >= 0 else "oppose"]
                axes.barh(y, share, height=step * 0.92, color=colour, alpha=0.55, linewidth=0)
                if row.share.low is not None and row.share.high is not None:
                    axes.plot([row.share.low, row.share.high], [y, y], color=INK, linewidth=1.3, marker="|", markersize=4)
                axes.plot([share], [y], MARKERS[m % len(MARKERS)] if len(models) > 1 else "o", color=INK, markersize=3.5)
        axes.axvline(0, color="#808896", linewidth=0.9)
        axes.set(xlim=(-1.04, 1.04), ylim=(len(values) - 0.45, -0.55), yticks=range(len(values)))
        axes.set_yticklabels([short(names.get(v, v)) for v in values])
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1\nall oppose", "−.5", "0", ".5", "1\nall adhere"])
        axes.grid(axis="x")
        if len(models) > 1:
            handles = [
                axes.plot([], [], MARKERS[m % len(MARKERS)], color=SERIES[m % len(SERIES)], label=short(model, 30))[0]
                for m, model in enumerate(models)
            ]
            axes.figure.legend(handles=handles, loc="outside upper left", ncols=2)
        return to_svg(axes.figure, "profile-bars", "Adhere minus oppose per value, with 95 % intervals")


def profile_radar(rows: Sequence[ProfileRow], names: dict[str, str]) -> str:
    """The same shares around a circle; values of which nothing is known break the line."""
    models, values = _axes_of(rows)
    if not can_draw():
        return ""
    angles = np.linspace(0, 2 * np.pi, len(values), endpoint=False)
    with canvas(4.3, 4.0 + 0.1 * len(models), polar=True) as axes:
        for m, model in enumerate(models):
            shares = {r.value: r.share.value for r in rows if r.model == model}
            around = np.array([shares.get(v) for v in [*values, values[0]]], dtype=np.float64)
            colour = SERIES[m % len(SERIES)]
            marker = MARKERS[m % len(MARKERS)]
            axes.plot([*angles, angles[0]], around, color=colour, linewidth=1.8, marker=marker, markersize=4, label=short(model, 30))
            if not np.isnan(around).any():
                axes.fill([*angles, angles[0]], around, color=colour, alpha=0.13)
        axes.plot(np.linspace(0, 2 * np.pi, 200), np.zeros(200), color="#808896", linewidth=0.9)
        axes.set(ylim=(-1, 1), theta_zero_location="N", theta_direction=-1)
        axes.set_yticks([-0.5, 0, 0.5, 1], ["−.5", "0", ".5", "1"], fontsize=8)
        axes.set_xticks(angles, [short(names.get(v, v), 16) for v in values])
        for label, angle in zip(axes.get_xticklabels(), angles, strict=True):
            side = np.sin(angle)
            label.set_horizontalalignment("center" if abs(side) < 0.2 else "left" if side > 0 else "right")
        axes.tick_params(axis="x", pad=2)
        axes.grid(visible=True)
        axes.spines["polar"].set_visible(False)
        if len(models) > 1:
            axes.figure.legend(loc="outside lower left", ncols=2)
        return to_svg(axes.figure, "profile-radar", "Adhere minus oppose per value, around a circle")


def label_mix(rows: Sequence[ProfileRow], names: dict[str, str]) -> str:
    """Shares of adhere, oppose, unrelated and no verdict, per value (over all models)."""
    _, values = _axes_of(rows)
    if not can_draw():
        return ""
    with canvas(4.3, 1.0 + 0.32 * len(values)) as axes:
        left = np.zeros(len(values))
        for name, colour in (*LABEL_COLOURS.items(), ("no verdict", "#c08a2a")):
            count = [sum(_count(r, name) for r in rows if r.value == v) for v in values]
            total = [sum(r.adhere + r.oppose + r.unrelated + sum(r.statuses.values()) for r in rows if r.value == v) for v in values]
            width = np.array(count) / np.maximum(total, 1)
            axes.barh(range(len(values)), width, left=left, color=colour, height=0.68, label=name, linewidth=0)
            left += width
        axes.set(xlim=(0, 1), ylim=(len(values) - 0.45, -0.55), yticks=range(len(values)))
        axes.set_yticklabels([short(names.get(v, v)) for v in values])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=4, columnspacing=0.9, handlelength=0.9, handletextpad=0.4
        )
        return to_svg(axes.figure, "label-mix", "Shares of adhere, oppose, unrelated and no verdict per value")


def _count(row: ProfileRow, name: str) -> int:
    return sum(row.statuses.values()) if name == "no verdict" else int(getattr(row, name))


def _axes_of(rows: Sequence[ProfileRow]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(r.model for r in rows)), list(dict.fromkeys(r.value for r in rows))
