"""A saved evaluator is foreign: the models that it names are used only where the user has named them, too.

    remember(names_in(settings))            # the user's own words: a fit that they saved, a question that they answered with yes
    refuse_foreign("evaluator", names_in(settings), calls=True)     # raises where it names another

A large model costs the user's money and reads their texts, an encoder or a base model is fetched from the Hub. What the user named is kept
in a file of lines, `model openai/gpt-4o-mini`, which may be edited.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from clave.errors import UntrustedError
from clave.llm.providers import is_named_server
from clave.settings import DEFAULT_ENCODER, FULL_ENCODER, Settings

_MOST_CHARACTERS = 1_000_000
_MOST_IN_NAME = 500


class Name(NamedTuple):
    """A model that an evaluator names."""

    kind: str
    """model, encoder or base."""
    name: str

    def __str__(self) -> str:
        kinds = {"model": "the large model", "encoder": "the encoder", "base": "the base model"}
        return f"{kinds[self.kind]} {self.name[:80]!r}"


def names_in(settings: Settings, bases: Iterable[str] = ()) -> list[Name]:
    """The models that settings name, but for the encoders that come with the package.

    Args:
        settings: How an evaluator was made.
        bases: Base models that its recognizer names beside them.
    """
    names = [Name("model", settings.model)] if settings.calls else []
    names += [Name("encoder", settings.encoder)] if settings.encoder not in (DEFAULT_ENCODER, FULL_ENCODER) else []
    return names + [Name("base", base) for base in dict.fromkeys((settings.training.base, *bases)) if base]


def refuse_foreign(evaluator: str, names: Sequence[Name], *, calls: bool, base_url: str | None = None) -> None:
    """Refuse to use what an evaluator names and the user has not.

    Args:
        evaluator: How the message calls it.
        names: What it names.
        calls: Whether its large model is to be asked; else only the small models matter.
        base_url: The server that the user named for the large model.

    Raises:
        UntrustedError: It names something else.
    """
    known = remembered()
    foreign = [n for n in names if n not in known and not (n.kind == "model" and is_named_server(n.name, base_url))]
    if any(calls or n.kind != "model" for n in foreign):
        what = f"{evaluator} names {' and '.join(map(str, foreign))}, which you have not named on this machine before"
        raise UntrustedError(what, foreign)


def place() -> Path:
    """The file: CLAVE_TRUSTED, or `trusted.txt` in the user's configuration folder."""
    import platformdirs

    return Path(os.environ.get("CLAVE_TRUSTED") or Path(platformdirs.user_config_dir("clave")) / "trusted.txt")


def remembered() -> set[Name]:
    """What the user has named."""
    return {Name(kind, name) for kind, _, name in (line.strip().partition(" ") for line in _text().splitlines()) if name}


def remember(names: Iterable[Name]) -> None:
    """Keep what the user has named. Where that cannot be written, they are asked again another time."""
    known = remembered()
    fresh = [n for n in names if n not in known and n.name.isprintable() and n.name == n.name.strip() and len(n.name) <= _MOST_IN_NAME]
    if not fresh:
        return
    text = _text()
    begun = "\n" if text and not text.endswith("\n") else ""  # as some editors leave it
    with contextlib.suppress(OSError):
        place().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(place(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(fd, "a", encoding="utf-8") as file:
            file.write(begun + "".join(f"{n.kind} {n.name}\n" for n in fresh))


def _text() -> str:
    try:
        with place().open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_CHARACTERS)
    except OSError:
        return ""
