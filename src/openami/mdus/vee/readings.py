"""A register at an instant at which nobody read it: from intervals (E14), readings around it (E15), or its past (E19).

Asked for a bill or by a reading order, never kept: the next actual reading is worth more than any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.calendar import instant_of
from openami.mdus.series.rules import RANK, RANK_MEASURED
from openami.mdus.vee import registers
from openami.shared.quality import has_value
from openami.shared.spans import Span

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.store import Series

LOOK_BACK: Final = timedelta(days=400)
LOOK_AHEAD: Final = timedelta(days=100)
READ: Final = "read"
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """What a register stood at, and whether it was read or by which method that is known."""

    value: int
    method: str


async def register_at(
    series: Series, tx: AsyncConnection, channels: tuple[int | None, int], at: datetime, as_of: AsOf = None
) -> RegisterValue | None:
    """A register at an instant, as its digits would show it; None if nothing tells.

    `channels` are the interval channel that counts along with it, if there is one, and the register itself.
    """
    interval, register = channels
    around = await series.registers(tx, register, Span(at - LOOK_BACK, at + LOOK_AHEAD), as_of)
    actual = RANK[around.quality] >= RANK_MEASURED
    at_s = int(at.timestamp())
    exact = np.flatnonzero((around.at_s == at_s) & has_value(around.quality))
    if exact.size:
        return RegisterValue(int(around.value[exact[-1]]), READ)
    own = (await series.channels(tx, [register]))[0]
    modulus = own.modulus or 0
    total, piece = registers.unrolled(around.at_s[actual], around.value[actual], modulus, own.hourly_limit)
    earlier = around.at_s[actual] < at_s
    if not earlier.any():
        return None
    mine = piece == piece[earlier][-1]
    reads = list(zip(around.at_s[actual][mine].tolist(), total[mine].tolist(), strict=True))
    before, after = reads[: int((earlier & mine).sum())], reads[int((earlier & mine).sum()) :]
    used = None if interval is None else await _used(series, tx, interval, before[-1][0], at, as_of)
    found: RegisterValue | None
    if used is not None:
        found = RegisterValue(int(registers.from_intervals(Decimal(before[-1][1]), used, 0)), "E14")
    elif after:
        found = RegisterValue(_whole(registers.prorate(before[-1], after[0], at_s)), "E15")
    else:
        found = _from_its_past(before, at_s)
    return replace(found, value=found.value % modulus) if found and modulus else found


async def _used(
    series: Series, tx: AsyncConnection, interval: int, since_s: int, at: datetime, as_of: AsOf
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """The intervals between two instants, where all of them are there, actual and cut at both."""
    span = await series.read(tx, interval, Span(instant_of(since_s), at), as_of)
    length_s = int(at.timestamp()) - since_s
    whole = len(span) * span.interval_s == length_s and len(span) > 0 and int(span.start_s[0]) == since_s
    return span.values if whole and bool((RANK[span.quality] >= RANK_MEASURED).all()) else None


def _from_its_past(before: list[tuple[int, int]], at_s: int) -> RegisterValue | None:
    """California's monthly estimate: the daily use between the last two readings goes on."""
    if len(before) < 2:
        return None
    (first_s, low), (last_s, high) = before[0], before[-1]
    history_days, days = (last_s - first_s) // _DAY_S, (at_s - last_s) // _DAY_S
    if history_days < 1:
        return None
    return RegisterValue(registers.monthly_usage(Decimal(high - low), history_days, days, 1, high), "E19")


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))
