"""What deliveries and events said about intervals beside their values: the facts of V01 to V04, V06 to V10, V35.

Kept only where something is odd, so that a run finds the same facts whenever it judges a day. A note holds for an
interval until the value of another delivery takes its place; one about a part that was refused, while it is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.sql import SQL

from openami.mdus.series.knowledge import knowledge_clause
from openami.mdus.series.model import ChannelDays
from openami.mdus.series.packing import array_literal
from openami.mdus.unify.oddities import REFUSED, Oddity
from openami.mdus.vee import tables
from openami.shared.database import psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.channels import Channels
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.vee.model import Facts

_NOW_UNKNOWN: Final = 1 << 40
_NOTES: Final = SQL(
    "SELECT DISTINCT ON (d.day, d.channel, d.rule) d.channel, d.day - DATE '0001-01-01' + 1, d.rule, d.slots,"
    ' d."values", d.told, d.expected FROM vee_note d'
    " JOIN unnest(%(channels)s::bigint[], %(days)s::int[]) AS k (channel, day)"
    " ON d.day = DATE '0001-01-01' + (k.day - 1) AND d.channel = k.channel {as_of}"
    " ORDER BY d.day, d.channel, d.rule, d.sequence DESC"
)


@dataclass(frozen=True, slots=True)
class Note:
    """What one rule is to know of some slots of a channel-day, a number for each."""

    rule: str
    channel: int
    day: int
    slots: tuple[int, ...]
    values: tuple[int, ...]
    told: str = ""
    expected: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """There is one note at a time for each rule and channel-day."""
        return self.rule, self.channel, self.day

    def but_for(self, slots: Iterable[int]) -> Note:
        """The same without some slots."""
        gone = set(slots)
        left = [(slot, value) for slot, value in zip(self.slots, self.values, strict=True) if slot not in gone]
        return _note(self, dict(left))

    def over(self, older: Note | None) -> Note:
        """The same with the slots of an older one that it does not speak of."""
        if older is None:
            return self
        both = dict(zip(older.slots, older.values, strict=True)) | dict(zip(self.slots, self.values, strict=True))
        return _note(self, both)


def _note(like: Note, cells: Mapping[int, int]) -> Note:
    order = sorted(cells)
    values = tuple(cells[slot] for slot in order)
    return Note(like.rule, like.channel, like.day, tuple(order), values, like.told, like.expected)


def notes_from(oddities: Iterable[Oddity], channels: Channels) -> list[Note]:
    """What is odd about a delivery, by channel-day."""
    found: dict[tuple[str, int, int], Note] = {}
    for one in oddities:
        calendar = channels.calendar(int(channels.places(np.array([one.channel]))[0]))
        days, slots, _ = calendar.slots(one.start_s)
        for day in np.unique(days).tolist():
            mine = days == day
            cells = dict(zip(slots[mine].tolist(), one.value[mine].tolist(), strict=True))
            note = _note(Note(one.rule, one.channel, day, (), (), one.told, one.expected), cells)
            key = (one.rule, one.channel, day)
            found[key] = note.over(found.get(key))
    return list(found.values())


def of_replaced(kept: ChannelDays, replaced: NDArray[np.bool_]) -> list[Note]:
    """The values that others took the place of (V07): what was there before."""
    notes = []
    for row in np.flatnonzero(replaced.any(axis=1)).tolist():
        slots = np.flatnonzero(replaced[row])
        before = kept.values[row, slots]
        notes.append(
            Note("V07", int(kept.channel[row]), int(kept.day[row]), tuple(slots.tolist()), tuple(before.tolist()))
        )
    return notes


async def keep(tx: AsyncConnection, notes: Sequence[Note], at: datetime) -> None:
    """Keep notes; each takes the place of the one of its rule and channel-day, whose other slots it must carry on."""
    if notes:
        rows = [
            {
                "day": date.fromordinal(one.day), "channel": one.channel, "rule": one.rule, "slots": list(one.slots),
                "values": list(one.values), "told": one.told, "expected": one.expected, "recorded_at": at,
            }
            for one in notes
        ]  # fmt: skip
        await tx.execute(tables.note.insert(), rows)


async def of_days(tx: AsyncConnection, days: ChannelDays, as_of: AsOf = None) -> list[Note]:
    """The notes about channel-days, as known now or then; those without slots say that there is none any more."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channels": array_literal(days.channel), "days": array_literal(days.day)}
    connection = await psycopg_connection(tx)
    async with connection.cursor() as cursor:
        await cursor.execute(_NOTES.format(as_of=clause), parameters)
        rows = await cursor.fetchall()
    return [
        Note(rule, channel, day, tuple(slots), tuple(values), told, expected)
        for channel, day, rule, slots, values, told, expected in rows
        if slots
    ]


