"""Counts of a built data set as tables for the terminal, and a figure of labels per value and split.

from clave.valeval.check import read_manifest

for table in tables(read_manifest(Path("valeval"))): print(table.title)
figure(read_manifest(Path("valeval")), Path("stats.svg"))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from clave.errors import require
from clave.records import LABELS, Label
from clave.valeval.row import SPLITS

_SHOWN = tuple(s for s in SPLITS if s != "calibration_random")
_COLOURS: dict[Label, str] = {"adhere": "#3b7dd8", "oppose": "#d8603b", "unrelated": "#b8b8b8"}


def tables(manifest: Mapping[str, Any]) -> list[Table]:
    """By value, by source, and what was read and left out."""
    return [_values(manifest), _sources(manifest), _readings(manifest)]


def _values(manifest: Mapping[str, Any]) -> Table:
    table = Table("system", "value", *_SHOWN, title="Rows as adhere / oppose / unrelated")
    counts = counts_by_value(manifest)
    for system, value in sorted({key[:2] for key in counts}):
        table.add_row(
            system, value, *(" / ".join(str(counts.get((system, value, s), Counter())[label]) for label in LABELS) for s in _SHOWN)
        )
    total = Counter[str]()
    for (_, _, split), cell in counts.items():
        total[split] += cell.total()
    table.add_row("all", "", *(str(total[s]) for s in _SHOWN))
    return table


def counts_by_value(manifest: Mapping[str, Any]) -> dict[tuple[str, str, str], Counter[str]]:
    """Rows by label, for each system, value and split."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for c in manifest["cells"]:
        counts.setdefault((c["system"], c["value"], c["split"]), Counter())[c["label"]] += c["rows"]
    return counts


def _sources(manifest: Mapping[str, Any]) -> Table:
    table = Table("source", "licence", *SPLITS, title="Rows by source")
    counts = Counter[tuple[str, str]]()
    for c in manifest["cells"]:
        counts[c["source"], c["split"]] += c["rows"]
    for name, source in sorted(manifest["sources"].items()):
        table.add_row(name, source["license"], *(str(counts[name, s]) for s in SPLITS))
    return table


def _readings(manifest: Mapping[str, Any]) -> Table:
    table = Table("source", "rows read", "gave labels", "left out", "labels read", "not used", title="From raw rows to labels")
    for name, c in sorted(manifest["sources"].items()):
        numbers = (c["read"], c["used"], sum(c["left_out"].values()), c["items"], sum(c["dropped"].values()))
        table.add_row(name, *(f"{n:,}" for n in numbers))
    return table


def figure(manifest: Mapping[str, Any], path: Path) -> None:
    """A bar for each value, a panel for each split, coloured by label.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", "report")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    counts = counts_by_value(manifest)
    values = sorted({key[:2] for key in counts}, reverse=True)
    fig, axes = pyplot.subplots(1, len(_SHOWN), figsize=(14, 0.2 * len(values) + 1.5), sharey=True, layout="constrained")
    for ax, split in zip(axes, _SHOWN, strict=True):
        left = [0] * len(values)
        for label in LABELS:
            widths = [counts.get((*v, split), Counter())[label] for v in values]
            ax.barh([f"{system}.{value}" for system, value in values], widths, left=left, color=_COLOURS[label], label=label)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        ax.set_title(f"{split} ({sum(left):,})", fontsize=9)
        ax.tick_params(labelsize=7)
    axes[0].legend(fontsize=7, loc="lower right")
    with matplotlib.rc_context({"svg.hashsalt": "valeval"}):
        fig.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(fig)
