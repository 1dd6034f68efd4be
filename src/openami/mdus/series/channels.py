"""The declared channels as columns, so that a batch of many thousand finds what it needs without a loop.

Rows are remembered between transactions; every use compares revisions with the database first (and locks, for
writers), so that what another process or a rolled-back transaction did is never missed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.sql import SQL
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.series import tables
from openami.mdus.series.calendar import seconds
from openami.mdus.series.model import Channel
from openami.mdus.series.packing import array_literal
from openami.shared.database import psycopg_connection
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.calendar import Calendar

NO_REGISTER: Final = -1
_FOREVER_S: Final = 1 << 40
_RECENT: Final = 8  # sets of channels whose columns are kept ready: shards of a fleet and their registers
_CHANGEABLE: Final = (
    "register", "register_step", "modulus", "rating_w", "rule_set", "kind", "net", "since", "until", "revision",
)  # fmt: skip
_REVISIONS: Final = SQL(
    "SELECT string_agg(int8send(id) || int8send(revision), '' ORDER BY id) FROM"
    " (SELECT id, revision FROM series_channel WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id {lock}) AS c"
)
_LOCK: Final = SQL("FOR NO KEY UPDATE")


class UnknownChannelError(OpenAmiError):
    """A channel that was never declared."""


class Channels:
    """Some channels, by ascending id, as columns."""

    def __init__(self, members: Sequence[Channel]) -> None:
        """Take channels in ascending order of their ids."""
        self.members = members
        self.id: NDArray[np.int64] = np.array([one.id for one in members], np.int64)
        self.register = self._column(NO_REGISTER if one.register is None else one.register for one in members)
        self.register_step = self._column(one.register_step for one in members)
        self.modulus = self._column(one.modulus or 0 for one in members)
        self.hourly_limit = self._column(one.hourly_limit for one in members)
        self.net = self._column(one.net for one in members).astype(np.bool_)
        self.since_s = self._column(seconds(one.since) if one.since else -_FOREVER_S for one in members)
        self.until_s = self._column(seconds(one.until) if one.until else _FOREVER_S for one in members)
        sorts: dict[tuple[object, ...], int] = {}
        self.sort = self._column(sorts.setdefault(_sort(one), len(sorts)) for one in members)

    def __len__(self) -> int:
        return len(self.members)

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where these channels stand here; all of them do."""
        return np.searchsorted(self.id, ids)

    def by_id(self) -> dict[int, Channel]:
        """The channels as values."""
        return {one.id: one for one in self.members}

    def calendars(self) -> list[tuple[Calendar, NDArray[np.bool_]]]:
        """The different calendars, and which channels have each."""
        found: dict[Calendar, NDArray[np.bool_]] = {}
        for number in np.unique(self.sort).tolist():
            mine = self.sort == number
            calendar = self.members[int(mine.argmax())].calendar
            found[calendar] = found.get(calendar, np.zeros(len(self), np.bool_)) | mine
        return list(found.items())

    def _column(self, cells: Iterable[int]) -> NDArray[np.int64]:
        return np.fromiter(cells, np.int64, count=len(self.members))


class Memory:
    """Remembers channels between transactions, never without asking whether they are still so."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Channel]] = {}
        self._recent: dict[bytes, Channels] = {}

    async def channels(self, tx: AsyncConnection, ids: NDArray[np.int64], *, lock: bool) -> Channels:
        """The channels of these ids (ascending, distinct); `lock` makes other writers of them wait.

        Raises:
            UnknownChannelError: one of them was never declared.
        """
        connection = await psycopg_connection(tx)
        async with connection.cursor(binary=True) as cursor:
            query = _REVISIONS.format(lock=_LOCK if lock else SQL(""))
            await cursor.execute(query, {"ids": array_literal(ids)})
            row = await cursor.fetchone()
        revisions = bytes(row[0] or b"") if row else b""
        if revisions in self._recent:
            return self._recent[revisions]
        found = np.frombuffer(revisions, [("id", ">i8"), ("revision", ">i8")])
        _refuse_unknown(ids, found["id"].astype(np.int64))
        stale = [one for one, revision in found.tolist() if self._known.get(one, (None,))[0] != revision]
        for start in range(0, len(stale), 50_000):
            self._known.update(await _load(tx, stale[start : start + 50_000]))
        result = Channels([self._known[one][1] for one in found["id"].tolist()])
        if len(self._recent) >= _RECENT:
            self._recent.pop(next(iter(self._recent)))
        self._recent[revisions] = result
        return result


def _refuse_unknown(ids: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    if len(found) != len(ids):
        unknown = np.setdiff1d(ids, found)
        raise UnknownChannelError(
            f"{len(unknown)} channels were never declared, the first is {unknown[0]}.",
            hint="Declare a channel (Series.declare) when its device is registered.",
        )


async def declare(tx: AsyncConnection, channels: Iterable[Channel]) -> None:
    """Make channels known, or change what is known of them (never their calendar)."""
    rows = [asdict(channel) for channel in channels]
    if rows:
        statement = insert(tables.channel)
        changes = {name: statement.excluded[name] for name in _CHANGEABLE}
        await tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes), rows)


async def of_registers(tx: AsyncConnection, registers: Iterable[int]) -> dict[int, list[Channel]]:
    """The interval channels that count along with these registers, by register."""
    among = tables.any_of(sorted({int(one) for one in registers}))
    query = select(tables.channel).where(tables.channel.c.register == among).order_by(tables.channel.c.id)
    found: dict[int, list[Channel]] = {}
    for row in (await tx.execute(query)).mappings():
        found.setdefault(row["register"], []).append(_channel(row))
    return found


async def _load(tx: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[int, Channel]]:
    query = select(tables.channel).where(tables.channel.c.id == tables.any_of(ids))
    return {row["id"]: (row["revision"], _channel(row)) for row in (await tx.execute(query)).mappings()}


def _channel(row: Any) -> Channel:  # noqa: ANN401 - a row by column names
    return Channel(**{name: row[name] for name in Channel.__dataclass_fields__})


def _sort(one: Channel) -> tuple[object, ...]:
    """Channels of one sort are judged together."""
    return (one.zone, one.interval_s, one.day_start_s, one.rule_set, one.kind)
