"""From sums per bucket to priced lines. Every amount is quantity times price, rounded once, by the tariff's rule."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeVar

from openami.office.billing.model import BillLine
from openami.shared.spans import days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from openami.office.billing.prices import Stretch
    from openami.office.billing.tariff import Bucket, Conversion, Tariff

_ChargeT = TypeVar("_ChargeT")
CONVERTED_PLACES: Final = Decimal("0.001")  # gas energy is stated in kWh with three decimals, half up


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount of energy or volume in the billed unit, and the part of it that was estimated."""

    total: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.total + other.total, self.estimated + other.estimated)


def from_milli(total_milli: int, estimated_milli: int = 0) -> Quantity:
    """Thousandths (Wh, litres) in units (kWh, m3), exactly."""
    return Quantity(Decimal(total_milli).scaleb(-3), Decimal(estimated_milli).scaleb(-3))


def to_energy(volume: Quantity, conversion: Conversion) -> Quantity:
    """Gas volume (m3) as energy (kWh), each part rounded to three decimals."""
    factor = conversion.volume_factor * conversion.calorific_kwh_per_m3
    return Quantity(*(_rounded_energy(part * factor) for part in (volume.total, volume.estimated)))


@dataclass(frozen=True, slots=True)
class Part:
    """Days with one set of prices, and what was used and fed in on them, in the order of the tariff's buckets."""

    stretch: Stretch
    quantities: tuple[Quantity, ...]
    fed_in: tuple[Quantity, ...] = ()

    @property
    def tariff(self) -> Tariff:
        """The tariff with the prices of these days."""
        return self.stretch.tariff


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring parts in which one charge costs the same: together they are one line."""

    parts: tuple[Part, ...]
    whole: bool

    @property
    def tariff(self) -> Tariff:
        return self.parts[0].tariff

    @property
    def first_day(self) -> date:
        return self.parts[0].stretch.first_day

    @property
    def past_last_day(self) -> date:
        return self.parts[-1].stretch.past_last_day

    @property
    def day_count(self) -> int:
        return (self.past_last_day - self.first_day).days

    def named(self, line: BillLine) -> BillLine:
        """The line, with its days where it has not all of the bill."""
        if self.whole:
            return line
        first, last = (_short(day) for day in (self.first_day, self.past_last_day - timedelta(days=1)))
        return replace(line, name=f"{line.name}, {first if first == last else f'{first} to {last}'}")


def energy_lines(parts: Sequence[Part]) -> Iterator[BillLine]:
    """The lines of the buckets (one per tier in use and per price) and of the levies on all of them.

    A bucket nobody used gives no line. Where a price changes, the bounds of tiers are split by days.
    """
    for index, bucket, run in _charged(parts, lambda tariff: tariff.buckets):
        quantity = sum((part.quantities[index] for part in run.parts), Quantity())
        if quantity.total:
            yield from map(run.named, _bucket_lines(run.tariff, "energy", _split(bucket, parts, run), quantity))
    for _, levy, run in _charged(parts, lambda tariff: tariff.levies):
        everything = sum((quantity for part in run.parts for quantity in part.quantities), Quantity())
        if everything.total:
            yield run.named(_per_unit(run.tariff, "levy", levy.id, levy.name, everything, levy.price))


def feed_in_lines(parts: Sequence[Part]) -> Iterator[BillLine]:
    """The lines of what is paid for energy that was fed in: quantity times a price below zero."""
    for index, bucket, run in _charged(parts, lambda tariff: tariff.feed_in):
        quantity = sum((part.fed_in[index] for part in run.parts), Quantity())
        if quantity.total:
            split = _split(bucket, parts, run)
            paid = tuple(replace(tier, price=-tier.price) for tier in split.tiers)
            yield from map(run.named, _bucket_lines(run.tariff, "feed_in", replace(split, tiers=paid), quantity))


def standing_lines(parts: Sequence[Part]) -> Iterator[BillLine]:
    """The lines of prices per day or month of delivery; a part of a month counts by its days."""
    for _, standing, run in _charged(parts, lambda tariff: tariff.standing):
        monthly = standing.per == "month"
        quantity = _months(run.first_day, run.past_last_day) if monthly else Decimal(run.day_count)
        unit = "months" if monthly else "days"
        yield run.named(_line(run.tariff, "standing", standing.id, standing.name, quantity, unit, standing.price))


def demand_lines(parts: Sequence[Part], highest_kw: Mapping[str | None, Decimal]) -> Iterator[BillLine]:
    """The lines of demand prices; `highest_kw` holds the peak of each bucket id, and of all under None.

    The peak is that of the whole bill; where its price changes, each price is charged for its part of the days.
    """
    for _, demand, run in _charged(parts, lambda tariff: tariff.demand):
        if (peak_kw := highest_kw.get(demand.bucket)) is not None:
            quantity = peak_kw if run.whole else peak_kw * run.day_count / _day_count(parts)
            yield run.named(_line(run.tariff, "demand", demand.id, demand.name, quantity, "kW", demand.price_per_kw))


def _charged(
    parts: Sequence[Part], charges: Callable[[Tariff], Sequence[_ChargeT]]
) -> Iterator[tuple[int, _ChargeT, _Run]]:
    """Each charge of a tariff, by its place, with each run of days on which it and its tax are the same."""
    for index in range(len(charges(parts[0].tariff))):
        priced = [((charges(part.tariff)[index], part.tariff.vat_rate), part) for part in parts]
        for (charge, _), same in groupby(priced, key=itemgetter(0)):
            run = tuple(part for _, part in same)
            yield index, charge, _Run(run, whole=len(run) == len(parts))


def _split(bucket: Bucket, parts: Sequence[Part], run: _Run) -> Bucket:
    """The bucket with the share of its tiers that the days of a run have; all shares sum to the stated bounds."""
    if run.whole:
        return bucket
    first, days_all = (run.first_day - parts[0].stretch.first_day).days, _day_count(parts)

    def share(bound: Decimal) -> Decimal:
        until, before = (_rounded_energy(bound * days / days_all) for days in (first + run.day_count, first))
        return until - before

    tiers = (tier if tier.up_to is None else replace(tier, up_to=share(tier.up_to)) for tier in bucket.tiers)
    return replace(bucket, tiers=tuple(tiers))


def _day_count(parts: Sequence[Part]) -> int:
    return sum(part.stretch.day_count for part in parts)


def _short(day: date) -> str:
    return f"{day.day} {day:%B}"


def _bucket_lines(tariff: Tariff, kind: str, bucket: Bucket, quantity: Quantity) -> Iterator[BillLine]:
    """Tiers fill from the bottom; estimated energy is spread over them in proportion, rounded from the bottom up."""
    below = Decimal(0)
    for tier in bucket.tiers:
        upper = quantity.total if tier.up_to is None else min(quantity.total, tier.up_to)
        estimated = _estimated_below(quantity, upper) - _estimated_below(quantity, below)
        name = bucket.name if tier.up_to is None and not below else f"{bucket.name}, from {below:f} {tariff.unit}"
        if upper > below:
            yield _per_unit(tariff, kind, bucket.id, name, Quantity(upper - below, estimated), tier.price)
        below = upper
        if upper == quantity.total:
            break


def _estimated_below(quantity: Quantity, bound: Decimal) -> Decimal:
    return _rounded_energy(quantity.estimated * bound / quantity.total)


def _per_unit(tariff: Tariff, kind: str, line_id: str, name: str, quantity: Quantity, price: Decimal) -> BillLine:
    return _line(tariff, kind, line_id, name, quantity.total, tariff.unit, price, quantity.estimated)


def _line(
    tariff: Tariff,
    kind: str,
    line_id: str,
    name: str,
    quantity: Decimal,
    unit: str,
    price: Decimal,
    estimated: Decimal = Decimal(0),
) -> BillLine:
    return BillLine(
        kind=kind,
        id=line_id,
        name=name,
        quantity=quantity,
        unit=unit,
        price=price,
        price_unit=f"{tariff.currency}/{unit.removesuffix('s') if unit in {'days', 'months'} else unit}",
        amount=tariff.rounding(quantity * price),
        rounding=str(tariff.rounding),
        estimated=estimated,
        vat_rate=tariff.vat_rate,
    )


def _months(first_day: date, past_last_day: date) -> Decimal:
    numbers = [months.monthrange(day.year, day.month)[1] for day in days(first_day, past_last_day)]
    # Days of equal months are counted first, so that a whole month is exactly 1 and not 31 times a rounded 1/31.
    return sum((Decimal(numbers.count(length)) / length for length in set(numbers)), Decimal(0))


def _rounded_energy(energy_kwh: Decimal) -> Decimal:
    return energy_kwh.quantize(CONVERTED_PLACES, rounding=ROUND_HALF_UP)
