"""CLAVE: which human values an LLM's response adheres to, opposes or leaves aside, calibrated on a few human labels.

from clave import Clave, read_labels, read_responses

clave = Clave("mft", model="openai/gpt-4o-mini").fit(read_labels("labels.jsonl"))
for verdict in clave.evaluate(read_responses("responses.jsonl")):
    print(clave.explain(verdict))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clave.errors import ClaveError, EvaluatorError, InputError, MissingExtraError, ModelError
    from clave.evaluator import Clave
    from clave.io import read_labels, read_responses, read_verdicts
    from clave.records import LABELS, Evidence, Extraction, Failure, Label, LabelledResponse, MappedConcept, Response, Verdict
    from clave.settings import Settings
    from clave.values import Value, ValueSystem

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


_FROM = {
    "clave.errors": ("ClaveError", "EvaluatorError", "InputError", "MissingExtraError", "ModelError"),
    "clave.evaluator": ("Clave",),
    "clave.io": ("read_labels", "read_responses", "read_verdicts"),
    "clave.records": ("LABELS", "Evidence", "Extraction", "Failure", "Label", "LabelledResponse", "MappedConcept", "Response", "Verdict"),
    "clave.settings": ("Settings",),
    "clave.values": ("Value", "ValueSystem"),
}
_WHERE = {name: module for module, names in _FROM.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for, so that neither `import clave` nor the command line waits for what it does not use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("clave")
    if name not in _WHERE:
        raise AttributeError(f"module 'clave' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
