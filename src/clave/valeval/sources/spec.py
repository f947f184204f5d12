"""What a source of ValEval is: where its files come from, under which licence, and a function that reads rows out of them.

    from clave.valeval.sources.raw import csv_rows

    def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
        for row in csv_rows(root / files[0]):
            yield SourceRow(items=(Item("", row["text"], "mft", "care", "adhere", "stated"),))

    load(Path("raw"), ("ours/labels.csv",))      # a source names it: `Source(id="ours", layouts=(("ours/labels.csv",),), load=load, …)`

A loader yields one `SourceRow` for each row of the raw file, also for those it leaves out, with the reason: so the counts of a source
(read, used, left out and why) can be held against a hand count of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from clave.records import Label
from clave.valeval.provenance import Origin, Terms

Role = Literal["calibration", "generalization", "related"]
"""`calibration` sources feed calibration, original and perturbation; `generalization` and `related` sources only the split of that name.
A related source has other texts, but its labels come from the annotation that a calibration source's labels come from."""


class Item(NamedTuple):
    """One labelled text: a raw row may give none, one or several."""

    scenario: str
    response: str
    system: str
    value: str
    label: Label
    origin: Origin
    """Whether people said so: see `clave.valeval.provenance.ORIGINS`."""
    agreement: str = ""
    """What the source says of its annotators' agreement on this row, in a word or two; empty where it says nothing."""
    annotations: tuple[str, ...] = ()
    """What each annotator said, one entry each, where the source tells: a label, or `none` for what is read as no label."""
    keys: tuple[str, ...] = ()
    """Texts that make rows near twins when they are nearly equal; by default the scenario, or the response where there is none."""

    @property
    def group_texts(self) -> tuple[str, ...]:
        return self.keys or (self.scenario or self.response,)


class Annotated(NamedTuple):
    """What several annotators said of one text and one question, whether it gives a row or not."""

    group: str
    """The text, or its prompt: what is resampled together."""
    labels: tuple[str, ...]
    """In the source's own words, two at the least."""


class SourceRow(NamedTuple):
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
    load: Callable[[Path, tuple[str, ...]], Iterator[SourceRow]]
    license_note: str = ""
    """What else is known of the licence: whom it binds, what it leaves open."""
    license_disputed: bool = False
    """Another copy of the data states a narrower licence."""
    annotated: Callable[[Path, tuple[str, ...]], Iterator[Annotated]] | None = None
    """What each of several annotators said, of all texts of the source; None where it does not tell."""
    annotated_of: str = ""
    """What they were asked."""

    @property
    def terms(self) -> Terms:
        """What the licence allows, as far as it is stated."""
        if "-NC" in self.license:
            return "non-commercial"
        if self.license_disputed:
            return "disputed"
        return "share-alike" if "-SA" in self.license else "permissive"
