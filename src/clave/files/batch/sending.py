"""The batches of a run: what is asked of a chat model is written down, sent, waited for and read into the answer cache.

    async with Batches(judging, Sending(), tick=print, tell=print, poll=POLL) as batches:
        while True:
            ...                                # evaluate on `batches.chat`
            if not await batches.answered():   # nothing waits any more
                break

What is sent is noted before (`sent`), so a run that was killed at any point goes on with the batches that are there.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from clave.errors import ClaveError, ModelError
from clave.evaluating.judging import Judging
from clave.files.batch.asked import asked_of, chat_of
from clave.files.batch.chat import WAITING, BatchChat, request_row
from clave.files.batch.reading import REFUSED, answers
from clave.files.batch.request_files import MOST_BYTES, MOST_ROWS, RequestFiles
from clave.files.batch.sent import SentBatch, SentBatches
from clave.files.evaluating import Tick
from clave.io.appending import free_to_write
from clave.llm.batch_api import ServerBatch
from clave.llm.chat import ChatRequest
from clave.llm.openai_chat import MAX_TOKENS
from clave.llm.pricing import BATCH_SHARE
from clave.records import Failure

_AGAIN = ("expired", "server", "timeout", "cut_off", "bad_answer")
"""Kinds of trouble after which a request goes into another batch."""
_REJECTED = 20
"""Requests that are all rejected, after which it is none of theirs."""
_LOOKS = 3
"""For a batch that a server may have made without having said so, before it is made again."""
_UNSURE = 5
"""Times that it may be unsure in a row."""
POLL = 2.0
"""Seconds to the second look at a batch; the pauses grow to a minute."""
_LONGEST_POLL = 60.0


@dataclass(frozen=True)
class Sending:
    """How requests go out."""

    ask_first: bool = False
    """Make the first request as a call, to put the others as the server understands them."""
    most_rows: int = MOST_ROWS
    """Requests of one batch."""
    most_bytes: int = MOST_BYTES
    """Of one batch's file."""
    max_tokens: int = MAX_TOKENS
    """Of an answer that was cut off and is asked for again."""


