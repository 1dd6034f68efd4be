"""Loading what the rules need to know of a batch: registers, supply, neighbours, reference days."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.model import ChannelDays, Flag
from openami.mdus.vee import notes
from openami.mdus.vee.compared import compared
from openami.mdus.vee.dials import register_facts
from openami.mdus.vee.estimates.reference import HOLIDAY
from openami.mdus.vee.history import facts_from, times_estimated
from openami.mdus.vee.model import Facts, Reference
from openami.mdus.vee.supply import dead_slots
from openami.mdus.vee.surroundings import alongside, brought, neighbours, register_weeks
from openami.shared.quality import Verdict, has_value, is_estimated, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.channels import Channels
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.store import Series

NEAR_DAYS: Final = 35
AHEAD_DAYS: Final = 7
A_YEAR_BEFORE: Final = range(-364 - 3, -364 + 4)
"""The week around the same day of the week."""
_WHOLE_DAYS: Final = 5
"""Of the week of last year, for it to be compared with."""


async def facts_of(
    series: Series, tx: AsyncConnection, days: ChannelDays, channels: Channels, as_of: AsOf = None
) -> Facts:
    """What is known of the rows of a batch, all of one calendar; `channels` has at least theirs."""
    own = channels.places(days.channel)
    calendar = channels.calendar(int(own[0]))
    start_s = calendar.starts_s(days.day)
    end_s = calendar.starts_s(days.day + 1)
    since_s, until_s = channels.since_s[own], channels.until_s[own]
    begins = start_s[:, None] + np.arange(days.count) * calendar.interval_s
    bounds = (np.maximum(start_s, since_s), np.minimum(end_s, until_s))
    advance, known, more = await register_facts(series, tx, channels, own, bounds, as_of)
    if noted := await notes.of_days(tx, days, as_of):
        more |= notes.as_facts(days, calendar.interval_s, start_s, noted)
    return Facts(
        days=days,
        interval_s=calendar.interval_s,
        active=(begins + calendar.interval_s > since_s[:, None]) & (begins < until_s[:, None]),
        dead=await dead_slots(tx, days.channel, start_s, days.count, calendar.interval_s, as_of),
        advance=advance,
        advance_known=known,
        step=channels.register_step[own],
        net=channels.net[own],
        rating=channels.hourly_limit[own],
        day_type=((days.day + 6) % 7).astype(np.int8),
        more=more,
    )


async def with_history(
    series: Series, tx: AsyncConnection, facts: Facts, channels: Channels, as_of: AsOf = None
) -> Facts:
    """The same facts with neighbouring slots, reference days and all that stands around, for review and estimates."""
    days = facts.days
    window = range(int(days.day.min()) - NEAR_DAYS, int(days.day.max()) + AHEAD_DAYS + 1)
    facts = attach_history(facts, await series.days(tx, np.unique(days.channel).tolist(), window, as_of))
    own = channels[int(channels.places(days.channel[:1])[0])]
    calendar = own.calendar
    start_s, end_s = calendar.starts_s(days.day), calendar.starts_s(days.day + 1)
    others = await alongside(tx, days.channel)
    more = dict(facts.more)
    more |= await neighbours(series, tx, facts, others, start_s, as_of)
    more |= await register_weeks(series, tx, channels, days, end_s, as_of)
    more |= await brought(series, tx, facts, (own.kind, calendar), others, as_of)
    more |= await compared(series, tx, facts, channels, as_of)
    more |= await notes.clock_checks(tx, facts, as_of)
    more |= await times_estimated(tx, facts, as_of)
    more |= await _last_year(series, tx, days, as_of)
    return _with_holidays(replace(facts, more=more))


async def _last_year(
    series: Series, tx: AsyncConnection, days: ChannelDays, as_of: AsOf
) -> dict[str, NDArray[np.int64]]:
    """V17: use in the week around the same day of the week a year before, and its days; 0 where too few are whole."""
    window = range(int(days.day.min()) + A_YEAR_BEFORE.start, int(days.day.max()) + A_YEAR_BEFORE.stop)
    usage, number = np.zeros(len(days), np.int64), np.zeros(len(days), np.int64)
    for group in await series.days(tx, np.unique(days.channel).tolist(), window, as_of):
        whole = np.asarray(usable_slots(group).all(axis=1), np.bool_)
        total = np.where(whole, group.values.sum(axis=1), 0)
        position = _Lookup(group)
        for offset in A_YEAR_BEFORE:
            row, found = position.of(days.channel, days.day + offset)
            usage[row] += total[found]
            number[row] += whole[found]
    enough = number >= _WHOLE_DAYS
    return {"last_year_usage": np.where(enough, usage, 0), "last_year_days": np.where(enough, number, 0)}


def _with_holidays(facts: Facts) -> Facts:
    """Holidays are days of a type of their own, whatever weekday they are."""
    if "holiday" not in facts.more or facts.reference is None:
        return facts
    own = np.where(facts.more["holiday"], np.int8(HOLIDAY), facts.day_type)
    around = np.where(facts.more["reference_holiday"], np.int8(HOLIDAY), facts.reference.day_type)
    return replace(facts, day_type=own, reference=replace(facts.reference, day_type=around))


def attach_history(facts: Facts, kept: Iterable[ChannelDays]) -> Facts:
    """The same facts with what batches of other days of the same channels offer."""
    days = facts.days
    offsets = np.array([o for o in range(-NEAR_DAYS, AHEAD_DAYS + 1) if o != 0], np.int64)
    offsets = offsets[np.argsort(np.abs(offsets), kind="stable")]
    values = np.zeros((len(days), len(offsets), days.count), np.int64)
    usable = np.zeros(values.shape, np.bool_)
    estimates = np.zeros((len(days), len(offsets)), np.int64)
    more: dict[str, NDArray[np.int64] | NDArray[np.bool_]] = {
        "previous": np.zeros(len(days), np.int64),
        "previous_good": np.zeros(len(days), np.bool_),
        "next": np.zeros(len(days), np.int64),
        "next_good": np.zeros(len(days), np.bool_),
    }
    brought_any = np.zeros((len(days), len(offsets)), np.bool_)
    for group in kept:
        good = usable_slots(group)
        slots = _same_local_time(days.count, group.count, facts.interval_s)
        position = _Lookup(group)
        guessed = is_estimated(group.quality).sum(axis=1)
        measured = np.any(has_value(group.quality) & ~is_estimated(group.quality), axis=1)
        for place, offset in enumerate(offsets):
            row, found = position.of(days.channel, days.day + offset)
            estimates[row, place] = guessed[found]
            brought_any[row, place] = measured[found]
            if slots is not None:
                values[row, place], usable[row, place] = group.values[found][:, slots], good[found][:, slots]
            if abs(offset) == 1:
                side, edge = ("previous", -1) if offset < 0 else ("next", 0)
                more[side][row], more[f"{side}_good"][row] = group.values[found, edge], good[found, edge]
    reference = Reference(
        values,
        usable,
        np.broadcast_to(offsets, (len(days), len(offsets))).copy(),
        ((days.day[:, None] + offsets + 6) % 7).astype(np.int8),
    )
    own = facts_from(facts, reference, estimates)
    return replace(facts, reference=reference, more={**facts.more, **more, **own, "reference_measured": brought_any})


def usable_slots(group: ChannelDays) -> NDArray[np.bool_]:
    """Actual, not failed, judged, and not during an outage: what an estimate may rest on."""
    verdict = verdicts(group.quality)
    good = has_value(group.quality) & ~is_estimated(group.quality)
    good &= (verdict != Verdict.FV) & (verdict != Verdict.NV) & ((group.flags & Flag.OUTAGE) == 0)
    return good


class _Lookup:
    """Finds rows of a batch by channel and day."""

    def __init__(self, group: ChannelDays) -> None:
        self._low = int(group.channel.min())
        self._width = int(group.channel.max()) - self._low + 1
        keys = group.day * self._width + (group.channel - self._low)
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def of(self, channel: NDArray[np.int64], day: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which of the wanted are there, and where."""
        inside = (channel >= self._low) & (channel < self._low + self._width)
        wanted = day * self._width + (channel - self._low)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        row = np.flatnonzero(inside & (self._keys[place] == wanted))
        return row, self._order[place[row]]


def _same_local_time(count: int, reference: int, interval_s: int) -> NDArray[np.intp] | None:
    """Which slots of a reference day have the local times of a day's slots; None when they cannot be told.

    Days change their length by the hour from 02:00 to 03:00, in the zones where most meters hang; a day of normal
    length serves a changed one, never the other way round.
    """
    slots = np.arange(count, dtype=np.intp)
    change = reference - count
    if change == 0:
        return slots
    if reference * interval_s != 86400 or abs(change) * interval_s != 3600:
        return None
    after = 7200 // interval_s if change > 0 else 10800 // interval_s
    return np.where(slots < after, slots, slots + change)
