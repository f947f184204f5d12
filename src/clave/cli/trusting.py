"""Saved evaluators as commands open them: a person is asked about models that a folder names and they have not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, Unpack

import typer

from clave.errors import UntrustedError

if TYPE_CHECKING:
    from clave.evaluator import Clave
    from clave.fitting.fitted import Fitted
    from clave.llm.opening import ChatOptions

T = TypeVar("T")


def open_evaluator(name: str, *, trust: bool, **chat: Unpack[ChatOptions]) -> Clave:
    """An evaluator that may make calls, by folder or by its name on the Hub."""
    from clave.evaluator import Clave

    return asking(lambda trusted: Clave.from_pretrained(name, trust=trusted, **chat), trust)


def read_evaluator(name: str, *, trust: bool) -> Fitted:
    """What was fitted, for commands that make no call with it."""
    from clave.saving import fetch, load

    return asking(lambda trusted: load(fetch(name), trust=trusted), trust)


def asking(load: Callable[[bool], T], trust: bool) -> T:
    """Load, and where that is refused for want of trust have a person decide; their yes is remembered.

    Raises:
        UntrustedError: Nobody is there to ask, or they say no.
    """
    from clave.trust import Name, remember

    try:
        return load(trust)
    except UntrustedError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        if not typer.confirm(f"{error.what}. Use it?", err=True):
            raise
        remember([Name(*name) for name in error.names])
        return load(True)
