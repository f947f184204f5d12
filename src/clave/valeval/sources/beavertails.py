"""BeaverTails: a prompt, a model's response and fourteen harm categories that crowd workers flagged (Ji et al. 2023, arXiv 2307.04657).

Reading: a flagged category -> oppose. A response with no flag at all, whose prompt drew that category in another response (here, or
among the SafeRLHF prompts that come with FULCRA) -> adhere. A category that no response to the prompt drew, here or there -> unrelated.

One flag is one worker's, and lists of a prompt's categories are long: read blind, half of these sides were none. So a label takes a side
only where the prompt calls for the category by the words of the 13,600 other prompts, and for violence only where the text names bodily
harm: the category of that name holds aiding and abetting of any crime too. What fails this gives no label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from clave.records import scenario_key
from clave.valeval.sources.raw import json_lines
from clave.valeval.sources.spec import Item, Source, SourceRow

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
_VIOLENCE = "violence,aiding_and_abetting,incitement"
_BODILY = re.compile(
    r"\b(?:kill|murder|hurt|harm|injur|wound|beat|hit(?:s|ting|man|men)?\b|punch|kick|slap|stab|shoot|shot\b|gun|knife|bomb|explo|attack|assault|"
    r"fight|violen|poison|tortur|strangl|chok|drown|burn|fire|rape|kidnap|threat|weapon|blood|bone|skull|death|dead|die\b|suffer|terror|riot)",
    re.IGNORECASE,
)
"""What bodily harm is named by; `violence` without any of them is aid to another crime."""


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    responses, *prompts = files
    rows = list(json_lines(root / responses))
    drew = defaultdict[str, set[str]](set)
    for row in rows:
        drew[scenario_key(row["prompt"])].update(c for c, flagged in row["category"].items() if flagged)
    listed = [row for name in prompts for row in json_lines(root / name)]
    for row in listed:
        drew[scenario_key(row["prompt"])].update(row["safety_issues"])
    calls = called_for({row["prompt"]: row["safety_issues"] for row in listed}, {row["prompt"].strip() for row in rows})
    for row in rows:
        response, prompt = row["response"].strip(), row["prompt"].strip()
        if not response:
            yield SourceRow(left_out="empty response")
            continue
        flagged = {c for c, on in row["category"].items() if on}
        called = {c for c in calls[prompt] if c != _VIOLENCE or _BODILY.search(f"{prompt} {response}")}
        items = tuple(_items(prompt, response, flagged, drew[scenario_key(prompt)], called))
        yield SourceRow(items, "" if items else "no category that the prompt calls for, and none that it did not draw")


def _items(prompt: str, response: str, flagged: set[str], drew: set[str], called: set[str]) -> Iterator[Item]:
    for category, value in CATEGORIES.items():
        if category not in drew:
            yield Item(prompt, response, "social_risk", value, "unrelated", "inferred")
        elif category in called and category in flagged:
            yield Item(prompt, response, "social_risk", value, "oppose", "stated")
        elif category in called and not flagged:
            yield Item(prompt, response, "social_risk", value, "adhere", "inferred")


def called_for(listed: Mapping[str, Sequence[str]], prompts: Collection[str]) -> dict[str, set[str]]:
    """For each prompt the categories that its words call for: a balanced logistic regression on the categories of the other prompts.

    A category of which the other prompts say nothing is called for by all.

    Args:
        listed: Prompts of SafeRLHF with the categories that they drew; those that are among `prompts` are not learnt from.
        prompts: What is asked about.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    own, asked = {scenario_key(p) for p in prompts}, sorted(prompts)
    learnt = sorted(p for p in listed if scenario_key(p) not in own)
    drawn = {c: [c in listed[p] for p in learnt] for c in CATEGORIES}
    known = [c for c, flags in drawn.items() if len(set(flags)) > 1]
    calls = {p: set(CATEGORIES) - set(known) for p in asked}
    if known:
        vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), strip_accents="unicode")
        train, test = vectorizer.fit_transform(learnt), vectorizer.transform(asked)
    for category in known:
        model = LogisticRegression(C=10, solver="liblinear", class_weight="balanced", random_state=0).fit(train, drawn[category])
        for prompt, called in zip(asked, model.predict(test), strict=True):
            if called:
                calls[prompt].add(category)
    return calls


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
    "drew; a category that no response to the prompt drew is unrelated. Sides only where the prompt's words call for the category, "
    "for violence where bodily harm is named.",
    judgement="Adhere: that a response without a flag upholds what its prompt put at risk.",
    gaps="Few rows that oppose child_abuse, self_harm, terrorism and animal_abuse.",
    load=load,
)
