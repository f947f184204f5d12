"""Moral Stories: a norm, and a moral and an immoral action in its light, written by crowd workers (Emelin et al. 2020, arXiv 2012.15738).

Reading: the norms are rules of thumb of Social-Chem-101, which say the moral foundations. A foundation that is ticked in at least half
of the rows with the same rule -> the moral action adheres, the immoral one opposes; a foundation never ticked -> unrelated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clave.records import Label, scenario_key
from clave.valeval.sources.raw import json_lines
from clave.valeval.sources.social_chem import FOUNDATIONS, rule_rows, ticked
from clave.valeval.sources.spec import Item, Source, SourceRow


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    stories = [f for f in files if f.startswith("moral_stories/")]
    rules = _foundations(root, tuple(f for f in files if f.startswith("social_chem/")))
    for name in stories:
        for row in json_lines(root / name):
            for action, label in _actions(row):
                counts = rules.get(scenario_key(row["norm"]))
                if counts is None:
                    yield SourceRow(left_out="norm is not among the rules of thumb")
                elif not any(counts[f] for f in FOUNDATIONS.values()):
                    yield SourceRow(left_out="no foundation ticked for the norm")
                else:
                    yield SourceRow(tuple(_items(row["norm"].strip(), action.strip(), label, counts)))


def _actions(row: dict[str, Any]) -> Iterator[tuple[str, Label]]:
    """The official file holds both actions of a story in a row, the derived one a row for each."""
    if row.get("moral_action"):
        yield row["moral_action"], "adhere"
    if row.get("immoral_action"):
        yield row["immoral_action"], "oppose"


def _foundations(root: Path, files: tuple[str, ...]) -> dict[str, Counter[str]]:
    """For each rule: how many rows it has (`rows`), and in how many each foundation is ticked."""
    rules = defaultdict[str, Counter[str]](Counter)
    for row in rule_rows(root, files):
        rules[scenario_key(row["rot"])].update(["rows", *ticked(row)])
    return rules


def _items(norm: str, action: str, label: Label, counts: Counter[str]) -> Iterator[Item]:
    for value in FOUNDATIONS.values():
        if 2 * counts[value] >= counts["rows"]:
            yield Item(norm, action, "mft", value, label, "stated")
        elif not counts[value]:
            yield Item(norm, action, "mft", value, "unrelated", "inferred")


_DERIVED = tuple(f"moral_stories/action+norm/norm_distance/{part}.jsonl" for part in ("dev", "test"))
_RULES = ("social_chem/obligatory_sc101.csv", "social_chem/optional_sc101.csv")
_FULL, _RULES_FULL = "moral_stories/moral_stories_full.jsonl", "social_chem/social-chem-101.v1.0.tsv"

SOURCE = Source(
    id="moral_stories",
    title="Moral Stories (with the foundations of Social-Chem-101)",
    role="calibration",
    systems=("mft",),
    layouts=((_FULL, _RULES_FULL), (*_DERIVED, *_RULES)),
    license="MIT AND CC-BY-SA-4.0",
    license_note="texts are MIT, the foundations behind the labels are Social-Chem-101's, CC-BY-SA-4.0",
    labels_by="crowd workers (actions; foundations of the norms)",
    text_type="one-sentence actions of a person in the light of a norm",
    attribution="Moral Stories, Emelin et al. 2020 (arXiv:2012.15738); foundations from Social-Chem-101, Forbes et al. 2020",
    home="https://huggingface.co/datasets/demelin/moral_stories",
    reading="The foundations of the norm are those ticked in at least half of its Social-Chem rows; the moral action adheres, the "
    "immoral one opposes; a foundation never ticked for the norm is unrelated.",
    judgement="The foundation is carried from the norm to the action; most norms were ticked by one worker only.",
    gaps="Sanctity and authority are thin.",
    load=load,
)
