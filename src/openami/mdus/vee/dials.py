"""What the register of a channel says about its days: how far it advanced (V16), and whether it can be (V10, V24)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series import registers
from openami.mdus.series.calendar import instant_of
from openami.mdus.series.channels import NO_REGISTER
from openami.mdus.series.rules import RANK, RANK_MEASURED
from openami.mdus.vee.registers import most_in
from openami.shared.quality import has_value
from openami.shared.spans import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.channels import Channels
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import RegisterReadings
    from openami.mdus.series.store import Series

_LOOK_BACK: Final = timedelta(days=400)


async def register_facts(
    series: Series,
    tx: AsyncConnection,
    channels: Channels,
    own: NDArray[np.intp],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    as_of: AsOf,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[str, NDArray[Any]]]:
    """Register differences between exact instants, in the channels' units, where both readings are actual.

    And what V10 and V24 look at, where there are readings at all.
    """
    start_s, end_s = bounds
    advance, known = np.zeros(len(own), np.int64), np.zeros(len(own), np.bool_)
    has = np.flatnonzero((channels.register[own] != NO_REGISTER) & (end_s > start_s))
    if not has.size:
        return advance, known, {}
    of = own[has]
    at_start = await series.registers_at(tx, channels.register[of], start_s[has], as_of)
    at_end = await series.registers_at(tx, channels.register[of], end_s[has], as_of)
    difference = at_end.value - at_start.value
    modulus = channels.modulus[of]
    most = most_in(channels.hourly_limit[of], (end_s - start_s)[has])
    rolled = (difference < 0) & (modulus > 0) & (difference + modulus <= most)
    actual = (RANK[at_start.quality] >= RANK_MEASURED) & (RANK[at_end.quality] >= RANK_MEASURED)
    advance[has] = np.where(rolled, difference + modulus, difference)
    known[has] = actual & ((difference >= 0) | rolled)
    more = await _doubts(tx, at_start, at_end, modulus, most, as_of)
    return advance, known, {name: _spread(column, has, len(own)) for name, column in more.items()}


async def _doubts(
    tx: AsyncConnection,
    before: RegisterReadings,
    after: RegisterReadings,
    modulus: NDArray[np.int64],
    most: NDArray[np.int64],
    as_of: AsOf,
) -> dict[str, NDArray[Any]]:
    """The pairs of readings that cannot be as they are: rare, so mostly nothing."""
    both = has_value(before.quality) & has_value(after.quality)
    beyond = (modulus > 0) & ((before.value >= modulus) | (after.value >= modulus))
    falls = both & (after.value < before.value)
    found: dict[str, NDArray[Any]] = {"beyond_dials": beyond} if beyond.any() else {}
    if not falls.any():
        return found
    estimated = RANK[before.quality] < RANK_MEASURED
    last_actual = before.value.copy()
    for row in np.flatnonzero(falls & estimated).tolist():
        last_actual[row] = await _last_actual(tx, int(before.channel[row]), int(before.at_s[row]), as_of)
    return found | {
        "register_before": np.where(falls, before.value, 0),
        "register_after": np.where(falls, after.value, 0),
        "modulus": modulus,
        "most": most,
        "before_estimated": estimated,
        "last_actual": last_actual,
    }


async def _last_actual(tx: AsyncConnection, register: int, at_s: int, as_of: AsOf) -> int:
    """The last actual reading before an instant; 0 if there is none."""
    at = instant_of(at_s)
    found = await registers.within(tx, register, Span(at - _LOOK_BACK, at), as_of)
    actual = found.value[RANK[found.quality] >= RANK_MEASURED]
    return int(actual[-1]) if actual.size else 0


def _spread(column: NDArray[Any], rows: NDArray[np.intp], count: int) -> NDArray[Any]:
    """A column of some rows as one of all, 0 elsewhere."""
    whole = np.zeros(count, column.dtype)
    whole[rows] = column
    return whole
