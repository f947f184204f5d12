"""An observation as the input text of a language model or of a fine-tuned encoder.

    rendered(observation, value, ("text", "concepts", "stance"), "definition")

What is never cut stands first, the scenario and the response last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clave.concepts.cases import encoded_text
from clave.errors import InputError
from clave.recognizers.observation import Observation
from clave.settings import Shown
from clave.values import Value


def rendered(observation: Observation, value: Value, features: Iterable[str], shows: Shown) -> tuple[str, str]:
    """The head of the input, and the text of the response, which may be cut; empty where the text is not a feature.

    Args:
        observation: With its extraction where concepts or stance are features.
        value: Its value; without a guideline, the definition stands in its place.
        features: Of `settings.FEATURES`.
        shows: What of the value is shown.
    """
    lines = [f"Value: {value.name}"]
    if shows == "guideline" and value.guideline:
        lines.append(f"Guideline: {value.guideline}")
    elif shows != "name":
        lines.append(f"Definition: {value.definition}")
    chosen, found = set(features), observation.extraction
    if found is not None and "concepts" in chosen:
        lines.append(f"What it does: {'; '.join(_mapped(observation)) or 'nothing that bears on the value'}")
    if found is not None and "stance" in chosen:
        lines.append(f"A first reading: {found.stance} ({found.confidence:.2f})")
    head = "\n".join(lines) + "\n"
    if "text" not in chosen:
        return head, ""
    return head + "Response: ", encoded_text(observation.response)


def check_cut(texts: Sequence[str], tokens: Sequence[Sequence[int]], room: int) -> None:
    """Refuse inputs of which, cut to the model's room, fewer than half can still be told apart.

    Args:
        texts: Inputs, whole.
        tokens: The same, as the model reads them.
        room: Tokens of an input.

    Raises:
        InputError: What stands first, the value's guideline or definition, leaves no room for the rest.
    """
    if 2 * len({tuple(row) for row in tokens}) < len(set(texts)):
        raise InputError(
            f"the model reads {room} tokens of an input, and the value's text leaves no room for the rest: show less of it with `shows`"
        )


def _mapped(observation: Observation) -> list[str]:
    """The response's concepts, each with the pool concept it maps to."""
    assert observation.extraction is not None
    pool = {m.text: m.pool for m in observation.mapped}
    return [f"{text} (like: {pool[text]})" if pool.get(text) not in (None, text) else text for text in observation.extraction.concepts]
