"""Dated prices: what a tariff charges from a day on, and the runs of days of a bill that have one set of prices.

Each price has a name: `energy/day` for a bucket (`energy/day/1` and on for its tiers, from below), `levy/energy-tax`,
`feed_in/all` likewise, `standing/network`, `demand/peak`, `vat_rate`; for gas also `volume_factor` and
`calorific_kwh_per_m3`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from openami.office.billing.tariff import Conversion, TariffError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from openami.office.billing.tariff import Bucket, PriceChange, Tariff, Tier

VAT: Final = "vat_rate"
FACTOR: Final = "volume_factor"
CALORIFIC: Final = "calorific_kwh_per_m3"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of days with one set of prices, and of gas with one conversion."""

    first_day: date
    past_last_day: date
    tariff: Tariff

    @property
    def day_count(self) -> int:
        """How many days it has."""
        return (self.past_last_day - self.first_day).days

    @property
    def conversion(self) -> Conversion | None:
        """How volume becomes energy on its days."""
        return self.tariff.conversion_on(self.first_day)


@dataclass(frozen=True, slots=True)
class Price:
    """One number that a tariff charges or converts by, in words and with its unit."""

    text: str
    unit: str
    value: Decimal


def with_changes(tariff: Tariff, changes: Iterable[PriceChange]) -> Tariff:
    """A tariff with changes of its prices, given in the order in which they were stated: a later one corrects."""
    ordered = tuple(sorted(changes, key=lambda change: change.valid_from))
    if not ordered:
        return tariff
    stated = [[change.valid_from.isoformat(), _written(change.prices)] for change in ordered]
    digest = hashlib.sha256((tariff.digest + json.dumps(stated, sort_keys=True)).encode()).hexdigest()
    return replace(tariff, changes=ordered, digest=digest)


def stretches(tariff: Tariff, first_day: date, past_last_day: date) -> list[Stretch]:
    """The runs of days of a period between the changes of prices and of conversions."""
    starts = [one.valid_from for one in tariff.changes] + [one.valid_from for one in tariff.conversions]
    edges = [first_day, *sorted({day for day in starts if first_day < day < past_last_day}), past_last_day]
    return [Stretch(first, past_last, on_day(tariff, first)) for first, past_last in pairwise(edges)]


def on_day(tariff: Tariff, day: date) -> Tariff:
    """The tariff with the prices of a day, and of gas with the conversions up to it."""
    prices: dict[str, Decimal] = {}
    conversions = tariff.conversions
    for change in tariff.changes:
        if change.valid_from > day:
            break
        prices |= change.prices
        if {FACTOR, CALORIFIC} & set(change.prices):
            conversions = (*conversions, _conversion(replace(tariff, conversions=conversions), change))
    return replace(_priced(tariff, prices), conversions=conversions)


def prices_of(tariff: Tariff, day: date) -> dict[str, Price]:
    """All prices of a day by name."""
    present = on_day(tariff, day)
    per_unit = f"{tariff.currency}/{tariff.unit}"
    found = {
        name: Price(
            bucket.name if len(bucket.tiers) == 1 else f"{bucket.name}, {_reach(tier, tariff)}", per_unit, tier.price
        )
        for kind, buckets in (("energy", present.buckets), ("feed_in", present.feed_in))
        for bucket in buckets
        for name, tier in _tiers(kind, bucket).items()
    }
    found |= {f"levy/{levy.id}": Price(levy.name, per_unit, levy.price) for levy in present.levies}
    found |= {
        f"standing/{one.id}": Price(one.name, f"{tariff.currency}/{one.per}", one.price) for one in present.standing
    }
    found |= {f"demand/{one.id}": Price(one.name, f"{tariff.currency}/kW", one.price_per_kw) for one in present.demand}
    found[VAT] = Price("Value added tax, as a share", "", present.vat_rate)
    if (conversion := present.conversion_on(day)) is not None:
        found[FACTOR] = Price("Volume factor", "", conversion.volume_factor)
        found[CALORIFIC] = Price("Calorific value", "kWh/m3", conversion.calorific_kwh_per_m3)
    return found


def check_change(tariff: Tariff, change: PriceChange) -> None:
    """See that a change names prices of the tariff and gives each what it can be.

    Raises:
        TariffError: it names none, or something else, or gives a rate or a factor that none can be.
    """
    known = prices_of(tariff, change.valid_from)
    unknown = [name for name in change.prices if name not in known]
    if unknown or not change.prices:
        raise TariffError(
            f"Tariff {tariff.id} has no price {', '.join(unknown)}." if unknown else "No price is given.",
            hint=f"Its prices are {', '.join(known)}.",
        )
    if not 0 <= change.prices.get(VAT, Decimal(0)) < 1:
        raise TariffError(f"{VAT} = {change.prices[VAT]} is not a share.", hint='Give 21 % as "0.21".')
    for name in (FACTOR, CALORIFIC):
        if change.prices.get(name, Decimal(1)) <= 0:
            raise TariffError(f"{name} = {change.prices[name]} cannot be.", hint="Give a number above zero.")


def _priced(tariff: Tariff, prices: Mapping[str, Decimal]) -> Tariff:
    def priced(kind: str, bucket: Bucket) -> Bucket:
        tiers = (replace(tier, price=prices.get(name, tier.price)) for name, tier in _tiers(kind, bucket).items())
        return replace(bucket, tiers=tuple(tiers))

    return replace(
        tariff,
        buckets=tuple([priced("energy", bucket) for bucket in tariff.buckets]),
        feed_in=tuple([priced("feed_in", bucket) for bucket in tariff.feed_in]),
        levies=tuple(replace(one, price=prices.get(f"levy/{one.id}", one.price)) for one in tariff.levies),
        standing=tuple(replace(one, price=prices.get(f"standing/{one.id}", one.price)) for one in tariff.standing),
        demand=tuple(
            replace(one, price_per_kw=prices.get(f"demand/{one.id}", one.price_per_kw)) for one in tariff.demand
        ),
        vat_rate=prices.get(VAT, tariff.vat_rate),
    )


def _tiers(kind: str, bucket: Bucket) -> dict[str, Tier]:
    if len(bucket.tiers) == 1:
        return {f"{kind}/{bucket.id}": bucket.tiers[0]}
    return {f"{kind}/{bucket.id}/{number}": tier for number, tier in enumerate(bucket.tiers, 1)}


def _reach(tier: Tier, tariff: Tariff) -> str:
    return "above" if tier.up_to is None else f"up to {tier.up_to:f} {tariff.unit}"


def _conversion(tariff: Tariff, change: PriceChange) -> Conversion:
    before = tariff.conversion_on(change.valid_from)
    assert before is not None, "the names of a conversion are known of gas alone"
    return Conversion(
        change.valid_from,
        change.prices.get(FACTOR, before.volume_factor),
        change.prices.get(CALORIFIC, before.calorific_kwh_per_m3),
    )


def _written(prices: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: format(price, "f") for name, price in prices.items()}
