"""From a request to verdicts: one for each response and value that was asked for, whatever happens.

async for verdict in verdicts_of(clave.judging, units_of(clave.judging, asked), Remembered()): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.exceptions import HTTPException

from clave.errors import ClaveError, InputError
from clave.evaluating.judging import Judging, Unit
from clave.evaluating.verdicts import failed_verdict
from clave.records import Failure, Response, Verdict
from clave.server.bodies import VerdictsRequest
from clave.server.remembered import Remembered
from clave.text.masking import masked
from clave.values import Value


def units_of(judging: Judging, asked: VerdictsRequest) -> list[Unit]:
    """The responses with the values they are judged for.

    Raises:
        InputError: A value is unknown, or an id stands twice.
    """
    units: list[Unit] = []
    for place, one in enumerate(asked.responses, 1):
        response = Response(id=one.id or str(place), response=one.response, scenario=one.scenario)
        named: list[str | None] = [one.value] if one.value is not None else [*dict.fromkeys(asked.values or ())] or [None]
        rows = [response.model_copy(update={"value": value}) for value in named]
        units.append((response, tuple(value for row in rows for value in judging.values_of(row))))
    pairs = Counter((response.id, value.id) for response, values in units for value in values)
    twice = next((pair for pair, count in pairs.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"id {twice[0]!r} is judged twice for {twice[1]!r}: give each response an id of its own")
    return units


async def verdicts_of(
    judging: Judging, units: Sequence[Unit], remembered: Remembered, *, min_confidence: float = 0.0, coverage: float = 1.0
) -> AsyncGenerator[Verdict]:
    """Verdicts as they are ready, those that are remembered first. What no budget pays for is a failed verdict with that reason.

    Raises:
        InputError: `coverage` is asked of an evaluator that is not calibrated.
        HTTPException: Status 503: the large model or the cache cannot be used at all.
    """
    floor = judging.floor(min_confidence, coverage)
    missing = dict[tuple[str, str], Response]()
    unknown = list[Unit]()
    for response, values in units:
        left = list[Value]()
        for value in values:
            known = remembered.get(judging.name, floor, response, value.id)
            if known is None:
                left.append(value)
                missing[response.id, value.id] = response
            else:
                yield known
        if left:
            unknown.append((response, tuple(left)))
    if not unknown:
        return
    stream = judging.verdicts(unknown, min_confidence=min_confidence, coverage=coverage)
    try:
        async with aclosing(stream):
            async for verdict in stream:
                remembered.put(judging.name, floor, missing.pop((verdict.id, verdict.value)), verdict)
                yield verdict
    except ClaveError as error:  # the request was checked before: this is not its sender's fault
        raise HTTPException(503, masked(str(error))) from None
    unpaid = Failure(status="failed", kind="budget", reason=stream.stopped)
    for (_, name), response in missing.items():
        yield failed_verdict(response, name, unpaid, judging.name)
