"""What each token may spend, kept in the database of jobs: a restart does not fill it up again.

from clave.llm.account import PAYS

accounts = Accounts({"9f2c": Account(dollars=5.0)}, store)
await accounts.load()
PAYS.set(accounts.of("9f2c"))      # calls that are made for this request are charged to it, and refused beyond it
await accounts.save("9f2c")
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from clave.llm.account import Account
from clave.server.job_store import JobStore


class Accounts:
    """See the module.

    Args:
        accounts: Sender -> what it may spend; others may spend what the service may.
        store: Where it is kept what they have spent; None: nowhere.
    """

    def __init__(self, accounts: Mapping[str, Account], store: JobStore | None) -> None:
        self._accounts = accounts
        self._store, self._exchanging = store, asyncio.Lock()

    def of(self, sender: str) -> Account | None:
        """The account of a sender, where it has one."""
        return self._accounts.get(sender)

    async def load(self) -> None:
        """Take over what was spent before."""
        for sender in self._accounts:
            await self._exchange(sender)

    async def save(self, sender: str) -> None:
        """Keep what a sender has spent since; nothing is done where that is nothing."""
        account = self._accounts.get(sender)
        if account is not None and account.unsaved != (0.0, 0):
            await self._exchange(sender)

    async def _exchange(self, sender: str) -> None:
        if self._store is None:
            return
        account = self._accounts[sender]
        async with self._exchanging:
            dollars, calls = account.unsaved
            account.unsaved = (0.0, 0)
            try:
                spent, made = await asyncio.to_thread(self._store.spent, sender, dollars, calls)
            except Exception:  # not where this is cancelled: the thread goes on, and keeps it
                account.unsaved = account.unsaved[0] + dollars, account.unsaved[1] + calls
                raise
            account.spent, account.made = spent + account.unsaved[0], made + account.unsaved[1]
