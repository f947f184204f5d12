"""What a fine-tuned recognizer reads: which features, of which values, and what of a value; saved as JSON beside its weights.

reading = Reading(("concepts", "text"), "definition", {"care": value})
reading.rendered(observation)                        # head and text of the input
reading.save(Path("lora.json"), base="some/model")
reading, more = Reading.load(Path("lora.json"))   # more["base"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from clave.errors import EvaluatorError
from clave.recognizers.observation import Observation
from clave.recognizers.template import rendered
from clave.recognizers.training import Context
from clave.settings import Shown
from clave.values import Value

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True)
class Reading:
    """See the module."""

    features: tuple[str, ...]
    shows: Shown
    values: Mapping[str, Value]
    """By id, with the guideline they were trained with."""

    @classmethod
    def of(cls, features: tuple[str, ...], observations: Sequence[Observation], context: Context, shows: Shown) -> Self:
        """For the values of the observations; `shows` is the recognizer's default."""
        values = {v: context.values[v] for v in sorted({o.value for o in observations})}
        return cls(features, context.training.shows or shows, values)

    def rendered(self, observation: Observation) -> tuple[str, str]:
        """See `template.rendered`."""
        return rendered(observation, self.values[observation.value], self.features, self.shows)

    def text(self, observation: Observation) -> str:
        """The input, uncut."""
        return "".join(self.rendered(observation))

    def save(self, path: Path, **more: Any) -> None:
        """Write it as JSON, with what else the recognizer says of itself."""
        values = [v.model_dump(exclude_defaults=True) for v in self.values.values()]
        described = {"features": self.features, "shows": self.shows, "values": values, **more}
        path.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> tuple[Self, dict[str, Any]]:
        """Read what `save` wrote: itself, and all that stands in the file.

        Raises:
            EvaluatorError: The file is missing or damaged.
        """
        try:
            described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            values = {v["id"]: Value.model_validate(v) for v in described["values"]}
            return cls(tuple(described["features"]), described["shows"], values), described
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluatorError(f"{path}: the recognizer is damaged ({error}): fit it again") from None


def refuse_pickles(folder: Path) -> None:
    """Refuse weights in a form that runs code when it is read: the libraries behind a recognizer would read them.

    Raises:
        EvaluatorError: The folder holds such a file.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix in _PICKLES:
            raise EvaluatorError(f"{path} is a pickle, which is never read: save the weights as safetensors")
