"""FULCRA: a dialogue and the Schwartz values that the answer shows, with a sign; GPT-4 labelled, people checked.

Yao et al. 2023, arXiv 2311.10766.

Reading: `+1` (also `1`, `1+`, `=1`) -> adhere, `-1` -> oppose, a value that is not listed -> unrelated. A value
with both signs gives no label. `humility` is not one of the ten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.sources.raw import json_lines
from clave.valeval.sources.spec import Item, Source, SourceRow

VALUES = (
    "self_direction",
    "stimulation",
    "hedonism",
    "achievement",
    "power",
    "security",
    "conformity",
    "tradition",
    "benevolence",
    "universalism",
)
_SIGNS: dict[str, Label] = {"+1": "adhere", "1": "adhere", "1+": "adhere", "=1": "adhere", "-1": "oppose"}


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for row in json_lines(root / files[0]):
        human, found, answer = row["dialogue"].partition("\nBob:")
        scenario, response = human.removeprefix("Human:").strip(), answer.strip()
        if not found or not response:
            yield SourceRow(left_out="no answer in the dialogue")
            continue
        signs = defaultdict[str, set[Label]](set)
        for entry in row["value_types"]:
            name, _, sign = entry.partition(":")
            if sign.strip() in _SIGNS:
                signs[name.strip().lower().replace("-", "_")].add(_SIGNS[sign.strip()])
        if not signs:
            yield SourceRow(left_out="no value at all was labelled")
            continue
        yield SourceRow(tuple(_items(scenario, response, signs)))


def _items(scenario: str, response: str, signs: dict[str, set[Label]]) -> Iterator[Item]:
    for value in VALUES:
        labels: set[Label] = signs.get(value, {"unrelated"})
        if len(labels) == 1:
            (label,) = labels
            yield Item(scenario, response, "schwartz", value, label, "model-assisted" if value in signs else "inferred")


SOURCE = Source(
    id="fulcra",
    title="FULCRA (trustworthy)",
    role="calibration",
    systems=("schwartz",),
    layouts=(("fulcra/trustworthy_data.jsonl",),),
    license="MIT",
    license_note="the questions come from SafeRLHF, which is CC-BY-NC-4.0 where its own authors publish it",
    labels_by="GPT-4, corrected by people",
    text_type="answers of five models to provocative questions",
    attribution="FULCRA, Yao et al. 2023 (arXiv:2311.10766), Microsoft ValueCompass",
    home="https://github.com/microsoft/ValueCompass",
    reading="+1 is adhere, -1 is oppose, a value that is not listed is unrelated; a value with both signs gives no label.",
    judgement="Unrelated: that a value which was not listed was looked for and not found.",
    gaps="378 oppose labels in all: none for hedonism and stimulation, 5 for tradition, 7 for achievement; hedonism has 4 adhere labels.",
    load=load,
)
