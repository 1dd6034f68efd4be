"""What the days around a day say about it: the facts of V17, V20, V27, V36 and E08, by row of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series.knowledge import Knowledge
from openami.mdus.vee import store
from openami.shared.quality import is_estimated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.vee.model import Facts, Reference

RECENT_DAYS: Final = 7
"""The period that is looked at: the day and the six before it, so that a Sunday is not compared with a week."""
BEFORE_DAYS: Final = 35
"""The period it is compared with: the four weeks before."""
MONTH_DAYS: Final = 30
YEAR_DAYS: Final = 365
_LAST_DAY: Final = 4_000_000
"""More than any ordinal of a day."""


def facts_from(facts: Facts, reference: Reference, estimates: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
    """Use, peak and estimates of the days before; `estimates` are the estimated slots of each candidate day."""
    distance = reference.distance
    whole = np.asarray(reference.usable.all(axis=2), np.bool_)
    totals = np.where(whole, reference.values.sum(axis=2), 0)
    own_whole = np.asarray((facts.present | ~facts.active).all(axis=1), np.bool_)
    own = np.where(own_whole, facts.days.values.sum(axis=1), 0)
    recent = whole & (distance < 0) & (distance > -RECENT_DAYS)
    before = whole & (distance <= -RECENT_DAYS) & (distance >= -BEFORE_DAYS)
    peaks = np.where(whole & (distance < 0), reference.values.max(axis=2), 0)
    return {
        "usage": own + np.where(recent, totals, 0).sum(axis=1),
        "usage_days": own_whole + recent.sum(axis=1),
        "reference_usage": np.where(before, totals, 0).sum(axis=1),
        "reference_days": before.sum(axis=1),
        "peak_before": peaks.max(axis=1, initial=0),
        **_estimates(facts, distance, estimates),
        "average_daily": totals.sum(axis=1) // np.maximum(whole.sum(axis=1), 1),
        "average_known": whole.any(axis=1),
    }


def _estimates(
    facts: Facts, distance: NDArray[np.int64], estimates: NDArray[np.int64]
) -> Mapping[str, NDArray[np.int64]]:
    """Estimated slots of the last thirty days with this one, and how many days in a row had some."""
    own = is_estimated(facts.days.quality).sum(axis=1)
    month = (distance < 0) & (distance > -MONTH_DAYS)
    return {
        "estimated_in_month": own + np.where(month, estimates, 0).sum(axis=1),
        "intervals_in_month": np.full(len(own), MONTH_DAYS * facts.days.count, np.int64),
        "days_row": _in_a_row(own > 0, distance, estimates),
        "successive_estimates": _in_a_row(own > 0, distance, estimates),
    }


async def times_estimated(tx: AsyncConnection, facts: Facts, as_of: AsOf = None) -> Mapping[str, NDArray[np.int64]]:
    """V27: how often in the year that ends with the day its channel had to be estimated, days in a row being one time.

    It counts what had to be done, whether or not the data came after all; and is asked of days with estimates only.
    """
    days = facts.days
    rows = np.flatnonzero(is_estimated(days.quality).any(axis=1))
    if not rows.size:
        return {}
    channel, day = days.channel[rows], days.day[rows]
    # not by this very run: it goes through days in parts, and its proof would find what a part of it could not see
    known = replace(as_of, own=0) if isinstance(as_of, Knowledge) else as_of
    window = range(int(day.min()) - YEAR_DAYS, int(day.max()))
    kept = await store.estimated_days(tx, np.unique(channel), window, known)
    times = np.zeros(len(days), np.int64)
    times[rows] = _spells(kept, channel, day)
    return {"times_12m": times}


def _spells(kept: NDArray[np.int64], channel: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Runs of estimated days (channel, day; ascending) that touch the year up to each day, with the one it is in."""
    if not len(kept):
        return np.ones(len(day), np.int64)
    have, own = kept[:, 0] * _LAST_DAY + kept[:, 1], channel * _LAST_DAY + day
    begun = np.concatenate(([0], np.cumsum(np.diff(have, prepend=-1) != 1)))
    low, high = np.searchsorted(have, own - YEAR_DAYS + 1), np.searchsorted(have, own)
    before = np.where(high > low, begun[high] - begun[np.minimum(low + 1, len(have))] + 1, 0)
    begins = (high == low) | (have[np.maximum(high - 1, 0)] != own - 1)
    return np.asarray(before + begins, np.int64)


def _in_a_row(own: NDArray[np.bool_], distance: NDArray[np.int64], estimates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days with estimates that end with this one, without a break."""
    guessed = estimates > 0
    back = [(guessed & (distance == -n)).any(axis=1) for n in range(1, BEFORE_DAYS + 1)]
    table = np.column_stack((own, *back)).astype(np.int64)
    return np.asarray(np.cumprod(table, axis=1).sum(axis=1), np.int64)
