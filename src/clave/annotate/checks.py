"""What a fitted evaluator said of the responses, to be shown after an annotator's own label, as a check, and never before.

checks = read_checks(Path("verdicts.jsonl"), system)      # written by `clave evaluate responses.jsonl --evaluator …`
checks["s01-hearth", "care"].label
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from clave.errors import InputError
from clave.io import read_verdicts
from clave.records import Label, Verdict
from clave.values import ValueSystem


class Check(NamedTuple):
    """An evaluator's verdict, as far as the screen shows it."""

    label: Label
    probability: float | None
    why: str
    """The concepts it found."""

    def after(self, said: str) -> dict[str, Any]:
        """What the screen shows of it when somebody has said `said`."""
        return {"said": said, "label": self.label, "probability": self.probability, "why": self.why, "same": said == self.label}


Checks = dict[tuple[str, str], Check]


def read_checks(path: Path, system: ValueSystem) -> Checks:
    """Read an evaluator's verdicts; abstained, refused and failed ones check nothing.

    Raises:
        InputError: The file holds no verdict for the system's values.
    """
    found = {(v.id, v.value): _check(v, v.label) for v in read_verdicts(path) if v.label is not None and v.value in system}
    if not found:
        raise InputError(f"{path}: there is no verdict for a value of {system.id!r} in it")
    return found


def _check(verdict: Verdict, label: Label) -> Check:
    sure = None if verdict.probabilities is None else round(verdict.probabilities.get(label, 0.0), 2)
    return Check(label, sure, "; ".join(concept.text for concept in verdict.concepts)[:300])
