"""Records as rows of the store and rows as records again.

row = ResponseRow(**response_row(response, system))
judgement_of(LabelRow(value="care", label="adhere", note="", evidence_json="[]", at=0.0), row, "ana")
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from clave.annotate.judgement import Judgement, plain
from clave.annotate.tables import LabelRow, ResponseRow
from clave.errors import InputError
from clave.records import Response
from clave.values import ValueSystem


def response_row(response: Response, system: ValueSystem) -> dict[str, Any]:
    """A response as the columns of its row.

    Raises:
        InputError: It names a value that the system has not.
    """
    if response.value is not None and response.value not in system:
        raise InputError(f"response {response.id!r} names value {response.value!r}, which value system {system.id!r} has not")
    key = response_key(response.id, response.value)
    digest = hashlib.sha256(f"{response.scenario}\0{response.response}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {
        "key": key,
        "digest": digest,
        "id": response.id,
        "value": response.value or "",
        "scenario": response.scenario,
        "response": response.response,
        "metadata_json": json.dumps(_metadata(response)),
        "group": digest if _half(response.scenario) or _half(response.response) else response.group,
        "shuffle": int(key[:7], 16),
    }


def _metadata(response: Response) -> Any:
    try:
        return plain(response.metadata)
    except ValueError as error:
        raise InputError(f"response {response.id!r}: {error}") from None


def response_key(identity: str, value: str | None) -> str:
    """The store's key of a response: a hash, as ids may be of any length."""
    return hashlib.sha256(f"{identity}\0{value or ''}".encode("utf-8", "surrogatepass")).hexdigest()


def _half(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which no hash of UTF-8 takes."""
    return any("\ud800" <= c <= "\udfff" for c in text) if not text.isascii() else False


def judgement_of(said: LabelRow, row: ResponseRow, name: str) -> Judgement:
    """A label with its response and its annotator as a record."""
    return Judgement.model_validate(
        {
            "id": row.id,
            "value": said.value,
            "annotator": name,
            "label": said.label,
            "scenario": row.scenario,
            "response": row.response,
            "note": said.note,
            "evidence": json.loads(said.evidence_json),
            "seconds": said.seconds,
            "at": said.at,
            "metadata": json.loads(row.metadata_json),
        }
    )