async def clock_checks(tx: AsyncConnection, facts: Facts, as_of: AsOf = None) -> dict[str, Any]:
    """V03: how far off the clock was on each day before, the nearest first, and which of them brought anything."""
    off = np.flatnonzero(facts.more.get("clock_drift_s", np.zeros(0)))
    if not off.size or facts.reference is None:
        return {}
    before = np.flatnonzero(facts.reference.distance[0] < 0)
    day = facts.days.day[off, None] + facts.reference.distance[np.ix_(off, before)]
    channel = np.broadcast_to(facts.days.channel[off, None], day.shape)
    keys = np.unique(np.stack((channel.ravel(), day.ravel())), axis=1)
    told = await of_days(tx, ChannelDays.empty(keys[0], keys[1], 0), as_of)
    drift_of = {(one.channel, one.day): max(one.values) for one in told if one.rule == "V03"}
    found = np.zeros((len(facts.days), len(before)), np.int64)
    each = zip(channel.ravel().tolist(), day.ravel().tolist(), strict=True)
    found[off] = np.array([drift_of.get(key, 0) for key in each]).reshape(day.shape)
    return {"clock_drifts_s": found, "clock_checked": facts.more["reference_measured"][:, before]}


def superseded(notes: Iterable[Note], days: ChannelDays, taken: NDArray[np.bool_]) -> list[Note]:
    """Notes about values that others took the place of, without those slots."""
    row_of = _rows(days)
    changed = []
    for one in notes:
        gone = np.flatnonzero(taken[row_of[one.channel, one.day]]).tolist()
        left = one.but_for(gone)
        if one.rule not in REFUSED and left.slots != one.slots:
            changed.append(left)
    return changed


def over(fresh: Iterable[Note], older: Iterable[Note]) -> list[Note]:
    """New notes that carry on the slots of the last older one of their rule and channel-day."""
    known = {one.key: one for one in older}
    return [one.over(known.get(one.key)) for one in fresh]


def untold(left: Iterable[Note], fresh: Iterable[Note]) -> list[Note]:
    """What is left of older notes of which no new one speaks."""
    told = {one.key for one in fresh}
    return [one for one in left if one.key not in told]


def only(notes: Iterable[Note], days: ChannelDays, taken: NDArray[np.bool_]) -> list[Note]:
    """Notes about channel-days of a batch, on the slots that were taken."""
    row_of = _rows(days)
    mine = [one for one in notes if (one.channel, one.day) in row_of]
    cut = [one.but_for(np.flatnonzero(~taken[row_of[one.channel, one.day]]).tolist()) for one in mine]
    return [one for one in cut if one.slots]


def as_facts(days: ChannelDays, interval_s: int, start_s: NDArray[np.int64], notes: Sequence[Note]) -> dict[str, Any]:
    """Notes as facts by name: what the rules of `checks.source` ask for, and the slots that each is about."""
    facts: dict[str, Any] = {}
    row_of = _rows(days)
    for rule in sorted({one.rule for one in notes}):
        told = _Told.of(days, [one for one in notes if one.rule == rule], row_of)
        facts[f"{rule} slots"] = told.cells
        facts |= _named(rule, told, np.asarray(told.cells.any(axis=1), np.bool_), interval_s, start_s)
    return facts


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """The notes of one rule as matrices and columns."""

    cells: NDArray[np.bool_]
    value: NDArray[np.int64]
    told: NDArray[np.str_]
    expected: NDArray[np.str_]

    @staticmethod
    def of(days: ChannelDays, notes: Sequence[Note], row_of: Mapping[tuple[int, int], int]) -> _Told:
        cells, value = np.zeros(days.values.shape, np.bool_), np.zeros(days.values.shape, np.int64)
        told, expected = [""] * len(days), [""] * len(days)
        for one in notes:
            row, slots = row_of[one.channel, one.day], list(one.slots)
            cells[row, slots], value[row, slots] = True, one.values
            told[row], expected[row] = one.told, one.expected
        return _Told(cells, value, np.array(told), np.array(expected))


def _named(
    rule: str, told: _Told, rows: NDArray[np.bool_], interval_s: int, start_s: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    most = told.value.max(axis=1, initial=0)
    count = told.cells.shape[1]
    texts = {"V01": ("reported_device", "expected_device"), "V09": ("declared_unit", "unit")}
    texts["V10"] = ("declared_multiplier", "multiplier")
    if rule in texts:
        first, second = texts[rule]
        return {first: np.where(rows, told.told, ""), second: np.where(rows, told.expected, "")}
    usual: dict[str, dict[str, NDArray[Any]]] = {
        "V02": {"reader_synced": ~rows},
        "V03": {"clock_drift_s": np.where(rows, most, 0)},
        "V04": {"delivered_count": np.where(rows, most, count)},
        "V06": {"contradicting": told.cells},
        "V07": {"replaced": told.cells, "before": told.value},
        "V08": {"declared_interval_s": np.where(rows, most, interval_s)},
        "V35": {"start_s": start_s, "now_s": np.where(rows, most, _NOW_UNKNOWN)},
    }
    return usual[rule]


def _rows(days: ChannelDays) -> dict[tuple[int, int], int]:
    return {key: row for row, key in enumerate(zip(days.channel.tolist(), days.day.tolist(), strict=True))}
