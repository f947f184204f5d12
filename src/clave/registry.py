"""Things by name: the built-in ones, and those that installed packages offer through an entry point. Imported when they are asked for.

    from clave.recognizers.protocol import Recognizer

    RECOGNIZERS = Registry[type[Recognizer]]("recognizer", "clave.recognizers", {"head": "clave.recognizers.head:Head"})
    RECOGNIZERS["head"]
    RECOGNIZERS.names()
    RECOGNIZERS.plugins()      # what packages offer, and what is wrong with the ones that cannot be used

A package offers one in its pyproject.toml:

    [project.entry-points."clave.recognizers"]
    ours = "our_package.small:OurRecognizer"
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from clave.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """What an installed package offers."""

    name: str
    package: str
    problem: str
    """Why it cannot be used; empty where it can."""


class Registry(Generic[T]):
    """See the module.

    Args:
        noun: What the things are called in messages.
        group: The entry point group in which packages offer theirs. A built-in name stays the built-in thing.
        builtin: Name -> the thing, or where it is as `module:attribute`.
        check: Says what is wrong with a thing that a package offers; empty where nothing is.
        listing: How to see the names where there are too many for a message.
    """

    def __init__(
        self,
        noun: str,
        group: str,
        builtin: Mapping[str, T | str],
        *,
        check: Callable[[Any], str] = lambda thing: "",
        listing: str = "",
    ) -> None:
        self.noun, self.group = noun, group
        self._builtin, self._check, self._listing = builtin, check, listing

    def names(self) -> tuple[str, ...]:
        """The built-in names, then those of the plug-ins that can be used."""
        return (*self._builtin, *(p.name for p in self.plugins() if not p.problem))

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._offered

    def __getitem__(self, name: str) -> T:
        """The thing of a name.

        Raises:
            InputError: There is none, or the package that offers it is broken.
        """
        if name in self._builtin:
            thing = self._builtin[name]
            return _imported(thing) if isinstance(thing, str) else thing
        if name in self._offered:
            return self._loaded(self._offered[name])
        near = get_close_matches(name, (*self._builtin, *self._offered), 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        use = self._listing or f"use one of {', '.join(self.names())}"
        raise InputError(f"there is no {self.noun} {name!r}{meant}: {use}")

    def plugins(self) -> list[Plugin]:
        """Everything that installed packages offer, in the order of its names."""
        found = []
        for name, entry in sorted(self._offered.items()):
            problem = f"a built-in {self.noun} has this name" if name in self._builtin else ""
            if not problem:
                try:
                    self._loaded(entry)
                except InputError as error:
                    problem = str(error)
            found.append(Plugin(name, _package(entry), problem))
        return found

    @functools.cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)}

    def _loaded(self, entry: EntryPoint) -> T:
        try:
            thing = entry.load()
            problem = self._check(thing)
        except Exception as error:  # a package's own code: whatever it raises, it cannot be used
            problem = f"{type(error).__name__}: {error}"
        if problem:
            raise InputError(f"{self.noun} {entry.name!r} of the package {_package(entry)} cannot be used: {problem}")
        return cast("T", thing)


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value.partition(".")[0]
