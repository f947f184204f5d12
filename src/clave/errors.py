"""Every error that clave raises on purpose. The message is one sentence for the user: what is wrong, where, and the mend.

    ClaveError
    ├── InputError          a file, a row, an option or a value system is not as it must be
    ├── MissingExtraError   an optional dependency is not installed; the message is the pip line
    ├── ModelError          no model can be reached: key, name, address
    └── EvaluatorError      a saved evaluator cannot be used: another version, a damaged file
        └── UntrustedError  it names a model that the user has not named

A message names parameters as Python has them, in backticks (`argument`); the command line shows its own options instead,
prints the message and exits with 2. What goes wrong with a single response is not an exception but a
value: `clave.records.Failure`, and in the end a verdict whose status is `failed` or `refused`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

__all__ = [
    "ClaveError",
    "EvaluatorError",
    "InputError",
    "InputWarning",
    "MissingExtraError",
    "ModelError",
    "UntrustedError",
    "argument",
    "require",
]


class ClaveError(Exception):
    """Root of the tree."""


class InputError(ClaveError):
    """A file, a row, an option or a value system is not as it must be."""


class InputWarning(UserWarning):
    """Something in a file, or in a request to a model, was taken in the one way that makes sense, and who gave it may want to know."""


class MissingExtraError(ClaveError):
    """An optional dependency is not installed."""


class ModelError(ClaveError):
    """The large model cannot be used at all."""


class EvaluatorError(ClaveError):
    """A saved evaluator cannot be used."""


class UntrustedError(EvaluatorError):
    """A saved evaluator names models that the user has not named.

    Args:
        what: What it names, for a message.
        names: The same as `clave.trust` keeps it.
    """

    def __init__(self, what: str, names: Sequence[tuple[str, str]]) -> None:
        self.what, self.names = what, names
        super().__init__(f"{what}; if that is meant, say {argument('trust', True)}")


def argument(name: str, value: object = None) -> str:
    """A parameter as a message names it: `` `model` ``, or `` `mapping={'answer': 'response'}` `` with an example of its value."""
    return f"`{name}`" if value is None else f"`{name}={value!r}`"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: What to import, e.g. `"pyarrow.parquet"`.
        extra: The extra of this package that brings it.

    Raises:
        MissingExtraError: With the pip line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingExtraError(f"{name} is needed for this and is not installed: pip install 'clave[{extra}]'") from error
