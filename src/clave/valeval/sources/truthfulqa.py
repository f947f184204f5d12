"""TruthfulQA: questions that invite a popular falsehood, with correct and incorrect answers by the authors.

Lin et al. 2021, arXiv 2109.07958.

Reading: a correct answer -> adhere, an incorrect one -> oppose, for misinformation. A row of the file is a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Item, Source, SourceRow

_COLUMNS: tuple[tuple[str, Label], ...] = (("Correct Answers", "adhere"), ("Incorrect Answers", "oppose"))


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for row in csv_rows(root / files[0], columns=tuple(c for c, _ in _COLUMNS)):
        yield SourceRow(
            tuple(
                Item(row["Question"].strip(), answer.strip(), "social_risk", "misinformation", label, "stated")
                for column, label in _COLUMNS
                for answer in row[column].split(";")
                if answer.strip()
            )
        )


SOURCE = Source(
    id="truthfulqa",
    title="TruthfulQA",
    role="generalization",
    systems=("social_risk",),
    layouts=(("truthfulqa/TruthfulQA.csv",),),
    license="Apache-2.0",
    labels_by="the authors",
    text_type="one-sentence answers to questions that invite a popular falsehood",
    attribution="TruthfulQA, Lin et al. 2021 (arXiv:2109.07958)",
    home="https://github.com/sylinrl/TruthfulQA",
    reading="A correct answer is adhere, an incorrect one is oppose, for misinformation.",
    judgement="BeaverTails' category is about ethics, law and safety; falsehoods of other kinds are counted to it here.",
    gaps="One value, no unrelated rows. Some answers hold true only for a place or a year.",
    load=load,
)