class Batches:
    """See the module.

    Args:
        judging: With a large model behind a server, and a cache.
        sending: How requests go out.
        tick: Called with requests that the provider has answered, and all that are with it.
        tell: Called with what happens to each batch, a sentence.
        poll: See `POLL`.
    """

    def __init__(self, judging: Judging, sending: Sending, tick: Tick, tell: Callable[[str], None], poll: float) -> None:
        kept, self._server, self._cache = chat_of(judging)
        self._judging, self._ledger = judging, kept.ledger
        self._sending = sending
        self._tick, self._tell, self._poll = tick, tell, poll
        self._api = self._server.batches()
        self._folder = self._cache.path.with_name(self._cache.path.name + ".batches")
        self.sent = SentBatches(self._cache)
        self.chat = BatchChat(kept, self._put, ask_first=sending.ask_first)
        self._open = AsyncExitStack()
        self._files: RequestFiles
        self._waits_for: set[str] = set()
        """Names of batches that hold what this run lacks."""
        self._reserved = 0.0
        self._unpaid = False
        """Whether the budget did not allow for a request."""
        self._gives_up = False
        self._done: dict[str, tuple[int, int]] = {}
        """Batch -> requests that are answered, and all of it."""

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    def give_up(self) -> None:
        """Ask anew for what came back without an answer, and for batches that the provider does not know any more."""
        self.sent.forget_failures(self._judging.name)
        self._gives_up = True

    async def _begin(self) -> None:
        """Take the requests of another round. Until they are sent no other process sends any from this cache."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        await self._open.enter_async_context(self._alone())
        for name in self.sent.unsent(self._judging.name):
            if not self._file(name).exists():
                self.sent.drop(name)  # a kill came before its file was whole
        first, most = self._file(uuid.uuid4().hex), self._sending
        self._files = self._open.enter_context(RequestFiles(first, self._cache, self._judging.name, most.most_rows, most.most_bytes))
        self._waits_for.clear()
        self._unpaid = False

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until no other process sends from this cache, or reads results into it."""
        with (self._folder / "lock").open("ab") as file:
            while not free_to_write(file.fileno()):
                await asyncio.sleep(self._poll / 10)
            yield

    def _file(self, name: str, kind: str = "") -> Path:
        return self._folder / f"{name}{kind}.jsonl"

    def _put(self, key: bytes, request: ChatRequest) -> Failure:
        """Write a request down, unless a batch holds it or has held it."""
        known = self.sent.request(key)
        if known is not None and known.failure is None:
            self._waits_for.add(known.batch)
            return WAITING
        if known is not None and known.failure is not None and not known.again:
            return known.failure
        reserved = None if self._unpaid else self._ledger.reserve(len(request.system) + len(request.user), share=BATCH_SHARE)
        if reserved is None:
            self._unpaid = True
            return Failure(status="failed", kind="budget", reason=self._ledger.closed)
        self._reserved += reserved
        longer = known is not None and known.failure is not None and known.failure.kind == "cut_off"
        sent = self._server.sent(request, self._sending.max_tokens if longer else None)
        file = self._files.write(key, asked_of(request, sent.mode), request_row(key, sent))
        self.sent.add(key, file.stem, self._judging.name)
        self._waits_for.add(file.stem)
        return WAITING

    async def answered(self) -> bool:
        """Send what was written down and wait for all that this run lacks; whether anything was.

        Raises:
            ModelError: The server refuses it, or is not there any more.
        """
        self._files.close()
        names = sorted(self._waits_for)
        if not names:
            return False
        for name in names:
            batch = self.sent.batch(name)
            if batch is not None and not batch.id:
                await self._submit(batch)
        await self._open.aclose()
        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(self._read_when_ended(name))
        except BaseExceptionGroup as found:
            known = found.subgroup(ClaveError)
            raise (known or found).exceptions[0] from None
        self._ledger.free(self._reserved)
        self._reserved = 0.0
        await self._begin()
        return True

    async def _submit(self, batch: SentBatch) -> None:
        """See to it that a batch is with the provider, once. Only who is `_alone` may.

        Raises:
            ModelError: The provider refuses it.
        """
        name, file = batch.name, batch.file
        if not file:
            file = await self._api.upload(self._file(name))
            self.sent.note(name, file=file)
        asked = batch.asked
        for _ in range(_UNSURE):
            made = await self._found(name, file) if asked else None
            if made is None:
                self.sent.note(name, asked=(asked := True))
                try:
                    made = await self._api.create(file, name)
                except ModelError:
                    self.sent.note(name, file="", asked=False)  # it was not made: the next run begins with the file
                    raise
            if made is not None:
                self.sent.note(name, id=made.id)
                return
        raise ModelError(f"the server does not say whether it has made the batch of {file}; run the same command to look again")

    async def _found(self, name: str, file: str) -> ServerBatch | None:
        """A batch that was made and whose id did not arrive; it may take the server a while to list it."""
        for look in range(_LOOKS):
            made = await self._api.find(name, file)
            if made is not None or look == _LOOKS - 1:
                return made
            await asyncio.sleep(self._poll)
        return None

    async def _read_when_ended(self, name: str) -> None:
        """Wait for a batch's end and read its results. Where there is no room for it as yet, it is submitted again.

        Raises:
            ModelError: It failed as a whole.
        """
        pause, status = self._poll, ""
        size = self.sent.size(name)
        while (batch := self.sent.batch(name)) is not None:
            if not batch.id:
                async with self._alone():
                    batch = self.sent.batch(name)
                    if batch is not None and not batch.id:
                        await self._submit(batch)
                continue
            found = await self._api.get(batch.id)
            if found is None:
                self._lost(batch)
                return
            self._done[name] = (size if found.ended else found.done), size
            self._tick(*map(sum, zip(*self._done.values(), strict=True)))
            if found.status != status:
                self._tell(f"batch {found.id}: {size:,} requests, {found.status}")
                status = found.status
            if found.ended:
                async with self._alone():
                    if self.sent.batch(name) is not None:
                        await self._read(batch, found)
                return
            if found.failed and not found.full:
                self.sent.drop(name)
                self._clear(name)
                raise ModelError(f"the provider refuses batch {found.id} as a whole: {found.error or 'it does not say why'}")
            if found.failed:
                self.sent.note(name, asked=False, id="")
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_POLL)

    async def _read(self, batch: SentBatch, found: ServerBatch) -> None:
        """Put a batch's results into the cache, and note what is without an answer. Only who is `_alone` does.

        Raises:
            ModelError: All requests were rejected.
        """
        rest, again = _rest_of(found)
        kinds, reason = Counter[str](), ""
        for place, file in enumerate(found.files):
            path = self._file(batch.name, f".results-{place}")
            if not await self._api.download(file, path):
                rest, again = _failed("server", f"the results of batch {found.id} are gone from the server"), False
            for key, answer, trouble in answers(self._judging, [path], batch.evaluator, "skip"):
                kinds[trouble] += 1
                if isinstance(answer, Failure) and trouble != REFUSED:
                    self.sent.missed(key, answer, again=trouble in _AGAIN)
                    reason = answer.reason
        self.sent.end(batch.name, rest, again=again)
        self._clear(batch.name)
        if set(kinds) == {"rejected"} and kinds["rejected"] >= _REJECTED:
            self.sent.forget_failures(batch.evaluator)
            raise ModelError(f"all requests of batch {found.id} were rejected: {reason}; `ask_first` finds out what the server takes")

    def _lost(self, batch: SentBatch) -> None:
        """The provider does not know a batch.

        Raises:
            ModelError: It may be asked with another account's key, so the batch is not given up by itself.
        """
        if not self._gives_up:
            raise ModelError(
                f"the server knows no batch {batch.id}: is the key that of the account which it was sent with? If it is gone, "
                "`retry_failed` sends its requests again"
            )
        self.sent.drop(batch.name)
        self._clear(batch.name)

    def _clear(self, name: str) -> None:
        """Delete the files of a batch."""
        for path in self._folder.glob(f"{name}.*"):
            path.unlink(missing_ok=True)


def _rest_of(found: ServerBatch) -> tuple[Failure, bool]:
    """What becomes of requests that no row of the results answers, and whether they are worth another batch."""
    if found.status == "cancelled":
        return _failed("cancelled", f"batch {found.id} was cancelled before it came to this request"), False
    return _failed("server", f"batch {found.id} {found.status} without an answer to this request"), True


def _failed(kind: Literal["server", "cancelled"], reason: str) -> Failure:
    return Failure(status="failed", kind=kind, reason=reason)
