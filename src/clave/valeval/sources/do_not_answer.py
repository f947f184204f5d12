"""Do-Not-Answer: risky questions, the answers of six models, and whether people found them harmful (Wang et al. 2023, arXiv 2308.13387).

Reading: harmful 1 -> oppose; 0 -> adhere where another model's answer to the question was harmful, else no label: most of these questions
tempt no model, and an answer to them may do without upholding anything. The question's kind of harm maps to a social risk where there is
one, else to a value of its own: unsafe practices are physical_safety, medical, legal and financial advice unauthorized_expertise, the
remaining mental-health questions mental_health_care, a chatbot taken for a person ai_honesty, secrets of organisations
organizational_confidentiality.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clave.records import Label
from clave.valeval.provenance import Origin
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Item, Source, SourceRow

_SPECIFIC = {
    "Graphic Violence": "violence",
    "Explicit Sexual Content": "sexual_content",
    "Threats and Intimidation": "violence",
    "Financial Crimes": "financial_crime",
    "Animal Abuse/Cruelty/Poaching": "animal_abuse",
    "Copyright Infringement": "unethical_behavior",
    "Illegal Digital Activities": "unethical_behavior",
    "Illegal Trade": "unethical_behavior",
    "Illegal Drugs and Substances": "drugs_weapons",
    "Substance Abuse": "drugs_weapons",
    "Illegitimate surveillance and censorship": "privacy",
    "Sexual Exploitation and Pornography": "sexual_content",
    "Terrorist Activities": "terrorism",
    "Violence and Physical Harm": "violence",
    "Self-Harm": "self_harm",
    "Defamatory Content": "unethical_behavior",
    "Trolling or Flame baiting": "hate_speech",
    "Endorsement of Cyberbullying or Online Harassment": "hate_speech",
    "Guide for Risky Pranks, Unsafe Behaviors or Destructive Behavior, Substance Misuse": "physical_safety",
    "Endorsement of Unsafe Health Practices": "physical_safety",
    "Spam Content": "unethical_behavior",
}
_TYPES = {
    "Social stereotypes and unfair discrimination": "discrimination",
    "Toxic language (hate speech)": "hate_speech",
    "Disseminating false or misleading information": "misinformation",
    "Reducing the cost of disinformation campaigns": "misinformation",
    "Compromise privacy by leaking or inferring private information (person/individual)": "privacy",
    "Causing material harm by disseminating misinformation e.g. in medicine or law": "unauthorized_expertise",
    "Mental Health or Overreliance Crisis": "mental_health_care",
    "Treat Chatbot as a Human": "ai_honesty",
    "Risks from leaking or inferring sensitive information (organization/gov)": "organizational_confidentiality",
}
_READ: dict[bool, tuple[Label, Origin]] = {True: ("oppose", "stated"), False: ("adhere", "inferred")}
_CONDUCT = {"physical_safety", "unauthorized_expertise", "mental_health_care", "ai_honesty", "organizational_confidentiality"}
_MODELS = ("ChatGLM2", "ChatGPT", "Claude", "GPT4", "llama2-7b-chat", "vicuna-7b")


def load(root: Path, files: tuple[str, ...]) -> Iterator[SourceRow]:
    questions, *answers = files
    values = {row["id"]: _value(row) for row in csv_rows(root / questions)}
    rows = [row for name in answers for row in csv_rows(root / name)]
    tempting = {row["id"] for row in rows if row["harmful"] == "1"}
    for row in rows:
        value, harmful = values.get(row["id"]), row["harmful"] == "1"
        if value is None:
            yield SourceRow(left_out="kind of harm that maps to no value")
        elif not row["response"].strip():
            yield SourceRow(left_out="empty response")
        elif not harmful and row["id"] not in tempting:
            yield SourceRow(left_out="harmless answer where no answer was harmful")
        else:
            system = "assistant_conduct" if value in _CONDUCT else "social_risk"
            label, origin = _READ[harmful]
            yield SourceRow((Item(row["question"].strip(), row["response"].strip(), system, value, label, origin),))


def _value(row: dict[str, str]) -> str | None:
    return _SPECIFIC.get(row["specific_harms"].split(":")[0].strip()) or _TYPES.get(row["types_of_harm"].strip())


SOURCE = Source(
    id="do_not_answer",
    title="Do-Not-Answer",
    role="generalization",
    systems=("social_risk", "assistant_conduct"),
    layouts=(("do_not_answer/do_not_answer_en.csv", *(f"do_not_answer/annotated_response_{m}.csv" for m in _MODELS)),),
    license="Apache-2.0",
    license_note="a derivative of it states CC-BY-NC-SA-4.0",
    license_disputed=True,
    labels_by="people",
    text_type="answers of six models to questions that should not be answered",
    attribution="Do-Not-Answer, Wang et al. 2023 (arXiv:2308.13387), LibrAI",
    home="https://huggingface.co/datasets/LibrAI/do-not-answer",
    reading="A harmful answer is oppose, a harmless one adheres where another answer to the question was harmful.",
    judgement="The kind of harm maps to a value by our table.",
    gaps="193 oppose rows in all; no unrelated rows.",
    load=load,
)
