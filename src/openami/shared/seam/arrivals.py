"""Storing what arrives: all that comes while the last group is being committed shares the next transaction.

A sender is answered after the commit that holds its message, so that nothing acknowledged is lost; a thousand senders
at once cost as many commits as fit into that time, not a thousand. A message that the database does not take is
stored (and refused) alone, and hurts nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openami.shared.database import columns_of, given, insert_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy import Table, UpdateBase
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.seam.model import Seam

GROUP_MAX: Final = 256
GROUP_BYTES_MAX: Final = 16 * 1024 * 1024
"""A group holds this much and one message more: large ones are not heaped up in memory twice."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came in."""

    seam: Seam
    partner: str
    id: UUID
    operation: str
    body: bytes
    business_key: str = ""
    reference_id: UUID | None = None
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.body).digest())

    @property
    def key(self) -> tuple[str, str, UUID, bytes]:
        """By what a repeat is known: sender, id and content."""
        return (self.seam.value, self.partner, self.id, self.digest)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a received message: new, or a repeat whose stored answer can be given again."""

    new: bool
    state: str
    answer: bytes | None


class Arrivals:
    """Gathers what arrives and has it stored in groups by `store`, which commits before it returns."""

    def __init__(self, store: Callable[[Sequence[Arrival]], Awaitable[Sequence[Receipt]]]) -> None:
        self._store = store
        self._waiting: deque[tuple[Arrival, asyncio.Future[Receipt]]] = deque()
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, arrival: Arrival) -> Receipt:
        """Have a message stored; it is durable when this returns."""
        waiter: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, waiter))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        return await waiter

    async def _store_all(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                receipts = await self._store([arrival for arrival, _ in group])
            except Exception as error:  # noqa: BLE001 - the sender is told, whatever it was
                if len(group) == 1:
                    _tell(group[0][1], error)
                else:
                    await self._store_apart(group)
            else:
                for (_, waiter), receipt in zip(group, receipts, strict=True):
                    _tell(waiter, receipt)

    async def _store_apart(self, group: Sequence[tuple[Arrival, asyncio.Future[Receipt]]]) -> None:
        for arrival, waiter in group:
            try:
                _tell(waiter, (await self._store([arrival]))[0])
            except Exception as error:  # noqa: BLE001 - as above
                _tell(waiter, error)

    def _next_group(self) -> list[tuple[Arrival, asyncio.Future[Receipt]]]:
        """The next ones in order, none of them twice: a repeat within a group has to find the first one stored."""
        group: list[tuple[Arrival, asyncio.Future[Receipt]]] = []
        known: set[tuple[str, str, UUID, bytes]] = set()
        size_bytes = 0
        while self._waiting and len(group) < GROUP_MAX and size_bytes < GROUP_BYTES_MAX:
            arrival, _ = self._waiting[0]
            if arrival.key in known:
                break
            known.add(arrival.key)
            size_bytes += len(arrival.body)
            group.append(self._waiting.popleft())
        return group


def _tell(waiter: asyncio.Future[Receipt], outcome: Receipt | Exception) -> None:
    """Wake the one who waits, unless he has gone away."""
    if waiter.done():
        return
    if isinstance(outcome, Exception):
        waiter.set_exception(outcome)
    else:
        waiter.set_result(outcome)


_COLUMNS: Final = ("id", "seam", "partner", "digest", "operation", "business_key", "reference_id", "body")


async def store_arrivals(
    transaction: AsyncConnection, table: Table, arrivals: Sequence[Arrival], *, now: datetime
) -> list[Receipt]:
    """Insert messages of different keys by one statement; a known one counts as repeated once more."""
    values = columns_of(arrivals, _COLUMNS) | {"next_attempt_at": datetime.now(UTC), "received_at": now}
    rows = await transaction.execute(_insert(table), given(values))
    known = {(row.seam, row.partner, row.id, bytes(row.digest)): row for row in rows}
    return [
        Receipt(new=row.repeats == 0, state=row.state, answer=row.answer)
        for row in (known[arrival.key] for arrival in arrivals)
    ]


@lru_cache(maxsize=8)
def _insert(table: Table) -> UpdateBase:
    statement = insert_rows(table, _COLUMNS, for_all=("next_attempt_at", "received_at"))
    return statement.on_conflict_do_update(
        index_elements=["seam", "partner", "id", "digest"], set_={"repeats": table.c.repeats + 1}
    ).returning(
        table.c.seam, table.c.partner, table.c.id, table.c.digest, table.c.repeats, table.c.state, table.c.answer
    )
