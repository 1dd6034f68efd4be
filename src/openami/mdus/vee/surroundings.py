"""What stands around a channel: the others of its device, its registers before, weather, profiles, calendars.

Asked for the review and for estimates, with what was known then; a rule or method whose facts are absent does not act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import text

from openami.mdus.series.calendar import DAY_S
from openami.mdus.series.channels import NO_REGISTER
from openami.mdus.series.determinants import bucket_slots
from openami.mdus.series.rules import RANK, RANK_MEASURED
from openami.mdus.vee import reference_data
from openami.mdus.vee.reference_data import ANNUAL_USE, HOLIDAY, PROFILE, TARIFF, TEMPERATURE, Given
from openami.shared.quality import has_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.calendar import Calendar
    from openami.mdus.series.channels import Channels
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import ChannelDays
    from openami.mdus.series.store import Series
    from openami.mdus.vee.model import Facts

    Found = dict[str, NDArray[Any]]

WEEK: Final = 7
_ANY_DAY: Final = range(1, 3_650_000)
_ALONGSIDE: Final = text(
    "SELECT o.channel, s.channel, s.obis, s.unit, s.scale, o.scale, s.interval_s, o.obis,"
    " ceil(date_part('epoch', s.start_at))::bigint, floor(date_part('epoch', s.end_at))::bigint"
    " FROM channel o JOIN channel s ON s.device_key = o.device_key AND s.channel <> o.channel AND s.zone = o.zone"
    " WHERE o.channel = ANY(CAST(:channels AS bigint[]))"
)


class Alongside:
    """The other channels of the devices of some channels, as columns: one row for each pair."""

    def __init__(self, rows: Sequence[Any]) -> None:
        numbers = [(row[0], row[1], row[4], row[5], row[6], row[8], row[9]) for row in rows]
        table = np.array(numbers, np.int64).reshape(-1, 7)
        self.own, self.other, self.scale, self.own_scale, self.interval_s, self.begin_s, self.end_s = table.T
        self.unit = np.array([row[3] for row in rows], np.str_)
        self.quantity = np.array([_quantity(row[2]) for row in rows], np.str_)
        self.own_quantity = np.array([_quantity(row[7]) for row in rows], np.str_)
        self.tariff = np.array([_tariff(row[2]) for row in rows], np.int64)

    def where(self, mask: NDArray[np.bool_]) -> Alongside:
        """Some of the pairs."""
        part = Alongside(())
        for name, column in vars(self).items():
            setattr(part, name, column[mask])
        return part

    def __len__(self) -> int:
        return len(self.own)


async def alongside(tx: AsyncConnection, channels: NDArray[np.int64]) -> Alongside:
    """All channels of the devices of these."""
    rows = await tx.execute(_ALONGSIDE, {"channels": np.unique(channels).tolist()})
    return Alongside(rows.all())


async def neighbours(
    series: Series, tx: AsyncConnection, facts: Facts, others: Alongside, start_s: NDArray[np.int64], as_of: AsOf
) -> Found:
    """V28, V30, V32: what the other interval channels of the device brought on the same days."""
    days = facts.days
    mine = others.where(others.interval_s == facts.interval_s)
    if not len(mine):
        return {}
    window = range(int(days.day.min()), int(days.day.max()) + 1)
    kept = [one for one in await series.days(tx, np.unique(mine.other), window, as_of) if one.count == days.count]
    pairs = _Pairs(days, mine, kept[0] if kept else None)
    alive = (mine.begin_s[pairs.pair] <= start_s[pairs.row]) & (mine.end_s[pairs.pair] > start_s[pairs.row])
    found: Found = {
        "siblings_expected": np.bincount(pairs.row[alive], minlength=len(days)),
        "siblings_present": np.bincount(pairs.row[alive & pairs.there], minlength=len(days)),
    }
    return found | _reactive(days, mine, pairs) | _voltage_and_current(days, mine, pairs)


class _Pairs:
    """Each row of a batch with each other channel of its device, and where that one's day stands."""

    def __init__(self, days: ChannelDays, others: Alongside, kept: ChannelDays | None) -> None:
        order = np.argsort(others.own, kind="stable")
        first = np.searchsorted(others.own[order], days.channel)
        number = np.searchsorted(others.own[order], days.channel, side="right") - first
        self.row = np.repeat(np.arange(len(days)), number)
        nth = np.arange(len(self.row)) - np.repeat(np.cumsum(number) - number, number)
        self.pair = order[np.repeat(first, number) + nth]
        self.kept = kept
        self.place = np.zeros(len(self.row), np.intp)
        self.there = np.zeros(len(self.row), np.bool_)
        if kept is None:
            return
        width = int(max(kept.channel.max(), others.other.max())) + 1
        keys = kept.day * width + kept.channel
        ranks = np.argsort(keys)
        wanted = days.day[self.row] * width + others.other[self.pair]
        at = np.minimum(np.searchsorted(keys[ranks], wanted), len(keys) - 1)
        self.place = ranks[at]
        some = np.asarray(has_value(kept.quality).any(axis=1), np.bool_)
        self.there = (keys[self.place] == wanted) & some[self.place]

    def of(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows, pairs and places of those that are there."""
        chosen = np.flatnonzero(mask & self.there)
        return self.row[chosen], self.pair[chosen], self.place[chosen]


def _reactive(days: ChannelDays, others: Alongside, pairs: _Pairs) -> Found:
    """Reactive energy taken (OBIS group C 3) in the scale of the channel; 0 where none is measured."""
    wanted = (others.quantity == "1:3") & (others.own_quantity == "1:1") & (others.scale >= others.own_scale)
    row, pair, place = pairs.of(wanted[pairs.pair])
    if not row.size or pairs.kept is None:
        return {}
    found = np.zeros(days.values.shape, np.int64)
    values = np.where(has_value(pairs.kept.quality[place]), pairs.kept.values[place], 0)
    found[row] = values * 10 ** (others.scale - others.own_scale)[pair][:, None]
    return {"reactive": found}


def _voltage_and_current(days: ChannelDays, others: Alongside, pairs: _Pairs) -> Found:
    """Means of squares of the day, in hundredths; 0 where none is measured."""
    found: Found = {}
    for unit, name in (("V", "mean_v2"), ("A", "mean_i2")):
        row, pair, place = pairs.of(((others.unit == unit) & (others.own_quantity == "1:1"))[pairs.pair])
        found[name] = np.zeros(len(days), np.int64)
        if not row.size or pairs.kept is None:
            continue
        there = has_value(pairs.kept.quality[place])
        mean = np.where(there, pairs.kept.values[place] ** 2, 0).sum(axis=1) // there.sum(axis=1)
        power = 2 * others.scale[pair] + 2
        scaled = mean * 10 ** np.maximum(power, 0) // 10 ** np.maximum(-power, 0)
        np.maximum.at(found[name], row, scaled)
    return found if any(column.any() for column in found.values()) else {}


async def register_weeks(
    series: Series, tx: AsyncConnection, channels: Channels, days: ChannelDays, end_s: NDArray[np.int64], as_of: AsOf
) -> Found:
    """V25: what the register advanced in the week that ends with the day, and in the week before."""
    register = channels.register[channels.places(days.channel)]
    has = np.flatnonzero(register != NO_REGISTER)
    if not has.size:
        return {}
    reads = [await series.registers_at(tx, register[has], end_s[has] - back * WEEK * DAY_S, as_of) for back in range(3)]
    actual = np.logical_and.reduce([RANK[one.quality] >= RANK_MEASURED for one in reads])
    now, then = (reads[at].value - reads[at + 1].value for at in (0, 1))
    good = actual & (now >= 0) & (then >= 0)
    names = ("register_usage", "register_days", "previous_register_usage", "previous_register_days")
    found = {name: np.zeros(len(days), np.int64) for name in names}
    week = np.full(len(has), WEEK, np.int64)
    for name, column in zip(names, (now, week, then, week), strict=True):
        found[name][has] = np.where(good, column, 0)
    return found if good.any() else {}


async def brought(
    series: Series,
    tx: AsyncConnection,
    facts: Facts,
    sort: tuple[str, Calendar],
    others: Alongside,
    as_of: AsOf,
) -> Found:
    """What the utility has loaded that bears on these days (E03, E06, E07, E12); `sort` is class and calendar."""
    kind, calendar = sort
    days = facts.days
    around = range(int(days.day.min()) - 400, int(days.day.max()) + 40)
    keys = ["", calendar.zone, kind, f"{kind}/{calendar.interval_s}"]
    given = await reference_data.known(tx, (HOLIDAY, TEMPERATURE, PROFILE), keys, around, as_of)
    since = await reference_data.known(
        tx, (TARIFF, ANNUAL_USE), [*keys, *map(str, np.unique(days.channel).tolist())], _ANY_DAY, as_of
    )
    found = _holidays(facts, given) | temperatures(facts, given) | _profiles(facts, given, since)
    plan = [one for one in since if one.kind == TARIFF and one.day <= int(days.day.min())]
    if plan:
        chosen = max(plan, key=lambda one: (one.key == kind, one.day))
        found |= await _tariffs(series, tx, facts, calendar, (others, chosen), as_of)
    return found


def _by_day(given: Sequence[Given], kind: str, days: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The one number of a kind for each of some days, and where there is one; a zone's own goes before everybody's."""
    mine = [one for one in given if one.kind == kind and len(one.values) == 1]
    table = {one.day: one.values[0] for one in sorted(mine, key=lambda one: one.key != "")}
    distinct, inverse = np.unique(days, return_inverse=True)
    values = np.array([table.get(day, 0) for day in distinct.tolist()], np.int64)
    there = np.array([day in table for day in distinct.tolist()], np.bool_)
    return values[inverse].reshape(days.shape), there[inverse].reshape(days.shape)


def _holidays(facts: Facts, given: Sequence[Given]) -> Found:
    assert facts.reference is not None
    own, _ = _by_day(given, HOLIDAY, facts.days.day)
    around, _ = _by_day(given, HOLIDAY, facts.days.day[:, None] + facts.reference.distance)
    return {"holiday": own > 0, "reference_holiday": around > 0} if own.any() or around.any() else {}


def temperatures(facts: Facts, given: Sequence[Given]) -> Found:
    """E06; a day without a temperature is like no other."""
    assert facts.reference is not None
    own, there = _by_day(given, TEMPERATURE, facts.days.day)
    around, known = _by_day(given, TEMPERATURE, facts.days.day[:, None] + facts.reference.distance)
    if not there.any():
        return {}
    return {
        "temperature_mk": np.where(there, own, -1 << 40),
        "reference_temperature_mk": np.where(known, around, 1 << 40),
    }


def _profiles(facts: Facts, given: Sequence[Given], since: Sequence[Given]) -> Found:
    """E07: the shape of the class on each day and over the year before, and what the customer uses in a year.

    Where nobody has said that, it is what an average day of the last weeks makes of a year.
    """
    days = facts.days
    shapes = {one.day: one.values for one in given if one.kind == PROFILE}
    if not shapes:
        return {}
    shape, annual = np.zeros(days.values.shape, np.int64), np.zeros(len(days), np.int64)
    for day in np.unique(days.day).tolist():
        year = [sum(values) for at, values in shapes.items() if day - 365 < at <= day]
        if len(shapes.get(day, ())) == days.count and year:
            shape[days.day == day] = shapes[day]
            annual[days.day == day] = sum(year) * 365 // len(year)
    use = facts.more["average_daily"] * 365 if "average_daily" in facts.more else np.zeros(len(days), np.int64)
    for one in since:  # in order of day: the last one stands
        if one.kind == ANNUAL_USE:
            use = np.where((days.channel == int(one.key)) & (days.day >= one.day), one.values[0], use)
    return {"shape": shape, "shape_annual": np.where(use > 0, annual, 0), "annual_use": use}


async def _tariffs(
    series: Series,
    tx: AsyncConnection,
    facts: Facts,
    calendar: Calendar,
    plan: tuple[Alongside, Given],
    as_of: AsOf,
) -> Found:
    """E12: the tariff of each slot, and what the register of each tariff advanced over the day."""
    others, chosen = plan
    days = facts.days
    own = others.where((others.interval_s == 0) & (others.tariff > 0) & (others.scale == others.own_scale))
    if not len(own):
        return {}
    start_s = calendar.starts_s(days.day)
    end_s = calendar.starts_s(days.day + 1)
    pairs = _Pairs(days, own, None)
    register, number = own.other[pairs.pair], own.tariff[pairs.pair]
    at_start = await series.registers_at(tx, register, start_s[pairs.row], as_of)
    at_end = await series.registers_at(tx, register, end_s[pairs.row], as_of)
    good = (RANK[at_start.quality] >= RANK_MEASURED) & (RANK[at_end.quality] >= RANK_MEASURED)
    good &= at_end.value >= at_start.value
    slots = bucket_slots(calendar, days.day, days.count, reference_data.windows_in(chosen.values), otherwise=1)
    advance = np.full((len(days), int(max(number.max(initial=1), slots.max(initial=1))) + 1), -1, np.int64)
    advance[pairs.row[good], number[good]] = (at_end.value - at_start.value)[good]
    return {"tariff": slots, "tariff_advance": advance} if good.any() else {}


def _quantity(obis: str) -> str:
    medium, _, rest = obis.partition(":")
    return f"{medium.partition('-')[0]}:{rest.partition('.')[0]}"


def _tariff(obis: str) -> int:
    """The tariff of a register that counts energy taken (`1-0:1.8.2`): 2; 0 for the total and for all else."""
    group = obis.partition(":")[2].split("*")[0].split(".")
    return (
        int(group[2]) if _quantity(obis) == "1:1" and len(group) > 2 and group[1] == "8" and group[2].isdecimal() else 0
    )
