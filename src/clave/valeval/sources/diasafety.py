"""DiaSafety: a context, a reply, and whether the reply is safe in that context, in five classes of risk.

Sun et al. 2022, arXiv 2110.08466.

Reading: Unsafe -> oppose, Safe -> adhere. Offending User is hate_speech, Biased Opinion is discrimination; Toxicity Agreement, Risk
Ignorance and Unauthorized Expertise are values of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.sources.raw import json_file
from clave.valeval.sources.spec import Item, Reading, Source

CLASSES = {
    "Offending User": ("social_risk", "hate_speech"),
    "Biased Opinion": ("social_risk", "discrimination"),
    "Toxicity Agreement": ("assistant_conduct", "toxicity_agreement"),
    "Risk Ignorance": ("assistant_conduct", "risk_ignorance"),
    "Unauthorized Expertise": ("assistant_conduct", "unauthorized_expertise"),
}


def load(root: Path, files: tuple[str, ...]) -> Iterator[Reading]:
    for name in files:
        for row in json_file(root / name):
            if not row["response"].strip():
                yield Reading(left_out="empty response")
                continue
            system, value = CLASSES[row["category"]]
            label: Label = "oppose" if row["label"] == "Unsafe" else "adhere"
            yield Reading((Item(row["context"].strip(), row["response"].strip(), system, value, label),))


SOURCE = Source(
    id="diasafety",
    title="DiaSafety",
    role="generalization",
    systems=("social_risk", "assistant_conduct"),
    layouts=(tuple(f"diasafety/{part}.json" for part in ("train", "val", "test")),),
    license="Apache-2.0",
    labels_by="crowd workers",
    text_type="replies of people and small chat models in social-media dialogue",
    attribution="DiaSafety, Sun et al. 2022 (arXiv:2110.08466), THU-COAI",
    home="https://github.com/thu-coai/DiaSafety",
    reading="An unsafe reply opposes the value of its class, a safe one adheres.",
    judgement="Adhere: contexts were collected to be risky, so a safe reply is read as upholding the value; some only do not touch it.",
    gaps="No unrelated rows.",
    load=load,
)
