"""From sums per bucket to priced lines. Every amount is quantity times price, rounded once, by the tariff's rule."""

from __future__ import annotations

import calendar as months
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

from openami.office.billing.model import BillLine
from openami.shared.spans import days

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from openami.office.billing.tariff import Bucket, Conversion, Demand, Standing, Tariff

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


def energy_lines(tariff: Tariff, quantities: Sequence[Quantity]) -> Iterator[BillLine]:
    """The lines of the buckets (one per tier in use) and of the levies on all of them.

    `quantities` are in the order of `tariff.buckets`. A bucket nobody used gives no line.
    """
    for bucket, quantity in zip(tariff.buckets, quantities, strict=True):
        if quantity.total:
            yield from _bucket_lines(tariff, bucket, quantity)
    everything = sum(quantities, Quantity())
    for levy in tariff.levies:
        if everything.total:
            yield _per_unit(tariff, "levy", levy.id, levy.name, everything, levy.price)


def standing_lines(tariff: Tariff, first_day: date, past_last_day: date) -> Iterator[BillLine]:
    """The lines of prices per day or month of delivery; a part of a month counts by its days."""
    for standing in tariff.standing:
        if standing.per == "month":
            yield _monthly(tariff, standing, first_day, past_last_day)
        else:
            quantity = Decimal((past_last_day - first_day).days)
            yield _line(tariff, "standing", standing.id, standing.name, quantity, "days", standing.price)


def demand_lines(tariff: Tariff, highest_kw: Mapping[str | None, Decimal]) -> Iterator[BillLine]:
    """The lines of demand prices; `highest_kw` holds the peak of each bucket id, and of all under None."""
    for demand in tariff.demand:
        if (peak_kw := highest_kw.get(demand.bucket)) is not None:
            yield _demand(tariff, demand, peak_kw)


def _demand(tariff: Tariff, demand: Demand, peak_kw: Decimal) -> BillLine:
    return _line(tariff, "demand", demand.id, demand.name, peak_kw, "kW", demand.price_per_kw)


def _bucket_lines(tariff: Tariff, bucket: Bucket, quantity: Quantity) -> Iterator[BillLine]:
    """Tiers fill from the bottom; estimated energy is spread over them in proportion, rounded from the bottom up."""
    below = Decimal(0)
    for tier in bucket.tiers:
        upper = quantity.total if tier.up_to is None else min(quantity.total, tier.up_to)
        estimated = _estimated_below(quantity, upper) - _estimated_below(quantity, below)
        name = bucket.name if tier.up_to is None and not below else f"{bucket.name}, from {below:f} {tariff.unit}"
        yield _per_unit(tariff, "energy", bucket.id, name, Quantity(upper - below, estimated), tier.price)
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
    )


def _monthly(tariff: Tariff, standing: Standing, first_day: date, past_last_day: date) -> BillLine:
    numbers = [months.monthrange(day.year, day.month)[1] for day in days(first_day, past_last_day)]
    # Days of equal months are counted first, so that a whole month is exactly 1 and not 31 times a rounded 1/31.
    share = sum((Decimal(numbers.count(length)) / length for length in set(numbers)), Decimal(0))
    return _line(tariff, "standing", standing.id, standing.name, share, "months", standing.price)


def _rounded_energy(energy_kwh: Decimal) -> Decimal:
    return energy_kwh.quantize(CONVERTED_PLACES, rounding=ROUND_HALF_UP)
