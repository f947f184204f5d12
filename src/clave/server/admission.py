"""How much may be under way at once: what does not fit is told to come back, and no queue grows without bound.

admission = Admission(2000)
with admission.room(3):      # three responses; BusyError where they do not fit now
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

RETRY_AFTER = 2
"""Seconds; about what a call of a large model takes, after which there is room again."""


class BusyError(HTTPException):
    """There is no room now."""

    def __init__(self) -> None:
        super().__init__(
            429,
            f"as many responses are under way as this server takes: try again in {RETRY_AFTER} seconds",
            {"Retry-After": str(RETRY_AFTER)},
        )


class Admission:
    """See the module.

    Args:
        most: Responses under way at once, in all requests together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.under_way = 0

    @property
    def full(self) -> bool:
        """Whether not even one more response is taken."""
        return self.under_way >= self.most

    @contextmanager
    def room(self, responses: int) -> Iterator[None]:
        """Hold room for as long as they are under way.

        Raises:
            BusyError: They do not fit now.
            HTTPException: They never would.
        """
        if responses > self.most:
            raise HTTPException(413, f"{responses} responses in one request, and this server takes {self.most}: send fewer at a time")
        if self.under_way + responses > self.most:
            raise BusyError
        self.under_way += responses
        try:
            yield
        finally:
            self.under_way -= responses
