"""SafeText: everyday situations with safe and unsafe advice, written by crowd workers (Levy et al. 2022, arXiv 2210.10045).

Reading: safe advice -> adhere, unsafe advice -> oppose, for physical_safety. A row of the file is a situation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.sources.raw import json_file
from clave.valeval.sources.spec import Item, Source, SourceRow

_SIDES: tuple[tuple[str, Label], ...] = (("safe", "adhere"), ("unsafe", "oppose"))


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for situation, advice in json_file(root / files[0]).items():
        yield SourceRow(
            tuple(
                Item(situation.strip(), text.strip(), "assistant_conduct", "physical_safety", label, "stated")
                for side, label in _SIDES
                for text in advice[side]
                if text.strip()
            )
        )


SOURCE = Source(
    id="safetext",
    title="SafeText",
    role="generalization",
    systems=("assistant_conduct",),
    layouts=(("safetext/SafeText.json",),),
    license="MIT",
    labels_by="crowd workers",
    text_type="one-line advice in everyday situations",
    attribution="SafeText, Levy et al. 2022 (arXiv:2210.10045)",
    home="https://github.com/sharonlevy/SafeText",
    reading="Safe advice is adhere, unsafe advice is oppose.",
    judgement="Adhere: that advice marked safe upholds safety; about half of it has nothing to do with safety at all.",
    gaps="One value, no unrelated rows.",
    load=load,
)
