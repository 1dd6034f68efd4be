"""The declared channels as columns, so that a batch of many thousand finds what it needs without a loop.

Columns are remembered between transactions; every use compares revisions with the database first (and locks, for
writers), so that what another process or a rolled-back transaction did is never missed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, overload
from weakref import WeakKeyDictionary

import numpy as np
from psycopg.sql import SQL
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.series import tables
from openami.mdus.series.calendar import Calendar, instant_of
from openami.mdus.series.model import Channel
from openami.mdus.series.packing import array_literal
from openami.shared.database import psycopg_connection
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

NO_REGISTER: Final = -1
_FOREVER_S: Final = 1 << 40
_REMEMBERED: Final = 1_000_000  # channels of which the columns are kept, 80 bytes each
_FEW: Final = 64  # channels that are asked for as they are: to compare revisions first would be a round trip more
_CHANGEABLE: Final = (
    "register", "register_step", "modulus", "rating_w", "rule_set", "kind", "net", "since", "until", "revision",
)  # fmt: skip
_REVISIONS: Final = SQL(
    "SELECT string_agg(int8send(id) || int8send(revision), '' ORDER BY id) FROM"
    " (SELECT id, revision FROM series_channel WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id {lock}) AS c"
)
_ALONG: Final = SQL(
    "SELECT string_agg(int8send(id), '' ORDER BY id) FROM series_channel WHERE register = ANY(%(registers)s::bigint[])"
)
_LOCK: Final = SQL("FOR NO KEY UPDATE")
_NUMBERS: Final = ("id", "register", "register_step", "modulus", "rating_w", "net", "since_s", "until_s")
# in no order: sorting rows by what nearly all have alike took five times as long as all else here
_COLUMNS: Final = SQL(
    "SELECT zone, interval_s, day_start_s, unit, scale, rule_set, kind,"
    " string_agg(int8send(id) || int8send(coalesce(register, {none})) || int8send(register_step)"
    " || int8send(coalesce(modulus, 0)) || int8send(coalesce(rating_w, 0)) || int8send(net::int)"
    " || int8send(coalesce(floor(date_part('epoch', since))::bigint, -{forever}))"
    " || int8send(coalesce(floor(date_part('epoch', until))::bigint, {forever})), '')"
    " FROM series_channel WHERE id = ANY(%(ids)s::bigint[]) GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7"
).format(none=NO_REGISTER, forever=_FOREVER_S)


class UnknownChannelError(OpenAmiError):
    """A channel that was never declared."""


class Channels(Sequence[Channel]):
    """Some channels, by ascending id, as columns; as a sequence they are values, made when they are asked for."""

    def __init__(self, sorts: Sequence[tuple[Any, ...]], columns: NDArray[np.void], sort: NDArray[np.int64]) -> None:
        """Take what channels of one sort share, the numbers of each channel, and the sort of each, in order of ids."""
        self._sorts, self._columns = sorts, columns
        self.id, self.register, self.register_step, self.modulus, self._rating_w, net, self.since_s, self.until_s = (
            columns[name].astype(np.int64) for name in _NUMBERS
        )
        self.net = net.astype(np.bool_)
        self.sort = sort
        _, kinds = np.unique(sort * (1 << 40) + self._rating_w, return_index=True)
        self.hourly_limit = np.zeros(len(sort), np.int64)
        for place in kinds.tolist():  # few: fleets have few ratings
            alike = (sort == sort[place]) & (self._rating_w == self._rating_w[place])
            self.hourly_limit[alike] = self[place].hourly_limit

    def __len__(self) -> int:
        return len(self.id)

    @overload
    def __getitem__(self, place: int) -> Channel: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Channel]: ...
    def __getitem__(self, place: int | slice) -> Channel | Sequence[Channel]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        zone, interval_s, day_start_s, unit, scale, rule_set, kind = self._sorts[self.sort[place]]
        since_s, until_s = int(self.since_s[place]), int(self.until_s[place])
        register, modulus, rating_w = (int(one[place]) for one in (self.register, self.modulus, self._rating_w))
        return Channel(
            int(self.id[place]), zone, interval_s, day_start_s, unit, scale,
            register=None if register == NO_REGISTER else register,
            register_step=int(self.register_step[place]),
            modulus=modulus or None, rating_w=rating_w or None, rule_set=rule_set, kind=kind,
            net=bool(self.net[place]),
            since=None if since_s == -_FOREVER_S else instant_of(since_s),
            until=None if until_s == _FOREVER_S else instant_of(until_s),
        )  # fmt: skip

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where these channels stand here; all of them do."""
        return np.searchsorted(self.id, ids)

    def part(self, ids: NDArray[np.int64]) -> Channels | None:
        """Some of these channels, by ascending id; None if one of them is not here."""
        if len(ids) == len(self) and np.array_equal(ids, self.id):
            return self
        place = np.minimum(np.searchsorted(self.id, ids), max(len(self) - 1, 0))
        if not len(self) or not np.array_equal(self.id[place], ids):
            return None
        return Channels(self._sorts, self._columns[place], self.sort[place])

    def calendar(self, place: int) -> Calendar:
        """How the channel at a place cuts time."""
        zone, interval_s, day_start_s, *_ = self._sorts[self.sort[place]]
        return Calendar(zone, interval_s, day_start_s)

    def calendars(self) -> list[tuple[Calendar, NDArray[np.bool_]]]:
        """The different calendars, and which channels have each."""
        found: dict[Calendar, NDArray[np.bool_]] = {}
        for number in np.unique(self.sort).tolist():
            mine = self.sort == number
            calendar = self.calendar(int(mine.argmax()))
            found[calendar] = found.get(calendar, np.zeros(len(self), np.bool_)) | mine
        return list(found.items())


