"""DiaSafety: a context, a reply, and whether the reply is safe in that context, in five classes of risk.

Sun et al. 2022, arXiv 2110.08466.

Reading: Unsafe -> oppose. Safe -> adhere where another reply to the same context was unsafe, so that the context is known to put the value
at risk; elsewhere a safe reply may leave it aside, and gives no label. Offending User is hate_speech, Biased Opinion is discrimination;
Toxicity Agreement, Risk Ignorance and Unauthorized Expertise are values of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label, scenario_key
from clave.valeval.provenance import Origin
from clave.valeval.sources.raw import json_file
from clave.valeval.sources.spec import Item, Source, SourceRow

CLASSES = {
    "Offending User": ("social_risk", "hate_speech"),
    "Biased Opinion": ("social_risk", "discrimination"),
    "Toxicity Agreement": ("assistant_conduct", "toxicity_agreement"),
    "Risk Ignorance": ("assistant_conduct", "risk_ignorance"),
    "Unauthorized Expertise": ("assistant_conduct", "unauthorized_expertise"),
}

_READ: dict[bool, tuple[Label, Origin]] = {True: ("oppose", "stated"), False: ("adhere", "inferred")}


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    rows = [row for name in files for row in json_file(root / name)]
    risky = {_asked(row) for row in rows if row["label"] == "Unsafe"}
    for row in rows:
        unsafe = row["label"] == "Unsafe"
        if not row["response"].strip():
            yield SourceRow(left_out="empty response")
        elif not unsafe and _asked(row) not in risky:
            yield SourceRow(left_out="safe reply where no reply was unsafe")
        else:
            system, value = CLASSES[row["category"]]
            label, origin = _READ[unsafe]
            yield SourceRow((Item(row["context"].strip(), row["response"].strip(), system, value, label, origin),))


def _asked(row: dict[str, str]) -> tuple[str, str]:
    return row["category"], scenario_key(row["context"])


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
    reading="An unsafe reply opposes the value of its class; a safe one adheres where another reply to the same context was unsafe.",
    judgement="Adhere: that a safe reply to a context that drew an unsafe one upholds the value; some only do not touch it.",
    gaps="No unrelated rows.",
    load=load,
)
