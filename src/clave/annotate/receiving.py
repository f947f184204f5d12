"""Judgements from a file into a store: each once, however often the file is read.

take_in(store, read_judgements("labels.jsonl"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from clave.annotate.judgement import Judgement
from clave.annotate.store import Store
from clave.errors import InputError
from clave.records import Response


def take_in(store: Store, judgements: Sequence[Judgement]) -> int:
    """Add the judgements, and their responses where the store has them not; how many were recorded.

    Raises:
        InputError: A judgement's response is neither in the store nor in the row.
    """
    recorded = 0
    new = {j.id: j for j in judgements if store.find(j.id, j.value) is None}
    for judgement in new.values():
        if not judgement.response:
            raise InputError(f"the store has no response {judgement.id!r} and the row brings none: add a column `response`")
    store.add_responses(Response(id=j.id, scenario=j.scenario, response=j.response, metadata=j.metadata) for j in new.values())
    for judgement in judgements:
        pk = store.find(judgement.id, judgement.value)
        assert pk is not None
        content = f"{judgement.annotator}\0{judgement.id}\0{judgement.value}\0{judgement.label}\0{judgement.note}\0{judgement.at}"
        recorded += store.save(
            annotator=judgement.annotator,
            response=pk,
            value=judgement.value,
            label=judgement.label,
            key=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
            note=judgement.note,
            evidence=judgement.evidence,
            seconds=judgement.seconds,
            at=judgement.at,
        )
    return recorded
