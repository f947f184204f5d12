"""The pool: every labelled text of every source, each once, with its id and its group of near twins.

pool, counts = fill_pool(sources, layouts, Path("raw"), vectors_of)
counts["fulcra"].read, counts["fulcra"].left_out
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clave.errors import InputError
from clave.records import LABELS, scenario_key
from clave.valeval.diversity import Vectors
from clave.valeval.neardup import group_texts, similar_pairs
from clave.valeval.row import ValEvalRow, row_id
from clave.valeval.sources.spec import Item, Source


@dataclass
class SourceCounts:
    """What became of the rows of a raw file, and of the items read out of them."""

    read: int = 0
    used: int = 0
    """Raw rows that gave at least one item."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Raw rows that gave none, by reason."""
    items: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Items that were not taken into the pool or not into a split, by reason."""

    def as_dict(self) -> dict[str, object]:
        left_out, dropped = dict(sorted(self.left_out.items())), dict(sorted(self.dropped.items()))
        return {"read": self.read, "used": self.used, "left_out": left_out, "items": self.items, "dropped": dropped}


def fill_pool(
    sources: Sequence[Source], layouts: Mapping[str, tuple[str, ...]], raw_dir: Path, vectors_of: Callable[[list[str]], Vectors]
) -> tuple[list[ValEvalRow], dict[str, SourceCounts]]:
    """Read all sources into rows whose split is not decided yet.

    The same text with the same value is kept once; with two different labels it is dropped, from whichever source it came. Scenarios of
    the calibration sources are compared by embedding too: between calibration and original a rewording is a leak.
    """
    counts = {s.id: SourceCounts() for s in sources}
    found: dict[str, tuple[Source, Item]] = {}
    labels = defaultdict[str, set[str]](set)
    for source in sources:
        tally = counts[source.id]
        for reading in source.load(raw_dir, layouts[source.id]):
            tally.read += 1
            tally.used += bool(reading.items)
            if not reading.items:
                tally.left_out[reading.left_out or "no label"] += 1
            for item in reading.items:
                _check(source, item)
                tally.items += 1
                key = f"{item.system}\0{item.value}\0{scenario_key(item.scenario)}\0{scenario_key(item.response)}"
                labels[key].add(item.label)
                if key in found:
                    tally.dropped["said already"] += 1
                else:
                    found[key] = (source, item)
    kept = []
    for key, (source, item) in found.items():
        if len(labels[key]) > 1:
            counts[source.id].dropped["same text and value with another label"] += 1
        else:
            kept.append((source, item))
    asked = sorted({t for source, item in kept if source.role == "calibration" for t in item.group_texts})
    vectors = vectors_of(asked)
    pairs = similar_pairs(asked, np.array([vectors[t] for t in asked])) if asked else []
    groups = group_texts([item.group_texts for _, item in kept], pairs)
    return [_row(source, item, group) for (source, item), group in zip(kept, _group_ids(kept, groups), strict=True)], counts


def _check(source: Source, item: Item) -> None:
    if item.label not in LABELS or not item.response.strip():
        found = f"label {item.label!r} and {len(item.response)} characters of text"
        raise InputError(f"source {source.id}: an item for {item.value} has {found}: it needs one of {', '.join(LABELS)}, and a text")


def _group_ids(kept: Sequence[tuple[Source, Item]], groups: Sequence[int]) -> list[str]:
    """A group is named after the least of its texts' keys, so that its name does not hang on the order of the sources."""
    names: dict[int, str] = {}
    for (_, item), group in zip(kept, groups, strict=True):
        name = min(scenario_key(t) for t in item.group_texts)
        names[group] = min(names.get(group, name), name)
    return [names[g] for g in groups]


def _row(source: Source, item: Item, group: str) -> ValEvalRow:
    return ValEvalRow(
        id=row_id(source.id, item.system, item.value, item.scenario, item.response),
        system=item.system,
        value=item.value,
        split="",
        scenario=item.scenario,
        response=item.response,
        label=item.label,
        label_origin=item.origin,
        source=source.id,
        license=source.license,
        group=group,
        agreement=item.agreement,
        annotations=item.annotations,
    )
