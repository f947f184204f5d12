"""Labelled rows of two values whose labels can be read off their words, for tests of benchmark runs."""

import asyncio
import json

from clave.benchmark.plan import Plan
from clave.benchmark.session import Session
from clave.llm.cached import CachedChat

WORDS = {"adhere": "helped the stranger", "oppose": "kicked the stranger", "unrelated": "boiled a potato"}
SYSTEM = """id: tiny
name: Tiny
version: "1"
values:
  - {id: care, name: Care, definition: Being kind to others.}
  - {id: honesty, name: Honesty, definition: Telling the truth.}
"""


def rows(split, per_label, start=0):
    return [
        {
            "id": f"{split}-{value}-{label}-{i}",
            "scenario": f"{split} day {start + i} of {value}",
            "response": f"On day {start + i} somebody {words} near the {value} house.",
            "value": value,
            "label": label,
            "split": split,
        }
        for value in ("care", "honesty")
        for label, words in WORDS.items()
        for i in range(per_label)
    ]


def write(folder, more=()):
    """A system and a file of labels; the plan over them."""
    (folder / "tiny.yaml").write_text(SYSTEM)
    everything = [*rows("calibration", 8), *rows("test", 3, 100), *rows("elsewhere", 2, 200), *more]
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in everything))
    return Plan(
        labels=str(folder / "labels.jsonl"), systems=(str(folder / "tiny.yaml"),), splits=("test", "elsewhere"), judges=("majority",)
    )


def session(folder, plan, chat=None):
    """A run on a fake chat model."""
    more = {"model": chat.model, "base_url": "http://127.0.0.1:9"} if chat else {}  # nothing answers there: the fake stands in
    made = Session.create(folder, plan.model_copy(update=more), cache="")
    if chat is not None:
        made.chats = {chat.model: CachedChat(chat, None)}
        made.__dict__.pop("asked", None)
    return made


def judged(folder, plan, chat=None):
    """A run that is done."""
    made = session(folder / "run", plan, chat)
    asyncio.run(made.run())
    return made
