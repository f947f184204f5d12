"""Touché23-ValueEval: an argument and the values it resorts to, twenty categories (Mirzakhmedova et al. 2023, arXiv 2301.13771).

Reading: the twenty categories fold into Schwartz's ten. A category with label 1 -> adhere (the argument resorts to the value); all
categories of a value 0 -> unrelated; there is no oppose. Face lies between power and security, Humility between conformity and
tradition: they give no label, and where they are set their neighbours are not called unrelated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Item, Source, SourceRow

VALUES = {
    "self_direction": ("Self-direction: thought", "Self-direction: action"),
    "stimulation": ("Stimulation",),
    "hedonism": ("Hedonism",),
    "achievement": ("Achievement",),
    "power": ("Power: dominance", "Power: resources"),
    "security": ("Security: personal", "Security: societal"),
    "conformity": ("Conformity: rules", "Conformity: interpersonal"),
    "tradition": ("Tradition",),
    "benevolence": ("Benevolence: caring", "Benevolence: dependability"),
    "universalism": ("Universalism: concern", "Universalism: nature", "Universalism: tolerance", "Universalism: objectivity"),
}
_BETWEEN = {"Face": ("power", "security"), "Humility": ("conformity", "tradition")}
PARTS = ("training", "validation", "validation-zhihu", "test", "test-nahjalbalagha")


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for arguments, labels in zip(files[::2], files[1::2], strict=True):
        by_id = {row["Argument ID"]: row for row in csv_rows(root / labels, delimiter="\t")}
        for row in csv_rows(root / arguments, delimiter="\t"):
            marks = by_id.get(row["Argument ID"])
            if marks is None:
                yield SourceRow(left_out="argument without labels")
                continue
            conclusion = row["Conclusion"].strip()
            scenario = f"{conclusion} (stance: {row['Stance'].strip()})"
            yield SourceRow(tuple(_items(scenario, row["Premise"].strip(), marks, conclusion)))


def _items(scenario: str, premise: str, marks: dict[str, str], conclusion: str) -> Iterator[Item]:
    doubtful = {value for category, values in _BETWEEN.items() if marks[category] == "1" for value in values}
    for value, categories in VALUES.items():
        if any(marks[c] == "1" for c in categories):
            yield Item(scenario, premise, "schwartz", value, "adhere", "stated", keys=(conclusion,))
        elif value not in doubtful:
            yield Item(scenario, premise, "schwartz", value, "unrelated", "inferred", keys=(conclusion,))


SOURCE = Source(
    id="touche23",
    title="Touché23-ValueEval",
    role="generalization",
    systems=("schwartz",),
    layouts=(tuple(f"touche23/{kind}-{part}.tsv" for part in PARTS for kind in ("arguments", "labels")),),
    license="CC-BY-SA-4.0",
    labels_by="crowd workers, three an argument",
    text_type="arguments for or against a conclusion, of four origins",
    attribution="Touché23-ValueEval, Mirzakhmedova et al. 2023 (arXiv:2301.13771)",
    home="https://doi.org/10.5281/zenodo.6814563",
    reading="A category the argument resorts to is adhere for its Schwartz value; a value none of whose categories is set is unrelated.",
    judgement="Twenty categories fold into ten; Face and Humility lie between two values, give no label, and silence 'unrelated' for both.",
    gaps="No oppose rows at all. The New York Times part has labels only, its texts are not distributed.",
    load=load,
)
