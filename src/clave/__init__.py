"""CLAVE: which human values an LLM's response adheres to, opposes or leaves aside, calibrated on a few human labels.

from clave import Clave, read_labels, read_responses

clave = Clave("schwartz", model="openai/gpt-4o-mini").fit(read_labels("labels.jsonl"))
for verdict in clave.evaluate(read_responses("responses.jsonl")):
    print(clave.explain(verdict))
"""

from typing import TYPE_CHECKING, Any

from clave.errors import ClaveError, EvaluatorError, InputError, MissingExtraError, ModelError
from clave.io import read_labels, read_responses, read_verdicts
from clave.records import LABELS, Evidence, Extraction, Failure, Label, LabelledResponse, MappedConcept, Response, Verdict
from clave.settings import Settings
from clave.values import Value, ValueSystem

if TYPE_CHECKING:
    from clave.evaluator import Clave

__all__ = [
    "LABELS",
    "Clave",
    "ClaveError",
    "EvaluatorError",
    "Evidence",
    "Extraction",
    "Failure",
    "InputError",
    "Label",
    "LabelledResponse",
    "MappedConcept",
    "MissingExtraError",
    "ModelError",
    "Response",
    "Settings",
    "Value",
    "ValueSystem",
    "Verdict",
    "read_labels",
    "read_responses",
    "read_verdicts",
]


def __getattr__(name: str) -> Any:
    """Import the evaluator and look up the version when they are first asked for: the records alone are light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("clave")
    if name == "Clave":
        from clave.evaluator import Clave

        return Clave
    raise AttributeError(f"module 'clave' has no attribute {name!r}")
