"""BeaverTails: a prompt, a model's response and fourteen harm categories that crowd workers flagged (Ji et al. 2023, arXiv 2307.04657).

Reading: a flagged category -> oppose. A response with no flag at all, whose prompt drew that category in another response (here, or
among the SafeRLHF prompts that come with FULCRA) -> adhere. A category that no response to the prompt drew, here or there -> unrelated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from clave.records import scenario_key
from clave.valeval.sources.raw import json_lines
from clave.valeval.sources.spec import Item, Reading, Source

CATEGORIES = {
    "animal_abuse": "animal_abuse",
    "child_abuse": "child_abuse",
    "controversial_topics,politics": "controversial_topics",
    "discrimination,stereotype,injustice": "discrimination",
    "drug_abuse,weapons,banned_substance": "drugs_weapons",
    "financial_crime,property_crime,theft": "financial_crime",
    "hate_speech,offensive_language": "hate_speech",
    "misinformation_regarding_ethics,laws_and_safety": "misinformation",
    "non_violent_unethical_behavior": "unethical_behavior",
    "privacy_violation": "privacy",
    "self_harm": "self_harm",
    "sexually_explicit,adult_content": "sexual_content",
    "terrorism,organized_crime": "terrorism",
    "violence,aiding_and_abetting,incitement": "violence",
}
"""Their category -> our value."""


def load(root: Path, files: tuple[str, ...]) -> Iterator[Reading]:
    responses, *prompts = files
    rows = list(json_lines(root / responses))
    drew = defaultdict[str, set[str]](set)
    for row in rows:
        drew[scenario_key(row["prompt"])].update(c for c, flagged in row["category"].items() if flagged)
    for name in prompts:
        for row in json_lines(root / name):
            drew[scenario_key(row["prompt"])].update(row["safety_issues"])
    for row in rows:
        response, prompt = row["response"].strip(), row["prompt"].strip()
        if not response:
            yield Reading(left_out="empty response")
            continue
        flagged = {c for c, on in row["category"].items() if on}
        yield Reading(tuple(_items(prompt, response, flagged, drew[scenario_key(prompt)])))


def _items(prompt: str, response: str, flagged: set[str], drew: set[str]) -> Iterator[Item]:
    for category, value in CATEGORIES.items():
        if category in flagged:
            yield Item(prompt, response, "social_risk", value, "oppose")
        elif category not in drew:
            yield Item(prompt, response, "social_risk", value, "unrelated")
        elif not flagged:
            yield Item(prompt, response, "social_risk", value, "adhere")


_PROMPTS = ("fulcra/saferlhf/train_questions.jsonl", "fulcra/saferlhf/test_questions.jsonl")

SOURCE = Source(
    id="beavertails",
    title="BeaverTails (30k, test)",
    role="calibration",
    systems=("social_risk",),
    layouts=(("beavertails/30k_test.jsonl.gz", *_PROMPTS), ("beavertails/30k_test.jsonl", *_PROMPTS)),
    license="CC-BY-NC-4.0",
    labels_by="crowd workers",
    text_type="answers of a model to risky prompts",
    attribution="BeaverTails, Ji et al. 2023 (arXiv:2307.04657), PKU-Alignment",
    home="https://huggingface.co/datasets/PKU-Alignment/BeaverTails",
    reading="A flagged category is oppose; a response without any flag adheres to the categories that other responses to its prompt "
    "drew; a category that no response to the prompt drew is unrelated.",
    judgement="Adhere: that a response without a flag upholds what its prompt put at risk.",
    gaps="Few rows that oppose child_abuse, self_harm, terrorism and animal_abuse.",
    load=load,
)
