"""Which sources there are: the built-in ones, those that installed packages offer, and those named as `module:object`.

    sources = find_sources(["beavertails", "clave.valeval.sources.safetext:SOURCE"])

A package offers a source by the entry point group `clave.valeval.sources`; an object is a `Source`, or a function that returns one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from clave.errors import InputError
from clave.registry import Registry
from clave.valeval.sources.spec import Source

BUILTIN = (
    "beavertails",
    "fulcra",
    "moral_stories",
    "touche23",
    "xstest",
    "diasafety",
    "do_not_answer",
    "social_chem",
    "mfrc",
    "safetext",
    "truthfulqa",
    "moralchoice",
)
"""The modules of this folder, calibration sources first. FULCRA's SafeRLHF prompts belong to beavertails."""


SOURCES: Registry[Source | Callable[[], Source]] = Registry(
    "source",
    "clave.valeval.sources",
    {name: f"clave.valeval.sources.{name}:SOURCE" for name in BUILTIN},
    check=lambda thing: "" if isinstance(thing, Source) or callable(thing) else "it is neither a Source nor a function that returns one",
)


def find_sources(names: Sequence[str] = ()) -> tuple[Source, ...]:
    """The named sources; with no names, all built-in ones and all that installed packages offer and that can be used.

    Raises:
        InputError: A name is unknown, or does not lead to a `Source`.
    """
    found = [_checked(_named(name) if ":" in name else SOURCES[name], name) for name in names or SOURCES.names()]
    twice = sorted({s.id for s in found if [t.id for t in found].count(s.id) > 1})
    if twice:
        raise InputError(f"source {twice[0]!r} is named twice")
    return tuple(found)


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"source {name!r} cannot be imported: {error}") from None


def _checked(found: Any, name: str) -> Source:
    if not isinstance(found, Source) and callable(found):
        found = found()
    if not isinstance(found, Source):
        raise InputError(f"source {name!r} must be a clave.valeval.sources.spec.Source or a function that returns one")
    return found
