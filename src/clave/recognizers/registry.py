"""Recognizers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clave.errors import InputError
from clave.recognizers.head import Head
from clave.recognizers.unmapped import UNMAPPED, UnmappedHead

if TYPE_CHECKING:
    from clave.recognizers.protocol import Recognizer

RECOGNIZERS: dict[str, type[Recognizer]] = {"head": Head, UNMAPPED: UnmappedHead}


def recognizer_class(kind: str) -> type[Recognizer]:
    """Look a recognizer up.

    Raises:
        InputError: There is none of that name.
    """
    try:
        return RECOGNIZERS[kind]
    except KeyError:
        raise InputError(f"there is no recognizer {kind!r}: use {', '.join(RECOGNIZERS)}") from None
