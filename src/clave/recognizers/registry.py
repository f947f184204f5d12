"""Recognizers by name. The modules of the fine-tuned ones import nothing heavy until they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clave.errors import InputError
from clave.recognizers.auto import Auto
from clave.recognizers.finetuned import FineTuned
from clave.recognizers.head import Head
from clave.recognizers.lora import Lora
from clave.recognizers.unmapped import UNMAPPED, UnmappedHead

if TYPE_CHECKING:
    from clave.recognizers.protocol import Recognizer

RECOGNIZERS: dict[str, type[Recognizer]] = {
    "head": Head,
    "encoder": FineTuned,
    "lora": Lora,
    "auto": Auto,
    UNMAPPED: UnmappedHead,
}


def recognizer_class(kind: str) -> type[Recognizer]:
    """Look a recognizer up.

    Raises:
        InputError: There is none of that name.
    """
    try:
        return RECOGNIZERS[kind]
    except KeyError:
        raise InputError(f"there is no recognizer {kind!r}: use {', '.join(RECOGNIZERS)}") from None
