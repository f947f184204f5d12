"""Which answer of an annotation is the label: a form may ask several questions, and one is never guessed.

one_answer("a.json, item 1", {"label": ["adhere"]}, None, ())      # {"label": "adhere"}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clave.errors import InputError


def one_answer(where: str, answers: Mapping[str, Sequence[Any]], control: str | None, values: Collection[str]) -> dict[str, Any]:
    """The label, or the labels of several values where every question is named after a value.

    Args:
        where: Of the annotation.
        answers: Question -> what was chosen.
        control: The question that asks for the label; None where there is one question.
        values: Ids of the value system.

    Raises:
        InputError: There are several questions or several choices, or none of the name.
    """
    if control is not None:
        if answers and control not in answers:
            raise InputError(f"{where}: there is no answer to {control!r}, which `control` names: there are {', '.join(sorted(answers))}")
        answers = {"label": answers.get(control, ())}
    elif len(answers) == 1:
        answers = {"label": next(iter(answers.values()))}
    elif not answers:
        answers = {"label": ()}
    elif not set(answers) <= set(values):
        raise InputError(f"{where}: labels come from several controls, {', '.join(sorted(answers))}: pick one with `control`")
    for chosen in answers.values():
        if len(chosen) > 1:
            said = ", ".join(map(str, chosen))
            raise InputError(f"{where}: several choices in one annotation, {said}: a response has one label for a value")
    return {name: chosen[0] if chosen else None for name, chosen in answers.items()}
