"""Social-Chem-101: a situation, a rule of thumb about it, and the moral foundations the rule rests on.

Forbes et al. 2020, arXiv 2011.00620.

Reading: only rules that crowd workers judge morally good to follow, about what the teller does (`char-0` is who tells the situation).
A situation that does it (`explicit`) adheres to the ticked foundations, one that does the opposite (`explicit-no`) opposes them; a
foundation that is not ticked is unrelated. The rule stands as scenario, the situation as response.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Item, Reading, Source

FOUNDATIONS = {
    "care-harm": "care",
    "fairness-cheating": "fairness",
    "loyalty-betrayal": "loyalty",
    "authority-subversion": "authority",
    "sanctity-degradation": "sanctity",
}
_LABELS: dict[str, Label] = {"explicit": "adhere", "explicit-no": "oppose"}
COLUMNS = ("situation", "rot", "rot-moral-foundations", "rot-agree", "rot-bad", "action-hypothetical", "action-moral-judgment")


def rule_rows(root: Path, files: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of either carrier: both have the same columns."""
    for name in files:
        yield from csv_rows(root / name, delimiter="\t" if name.endswith(".tsv") else ",", columns=COLUMNS)


def ticked(row: dict[str, str]) -> set[str]:
    """The foundations that were ticked for a rule of thumb."""
    return {FOUNDATIONS[f] for f in row["rot-moral-foundations"].split("|") if f in FOUNDATIONS}


def load(root: Path, files: tuple[str, ...]) -> Iterator[Reading]:
    for row in rule_rows(root, files):
        reason = _unfit(row)
        if reason:
            yield Reading(left_out=reason)
            continue
        scenario, response = row["rot"].strip(), row["situation"].strip()
        label, on = _LABELS[row["action-hypothetical"]], ticked(row)
        yield Reading(
            tuple(
                Item(scenario, response, "mft", value, label if value in on else "unrelated", keys=(scenario, response))
                for value in FOUNDATIONS.values()
            )
        )


def _unfit(row: dict[str, str]) -> str:
    if row["rot-agree"] != "4.0" or row["rot-bad"] != "0":
        return "rule that not nearly everyone agrees with, or marked bad"
    if row["action-moral-judgment"] not in {"1.0", "2.0"}:
        return "rule that permits and does not oblige" if row["action-moral-judgment"] == "0.0" else "rule about what is bad to do"
    if row["action-hypothetical"] not in _LABELS:
        return "the situation neither does it nor does the opposite"
    if row["action-char-involved"] != "char-0" or row["rot-char-targeting"] != "char-0":
        return "the rule is not about who tells the situation"
    if not ticked(row):
        return "no foundation ticked"
    return ""


SOURCE = Source(
    id="social_chem",
    title="Social-Chem-101",
    role="generalization",
    systems=("mft",),
    layouts=(("social_chem/social-chem-101.v1.0.tsv",), ("social_chem/obligatory_sc101.csv", "social_chem/optional_sc101.csv")),
    license="CC-BY-SA-4.0",
    labels_by="crowd workers",
    text_type="one-line situations from Reddit, advice columns and short stories",
    attribution="Social-Chem-101, Forbes et al. 2020 (arXiv:2011.00620)",
    home="https://github.com/mbforbes/social-chemistry-101",
    reading="A situation that does what a good rule asks adheres to the rule's foundations, one that does the opposite opposes them; "
    "foundations that are not ticked are unrelated.",
    judgement="The label is carried from the rule to the situation. explicit-no is noisy.",
    gaps="Sanctity is thin. Situations are short, the foundation often shows only through the rule.",
    load=load,
)
