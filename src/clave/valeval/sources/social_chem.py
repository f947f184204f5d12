"""Social-Chem-101: a situation, rules of thumb that people hold against it, and the moral foundations each rule rests on.

Forbes et al. 2020, arXiv 2011.00620.

Reading: the situation stands as scenario, a rule about it as response. A foundation that the worker ticked for the rule -> adhere (the rule
speaks from it); one that is not ticked -> unrelated. Whether the situation itself keeps the rule is not read: its foundation was ticked for
the rule, and a blind reading accepted few labels that were carried over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from clave.records import Label, scenario_key
from clave.valeval.provenance import Origin
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Annotated, Item, Source, SourceRow

FOUNDATIONS = {
    "care-harm": "care",
    "fairness-cheating": "fairness",
    "loyalty-betrayal": "loyalty",
    "authority-subversion": "authority",
    "sanctity-degradation": "sanctity",
}
_READ: dict[bool, tuple[Label, Origin]] = {True: ("adhere", "stated"), False: ("unrelated", "inferred")}
COLUMNS = ("situation", "rot", "breakdown-worker-id", "rot-moral-foundations", "rot-agree", "rot-bad", "rot-categorization")


def rule_rows(root: Path, files: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of either carrier: both have the same columns."""
    for name in files:
        yield from csv_rows(root / name, delimiter="\t" if name.endswith(".tsv") else ",", columns=COLUMNS)


def ticked(row: dict[str, str]) -> set[str]:
    """The foundations that were ticked for a rule of thumb."""
    return {FOUNDATIONS[f] for f in row["rot-moral-foundations"].split("|") if f in FOUNDATIONS}


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for row in rule_rows(root, files):
        reason = _unfit(row)
        if reason:
            yield SourceRow(left_out=reason)
            continue
        scenario, response, on = row["situation"].strip(), row["rot"].strip(), ticked(row)
        yield SourceRow(
            tuple(Item(scenario, response, "mft", value, *_READ[value in on], keys=(scenario, response)) for value in FOUNDATIONS.values())
        )


def annotated(root: Path, files: tuple[str, ...]) -> Iterator[Annotated]:
    """For each foundation, what each worker ticked of rules in the same words, which several wrote or were shown."""
    said = defaultdict[str, dict[str, set[str]]](dict)
    for row in rule_rows(root, files):
        said[scenario_key(row["rot"])].setdefault(row["breakdown-worker-id"], ticked(row))
    for rule, own in said.items():
        if len(own) > 1:
            for value in FOUNDATIONS.values():
                yield Annotated(rule, tuple("ticked" if value in on else "not ticked" for on in own.values()))


def _unfit(row: dict[str, str]) -> str:
    if row["rot-agree"] != "4.0" or row["rot-bad"] != "0":
        return "rule that not nearly everyone agrees with, or marked bad"
    if "morality-ethics" not in row["rot-categorization"].split("|"):
        return "rule of manners, advice or description"
    if not ticked(row):
        return "no foundation ticked"
    return ""


SOURCE = Source(
    id="social_chem",
    title="Social-Chem-101",
    role="related",
    systems=("mft",),
    layouts=(("social_chem/social-chem-101.v1.0.tsv",), ("social_chem/obligatory_sc101.csv", "social_chem/optional_sc101.csv")),
    license="CC-BY-SA-4.0",
    labels_by="crowd workers",
    text_type="one-sentence judgements of everyday situations",
    attribution="Social-Chem-101, Forbes et al. 2020 (arXiv:2011.00620)",
    home="https://github.com/mbforbes/social-chemistry-101",
    reading="A foundation ticked for a rule of thumb is adhere, one that is not is unrelated.",
    judgement="That a rule speaks from its foundation; that a foundation which was not ticked is not touched. One worker a rule.",
    gaps="No oppose rows. The same workers' ticks made the labels of Moral Stories: it stands in a split of its own.",
    load=load,
    annotated=annotated,
    annotated_of="which foundations a rule of thumb rests on, of rules in the same words; Moral Stories' foundations are these ticks",
)