class Memory:
    """Remembers channels between transactions, never without asking whether they are still so."""

    def __init__(self, *, limit: int = _REMEMBERED) -> None:
        self._recent: OrderedDict[bytes, Channels] = OrderedDict()
        self._locked: WeakKeyDictionary[object, list[Channels]] = WeakKeyDictionary()
        self._held = 0
        self._limit = limit

    async def channels(self, tx: AsyncConnection, ids: NDArray[np.int64], *, lock: bool) -> Channels:
        """The channels of these ids (ascending, distinct); `lock` makes other writers of them wait.

        Raises:
            UnknownChannelError: one of them was never declared.
        """
        for own in self._locked_by(tx):
            if (part := own.part(ids)) is not None:
                return part
        found = await self._asked(tx, ids, lock=lock)
        if lock:
            transaction = tx.get_nested_transaction() or tx.get_transaction()
            self._locked.setdefault(transaction, []).append(found)
        return found

    def forget(self, tx: AsyncConnection) -> None:
        """A transaction has itself changed channels: what it remembers of them no longer holds."""
        for transaction in (tx.get_nested_transaction(), tx.get_transaction()):
            if transaction is not None:
                self._locked.pop(transaction, None)

    def _locked_by(self, tx: AsyncConnection) -> Iterator[Channels]:
        """What a transaction has locked cannot change before it ends, so nobody has to be asked again."""
        for transaction in (tx.get_nested_transaction(), tx.get_transaction()):
            if transaction is not None:
                yield from self._locked.get(transaction, ())

    async def _asked(self, tx: AsyncConnection, ids: NDArray[np.int64], *, lock: bool) -> Channels:
        connection = await psycopg_connection(tx)
        wanted = {"ids": array_literal(ids)}
        async with connection.cursor(binary=True) as cursor:
            if len(ids) <= _FEW and not lock:
                await cursor.execute(_COLUMNS, wanted)
                few = _channels(await cursor.fetchall())
                _refuse_unknown(ids, few.id)
                return few
            await cursor.execute(_REVISIONS.format(lock=_LOCK if lock else SQL("")), wanted)
            row = await cursor.fetchone()
            revisions = bytes(row[0] or b"") if row else b""
            if revisions in self._recent:
                self._recent.move_to_end(revisions)
                return self._recent[revisions]
            _refuse_unknown(ids, np.frombuffer(revisions, [("id", ">i8"), ("revision", ">i8")])["id"].astype(np.int64))
            await cursor.execute(_COLUMNS, wanted)
            found = _channels(await cursor.fetchall())
        self._recent[revisions] = found
        self._held += len(found)
        while self._held > self._limit and len(self._recent) > 1:
            self._held -= len(self._recent.popitem(last=False)[1])
        return found


def _channels(rows: Sequence[tuple[Any, ...]]) -> Channels:
    kind = np.dtype([(name, ">i8") for name in _NUMBERS])
    parts = [np.frombuffer(row[-1], kind) for row in rows]
    columns = np.concatenate(parts) if parts else np.zeros(0, kind)
    sort = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int64)
    order = np.argsort(columns["id"], kind="stable")
    return Channels([tuple(row[:-1]) for row in rows], columns[order], sort[order])


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


async def of_registers(tx: AsyncConnection, registers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The interval channels that count along with these registers, by ascending id."""
    connection = await psycopg_connection(tx)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_ALONG, {"registers": array_literal(np.unique(registers))})
        row = await cursor.fetchone()
    return np.frombuffer((row and row[0]) or b"", ">i8").astype(np.int64)
