"""Judges on one large model, or on each of several: `zero-shot` on two models is two judges, and two rows of the table.

from clave.llm.openai_chat import OpenAIChat

models = {"openai/a": OpenAIChat("openai/a"), "ollama/b": OpenAIChat("ollama/b")}
[judge.name for judge in crossed("zero-shot", material, models)]              # ["zero-shot@openai/a", "zero-shot@ollama/b"]
[judge.name for judge in crossed("zero-shot@ollama/b", material, models)]     # ["zero-shot@ollama/b"]
[judge.name for judge in crossed("tfidf", material, models)]                  # ["tfidf"]: it asks no model
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from clave.judges.protocol import Judge
from clave.judges.registry import Material, asks_model, open_judges
from clave.llm.chat import ChatModel

AT = "@"
"""Stands between a judge and its model."""


def split_name(name: str, models: Container[str]) -> tuple[str, str]:
    """A judge and its model; where the name has none of these models, the name as it is and an empty one."""
    base, _, model = name.partition(AT)
    return (base, model) if model in models else (name, "")


def crossed(name: str, material: Material, models: Mapping[str, ChatModel]) -> list[Judge]:
    """A judge by name, on each of several models that it is to ask; a jury is all of them together.

    Args:
        name: Of a judge, or with its model.
        material: With one of the models, and with those of a jury.
        models: All of them, by name.

    Raises:
        InputError: There is no judge of this name.
    """
    base, only = split_name(name, models)
    if base == "jury" or not asks_model(base, material):
        return open_judges([base], material)
    found = list[Judge]()
    for model, chat in models.items():
        if only in ("", model):
            (judge,) = open_judges([base], replace(material, chat=chat))
            judge.name = f"{base}{AT}{model}"
            found.append(judge)
    return found
