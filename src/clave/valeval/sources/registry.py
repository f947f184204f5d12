"""Which sources there are: the built-in ones, those that installed packages offer, and those named as `module:object`.

sources = find_sources(["beavertails", "our_package.labels:SOURCE"])

A package offers a source by the entry point group `clave.valeval.sources`; an object is a `Source`, or a function that returns one.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from clave.errors import InputError
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


def find_sources(names: Sequence[str] = ()) -> tuple[Source, ...]:
    """The named sources; with no names, all built-in ones and all that installed packages offer.

    Raises:
        InputError: A name is unknown, or does not lead to a `Source`.
    """
    offered = {e.name: e for e in entry_points(group="clave.valeval.sources")}
    found = []
    for name in names or (*BUILTIN, *sorted(offered)):
        if ":" in name:
            found.append(_named(name))
        elif name in BUILTIN:
            found.append(importlib.import_module(f"clave.valeval.sources.{name}").SOURCE)
        elif name in offered:
            found.append(_checked(offered[name].load(), name))
        else:
            known = ", ".join((*BUILTIN, *sorted(offered)))
            raise InputError(f"there is no source {name!r}: name one of {known}, or module:object")
    twice = sorted({s.id for s in found if [t.id for t in found].count(s.id) > 1})
    if twice:
        raise InputError(f"source {twice[0]!r} is named twice")
    return tuple(found)


def _named(name: str) -> Source:
    module, _, attribute = name.partition(":")
    try:
        return _checked(getattr(importlib.import_module(module), attribute), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"source {name!r} cannot be imported: {error}") from None


def _checked(found: Any, name: str) -> Source:
    if not isinstance(found, Source) and callable(found):
        found = found()
    if not isinstance(found, Source):
        raise InputError(f"source {name!r} must be a clave.valeval.sources.spec.Source or a function that returns one")
    return found
