"""What a source of ValEval is: where its files come from, under which licence, and a function that reads rows out of them.

    SOURCE = Source(id="ours", title="Our labels", role="generalization", layouts=(("ours/labels.csv",),), ..., load=load)

    def load(root: Path, files: tuple[str, ...]) -> Iterator[Reading]:
        for row in csv_rows(root / files[0]):
            yield Reading(items=(Item("", row["text"], "mft", "care", "adhere"),))

A loader yields one `Reading` for each row of the raw file, also for those it leaves out, with the reason: so the counts of a source
(read, used, left out and why) can be held against a hand count of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from clave.records import Label

Role = Literal["calibration", "generalization"]
"""`calibration` sources feed calibration, original and perturbation; `generalization` sources only the split of that name."""


class Item(NamedTuple):
    """One labelled text: a raw row may give none, one or several."""

    scenario: str
    response: str
    system: str
    value: str
    label: Label
    agreement: str = ""
    """What the source says of its annotators' agreement on this row, in a word or two; empty where it says nothing."""
    annotations: tuple[str, ...] = ()
    """What each annotator said, one entry each, where the source tells: a label, or `none` for what is read as no label."""
    keys: tuple[str, ...] = ()
    """Texts that make rows near twins when they are nearly equal; by default the scenario, or the response where there is none."""

    @property
    def group_texts(self) -> tuple[str, ...]:
        return self.keys or (self.scenario or self.response,)


class Reading(NamedTuple):
    """One row of a raw file, as read."""

    items: tuple[Item, ...] = ()
    left_out: str = ""
    """Why the row gave no item."""


@dataclass(frozen=True)
class Source:
    """A public data set and how its labels are read."""

    id: str
    title: str
    role: Role
    systems: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...]
    """Sets of files, relative to the folder of raw files; the first set that is there is read. The first is the one that is downloaded."""
    license: str
    """SPDX expression, or the authors' words."""
    labels_by: str
    text_type: str
    attribution: str
    home: str
    """Where a person finds the data set."""
    reading: str
    """How labels are read out of it, for the data card."""
    judgement: str
    """What in the reading is our judgement call; empty where there is none."""
    gaps: str
    """What is missing or thin."""
    load: Callable[[Path, tuple[str, ...]], Iterator[Reading]]

    @property
    def non_commercial(self) -> bool:
        return "-NC" in self.license
