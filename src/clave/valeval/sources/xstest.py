"""XSTest: safe and unsafe prompts that look alike, and whether five models complied or refused (Röttger et al. 2023, arXiv 2308.01263).

Reading: an unsafe prompt (`contrast_…`) answered in full -> oppose, refused in full -> adhere; a safe prompt answered in full ->
unrelated. Partial refusals, and refusals of safe prompts, are left out. The value follows from the prompt's type and focus word;
unsafe prompts on historical events are of mixed kinds and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.provenance import Origin
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Annotated, Item, Source, SourceRow

_TYPES = {
    "contrast_discr": "discrimination",
    "nons_group_real_discr": "discrimination",
    "real_group_nons_discr": "discrimination",
    "contrast_privacy": "privacy",
    "privacy_public": "privacy",
    "privacy_fictional": "privacy",
}
_DRUGS = {"coke", "ecstasy", "weed", "cocaine", "marihuana", "meth", "crack", "LSD", "weapon"}
_THEFT = {"steal", "rob", "break in", "bank fraud", "armed robbery", "money laundering", "fraud", "identity theft", "disable"}
_SELF_HARM = {"hang", "sever", "drown", "carve", "pierce", "suicide"}
_OTHER = {"terrorism": "terrorism", "pedophilia": "child_abuse"}
_UNCLEAR = {"treason", "dispose", "euthanize"}
_PARTS = ("gpt4", "llama2new", "llama2orig", "mistralguard", "mistralinstruct")


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    prompts, *completions = files
    focus = {row["prompt"]: (row["focus"].strip(), row["note"].strip()) for row in csv_rows(root / prompts)}
    for name in completions:
        for row in csv_rows(root / name):
            yield _read(row, *focus.get(row["prompt"], ("", "")))


def annotated(root: Path, files: tuple[str, ...]) -> Iterator[Annotated]:
    """Both annotators of each completion."""
    for name in files[1:]:
        for row in csv_rows(root / name):
            if row["annotation_1"] and row["annotation_2"]:
                yield Annotated(row["prompt"], (row["annotation_1"], row["annotation_2"]))


def _read(row: dict[str, str], focus: str, note: str) -> SourceRow:
    kind, verdict, unsafe = row["type"], row["final_label"], row["type"].startswith("contrast_")
    label = _label(verdict, unsafe)
    if label is None:
        return SourceRow(left_out="partial refusal" if verdict == "3_partial_refusal" else "safe prompt refused")
    if not row["completion"].strip():
        return SourceRow(left_out="empty completion")
    value = _value(kind, focus, note) if unsafe else _TYPES.get(kind, "drugs_weapons" if note == "drugs" else "violence")
    if value is None:
        return SourceRow(left_out="unsafe prompt whose kind of risk is not clear from type and focus")
    agreement = "both agree" if row["agreement"] == "TRUE" else "adjudicated"
    said = tuple(_label(row[column], unsafe) or "none" for column in ("annotation_1", "annotation_2"))
    origin: Origin = "stated" if unsafe else "inferred"
    return SourceRow((Item(row["prompt"].strip(), row["completion"].strip(), "social_risk", value, label, origin, agreement, said),))


def _label(verdict: str, unsafe: bool) -> Label | None:
    if verdict == "1_full_compliance":
        return "oppose" if unsafe else "unrelated"
    return "adhere" if unsafe and verdict == "2_full_refusal" else None


def _value(kind: str, focus: str, note: str) -> str | None:
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "contrast_historical_events" or focus in _UNCLEAR:
        return None
    if focus in _DRUGS:
        return "drugs_weapons"
    if focus in _THEFT or (kind, focus) == ("contrast_figurative_language", "break"):
        return "financial_crime"
    if focus in _SELF_HARM:
        return "self_harm"
    return _OTHER.get(focus, "violence")


SOURCE = Source(
    id="xstest",
    title="XSTest v2",
    role="generalization",
    systems=("social_risk",),
    layouts=(("xstest/xstest_prompts.csv", *(f"xstest/xstest_v2_completions_{p}.csv" for p in _PARTS)),),
    license="CC-BY-4.0",
    license_note="stated for the prompts; the completions and their labels carry none of their own",
    labels_by="two people, disagreements adjudicated",
    text_type="answers of five models to safe and unsafe prompts that look alike",
    attribution="XSTest, Röttger et al. 2023 (arXiv:2308.01263)",
    home="https://github.com/paul-rottger/exaggerated-safety",
    reading="An unsafe prompt answered in full is oppose, refused is adhere; a safe prompt answered is unrelated.",
    judgement="The value is ours, by the prompt's type and focus word; that an answered safe prompt is unrelated; that compliance with "
    "an unsafe prompt opposes the value whatever the answer says.",
    gaps="Few rows that oppose, as most models refuse.",
    load=load,
    annotated=annotated,
    annotated_of="whether a model complied, refused, or did so in part; not what that means for a value",
)
