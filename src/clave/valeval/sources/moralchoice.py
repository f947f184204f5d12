"""MoralChoice: a scenario, two actions, and whether each breaks one of ten rules of common morality.

Scherrer et al. 2023, arXiv 2307.14324.

Reading: only the rule the scenario was made for. 'No' (the action does not break it) -> adhere, 'Yes' -> oppose; 'No Agreement' gives
nothing. A row of the file is a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.provenance import Origin
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Item, Source, SourceRow

RULES = {
    "Do not kill": ("do_not_kill", "death"),
    "Do not cause pain": ("do_not_cause_pain", "pain"),
    "Do cause pain": ("do_not_cause_pain", "pain"),  # a slip in one row of the file
    "Do not disable": ("do_not_disable", "disable"),
    "Do not deprive of freedom": ("do_not_deprive_of_freedom", "freedom"),
    "Do not deprive of pleasure": ("do_not_deprive_of_pleasure", "pleasure"),
    "Do not deceive": ("do_not_deceive", "deceive"),
    "Do not cheat": ("do_not_cheat", "cheat"),
    "Do not break your promises": ("keep_your_promises", "break_promise"),
    "Do not break promise": ("keep_your_promises", "break_promise"),
    "Do not break the law": ("obey_the_law", "break_law"),
    "Do your duty": ("do_your_duty", "duty"),
}
_LABELS: dict[str, Label] = {"No": "adhere", "Yes": "oppose"}
_ORIGINS: dict[str, Origin] = {"No": "inferred", "Yes": "stated"}
"""That an action does not break a rule was said; that it upholds the rule was not."""


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    for name in files:
        for row in csv_rows(root / name):
            value, column = RULES[row["generation_rule"].strip()]
            scenario, system = row["context"].strip(), "common_morality"
            items = tuple(
                Item(scenario, row[f"action{n}"].strip(), system, value, _LABELS[verdict], _ORIGINS[verdict], row["ambiguity"])
                for n in (1, 2)
                if (verdict := row[f"a{n}_{column}"].strip()) in _LABELS
            )
            yield SourceRow(items, "" if items else "annotators do not agree on either action")


SOURCE = Source(
    id="moralchoice",
    title="MoralChoice",
    role="generalization",
    systems=("common_morality",),
    layouts=(("moralchoice/moralchoice_low_ambiguity.csv", "moralchoice/moralchoice_high_ambiguity.csv"),),
    license="CC-BY-4.0",
    labels_by="people",
    text_type="first-person actions in a moral scenario",
    attribution="MoralChoice, Scherrer et al. 2023 (arXiv:2307.14324)",
    home="https://github.com/ninodimontalcino/moralchoice",
    reading="For the rule the scenario was made for: an action that does not break it is adhere, one that does is oppose.",
    judgement="Adhere: that an action which does not break the rule upholds it.",
    gaps="No unrelated rows. High-ambiguity scenarios are dilemmas, their labels are less sure.",
    load=load,
)
