"""The last verdicts of a service, so that a text that comes again is not judged again: encoded, looked up in the answer cache, mapped.

    remembered = Remembered()
    remembered.put("mft-1a2b3c", 0.0, response, verdict)
    remembered.get("mft-1a2b3c", 0.0, response, "care")      # the same verdict, under this response's id and at no cost

An evaluator that is served does not change, so its verdicts hold as long as the process. What failed is not remembered: it may not fail
again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from clave.records import Response, Usage, Verdict

MOST = 20_000
"""Verdicts; about 2 KB each."""
_NOTHING = Usage()


class Remembered:
    """See the module.

    Args:
        most: Verdicts that are kept, those that were asked for last.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, float, bytes, str], Verdict] = OrderedDict()

    def get(self, evaluator: str, floor: float, response: Response, value: str) -> Verdict | None:
        """The verdict on a text that was judged before.

        Args:
            evaluator: Its name, which changes with whatever changes a verdict.
            floor: Probability below which it abstains.
            response: With the text.
            value: What it is judged for.
        """
        key = (evaluator, floor, _text(response), value)
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found.model_copy(update={"id": response.id})

    def put(self, evaluator: str, floor: float, response: Response, verdict: Verdict) -> None:
        """Remember a verdict, unless it is a failure."""
        if verdict.status == "failed":
            return
        self._kept[evaluator, floor, _text(response), verdict.value] = verdict.model_copy(update={"cached": True, "usage": _NOTHING})
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _text(response: Response) -> bytes:
    """The whole hash: senders choose their texts, and must not meet another's verdict."""
    scenario = response.scenario.encode("utf-8", "surrogatepass")
    return hashlib.sha256(len(scenario).to_bytes(8, "big") + scenario + response.response.encode("utf-8", "surrogatepass")).digest()
