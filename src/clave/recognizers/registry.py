"""Recognizers by name; packages offer theirs in the entry point group `clave.recognizers`.

recognizer_class("head")
RECOGNIZERS.names()
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from clave.errors import MissingExtraError
from clave.registry import Registry

if TYPE_CHECKING:
    from clave.recognizers.protocol import Recognizer

_NEEDED = ("kind", "trains", "needs", "values", "fit", "predict_proba", "save", "load")


def _problem(thing: Any) -> str:
    missing = [name for name in _NEEDED if not hasattr(thing, name)]
    if not isinstance(thing, type):
        return "it is not a class"
    return f"it has no {' and no '.join(missing)}" if missing else ""


RECOGNIZERS: Registry[type[Recognizer]] = Registry(
    "recognizer",
    "clave.recognizers",
    {
        "head": "clave.recognizers.head:Head",
        "encoder": "clave.recognizers.finetuned:FineTuned",
        "lora": "clave.recognizers.lora:Lora",
        "auto": "clave.recognizers.auto:Auto",
        "head-unmapped": "clave.recognizers.unmapped:UnmappedHead",
    },
    check=_problem,
)


def recognizer_class(kind: str) -> type[Recognizer]:
    """Look a recognizer up.

    Raises:
        InputError: There is none of that name.
    """
    return RECOGNIZERS[kind]


def fine_tuned() -> tuple[str, ...]:
    """Those that pay heed to `Settings.training`."""
    return tuple(name for name in RECOGNIZERS.names() if RECOGNIZERS[name].trains)


def check_usable(kind: str) -> None:
    """Find out before anything is spent whether a recognizer can be fitted here.

    Raises:
        InputError: There is none of that name.
        MissingExtraError: A package that it needs is not installed.
    """
    for module in RECOGNIZERS[kind].needs:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(f"{module} is needed for the recognizer {kind!r} and is not installed: pip install 'clave[train]'")
