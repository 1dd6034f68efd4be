"""Tariffs as data: time-of-use buckets, tiers, daily and monthly prices, levies, tax, gas conversion.

A tariff is a TOML file. Prices are decimal strings, never floats: a TOML float in a price is refused.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ChoiceT = TypeVar("_ChoiceT")

ALL_WEEK: Final = frozenset(range(7))
ALL_YEAR: Final = frozenset(range(1, 13))
HOLIDAY_WEEKDAY: Final = 6  # a public holiday is priced as a Sunday
_DAY_MINUTES: Final = 1440
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ROUNDINGS: Final = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
_PERIODS: Final = ("day", "month")
_PLACES_MAX: Final = 4  # what the books of bills and open items hold


class TariffError(OpenAmiError):
    """A tariff file says something that cannot be priced."""


class UnknownTariffError(OpenAmiError):
    """A contract names a tariff that is not there."""


class Division(StrEnum):
    """What is delivered."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"


MEASURED_UNITS: Final = {
    Division.ELECTRICITY: "kWh",
    Division.GAS: "m3",
    Division.WATER: "m3",
    Division.HEAT: "kWh",
}


@dataclass(frozen=True, slots=True)
class Rounding:
    """How an amount of money is rounded: decimal places and the rule for a half."""

    places: int = 2
    mode: str = "half_up"

    def __call__(self, amount: Decimal) -> Decimal:
        """The amount at the stated places."""
        return amount.quantize(Decimal(1).scaleb(-self.places), rounding=_ROUNDINGS[self.mode])

    def __str__(self) -> str:
        return f"{self.places} decimals, {self.mode.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Window:
    """When a bucket applies: local weekdays (0 = Monday), months, and minutes of the local day, half-open."""

    weekdays: frozenset[int] = ALL_WEEK
    months: frozenset[int] = ALL_YEAR
    start_minute: int = 0
    end_minute: int = _DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Tier:
    """A price for the part of a bucket's consumption in one bill up to a bound; the last tier has none."""

    price: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """One time-of-use rate; a bucket without windows takes all that no earlier bucket took."""

    id: str
    name: str
    tiers: tuple[Tier, ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Levy:
    """A price per unit of all consumption, for example energy tax."""

    id: str
    name: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """A price per day or per month of delivery; negative for a reduction."""

    id: str
    name: str
    price: Decimal
    per: str = "day"


@dataclass(frozen=True, slots=True)
class Demand:
    """A price per kW of the highest mean power of one interval in the bill, in one bucket or in all."""

    id: str
    name: str
    price_per_kw: Decimal
    bucket: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """How gas volume becomes energy from a date on: kWh = m3 x volume factor x calorific value (kWh/m3)."""

    valid_from: date
    volume_factor: Decimal
    calorific_kwh_per_m3: Decimal


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What is charged from a day on, by the names of prices (see `prices`); what is not named stays as it was."""

    valid_from: date
    prices: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Tariff:
    """All that is needed to price one division of one contract; its prices stand until the first of the changes."""

    id: str
    name: str
    division: Division
    unit: str
    currency: str
    buckets: tuple[Bucket, ...]
    standing: tuple[Standing, ...] = ()
    levies: tuple[Levy, ...] = ()
    demand: tuple[Demand, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    feed_in: tuple[Bucket, ...] = ()
    """What is paid for energy that the customer gives to the grid; nothing is, and no register is needed, if empty."""
    vat_rate: Decimal = Decimal(0)
    rounding: Rounding = Rounding()
    holidays: frozenset[date] = frozenset()
    digest: str = ""
    changes: tuple[PriceChange, ...] = ()

    def conversion_on(self, day: date) -> Conversion | None:
        """The gas conversion in force on a day; None where volume is billed as volume."""
        in_force = [conversion for conversion in self.conversions if conversion.valid_from <= day]
        if self.conversions and not in_force:
            raise TariffError(
                f"Tariff {self.id} has no gas conversion for {day}.", hint="Add a [[conversion]] that starts earlier."
            )
        return max(reversed(in_force), key=lambda conversion: conversion.valid_from, default=None)


def parse_tariff(text: str) -> Tariff:
    """Read one tariff from TOML.

    Raises:
        TariffError: a price is not a decimal string, a window is empty, a bucket can never apply, or the energy could
            not be priced as it says.
    """
    try:
        data = tomllib.loads(text)
        tariff = _tariff(data, hashlib.sha256(text.encode()).hexdigest())
        _check(tariff)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TariffError(
            f"The tariff cannot be read: {error}.", hint="See the shipped tariffs for the form."
        ) from error
    for what, buckets in (("bucket", tariff.buckets), ("feed_in", tariff.feed_in or tariff.buckets[-1:])):
        if any(not bucket.windows for bucket in buckets[:-1]) or not buckets or buckets[-1].windows:
            raise TariffError(
                f"Tariff {tariff.id}: the last {what}, and only it, must have no `when`.",
                hint="It takes all hours that no other takes, so that every interval has one price.",
            )
    return tariff


@lru_cache(maxsize=1)
def shipped_tariffs() -> Mapping[str, Tariff]:
    """The tariffs that come with the office, by id."""
    folder = resources.files("openami.office.billing") / "tariffs"
    found = [parse_tariff(entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return {tariff.id: tariff for tariff in sorted(found, key=lambda tariff: tariff.id)}


def tariff_named(tariffs: Mapping[str, Tariff], tariff_id: str) -> Tariff:
    """The tariff of an id.

    Raises:
        UnknownTariffError: there is none.
    """
    try:
        return tariffs[tariff_id]
    except KeyError:
        raise UnknownTariffError(
            f"There is no tariff {tariff_id!r}.", hint=f"Use one of: {', '.join(sorted(tariffs))}."
        ) from None


def _tariff(data: Mapping[str, Any], digest: str) -> Tariff:
    division = Division(data["division"])
    return Tariff(
        id=data["id"],
        name=data["name"],
        division=division,
        unit=data.get("unit", "m3" if division is Division.WATER else "kWh"),
        currency=data.get("currency", "EUR"),
        buckets=tuple(_bucket(bucket) for bucket in data["bucket"]),
        standing=tuple(
            Standing(item["id"], item["name"], _price(item, "price"), _one_of("per", item.get("per", "day"), _PERIODS))
            for item in data.get("standing", ())
        ),
        levies=tuple(Levy(item["id"], item["name"], _price(item, "price")) for item in data.get("levy", ())),
        demand=tuple(
            Demand(item["id"], item["name"], _price(item, "price_per_kw"), item.get("bucket"))
            for item in data.get("demand", ())
        ),
        conversions=tuple(
            Conversion(_day(item["from"]), _price(item, "volume_factor"), _price(item, "calorific_kwh_per_m3"))
            for item in data.get("conversion", ())
        ),
        feed_in=tuple(_bucket(bucket) for bucket in data.get("feed_in", ())),
        vat_rate=_price(data, "vat_rate") if "vat_rate" in data else Decimal(0),
        rounding=_rounding(data.get("rounding", {})),
        holidays=frozenset(map(_day, data.get("holidays", ()))),
        digest=digest,
    )


def _check(tariff: Tariff) -> None:
    """What each part says may be right by itself and still price nothing, or the wrong thing."""
    ids = [bucket.id for bucket in tariff.buckets]
    paid_ids = [bucket.id for bucket in tariff.feed_in]
    if len(set(ids)) != len(ids) or len(set(paid_ids)) != len(paid_ids):
        raise ValueError(f"the buckets {ids + paid_ids} do not have an id each")
    if tariff.feed_in and tariff.division is not Division.ELECTRICITY:
        raise ValueError(f"no meter counts {tariff.division} that is fed in")
    for bucket in tariff.buckets + tariff.feed_in:
        bounds = [tier.up_to for tier in bucket.tiers if tier.up_to is not None]
        if bounds != sorted(set(bounds)) or any(bound <= 0 for bound in bounds):
            raise ValueError(f"bucket {bucket.id}: the bounds of its tiers must rise from above zero")
    for demand in tariff.demand:
        if demand.bucket is not None:
            _one_of(f"the bucket of demand {demand.id}", demand.bucket, ids)
    unit = "kWh" if tariff.conversions else MEASURED_UNITS[tariff.division]
    if tariff.unit != unit:  # a cubic metre of gas holds about ten kilowatt-hours
        raise ValueError(f"{tariff.division} comes in {unit} here and cannot be billed in {tariff.unit}")
    if not 0 <= tariff.vat_rate < 1:
        raise ValueError(f"vat_rate = {tariff.vat_rate} is not a share such as 0.21")


def _rounding(data: Mapping[str, Any]) -> Rounding:
    mode = _one_of("rounding mode", data.get("mode", "half_up"), sorted(_ROUNDINGS))
    return Rounding(places=_one_of("rounding places", data.get("places", 2), range(_PLACES_MAX + 1)), mode=mode)


def _bucket(data: Mapping[str, Any]) -> Bucket:
    tiers = (
        tuple(Tier(_price(tier, "price"), _price(tier, "up_to") if "up_to" in tier else None) for tier in data["tier"])
        if "tier" in data
        else (Tier(_price(data, "price")),)
    )
    if tiers[-1].up_to is not None or any(tier.up_to is None for tier in tiers[:-1]):
        raise ValueError(f"bucket {data['id']}: every tier but the last needs `up_to`, and the last must not have one")
    return Bucket(data["id"], data["name"], tiers, tuple(_window(window) for window in data.get("when", ())))


def _window(data: Mapping[str, Any]) -> Window:
    start = _minute(data.get("from", "00:00"))
    end = _minute(data.get("to", "24:00"))
    if start >= end:
        raise ValueError(f"window {data} is empty; a window over midnight is two windows")
    months = frozenset(_one_of("month", month, sorted(ALL_YEAR)) for month in data.get("months", ALL_YEAR))
    return Window(_weekdays(data.get("weekdays", "mon-sun")), months, start, end)


def _weekdays(text: str) -> frozenset[int]:
    """Days and ranges of days; a range may go over the weekend, such as `fri-mon`."""
    chosen: set[int] = set()
    for part in text.split(","):
        first_name, _, last_name = part.strip().partition("-")
        first, last = (
            _WEEKDAYS.index(_one_of("weekday", name, _WEEKDAYS)) for name in (first_name, last_name or first_name)
        )
        chosen.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(chosen)


def _minute(text: str) -> int:
    if text == "24:00":
        return _DAY_MINUTES
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def _price(data: Mapping[str, Any], key: str) -> Decimal:
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f'{key} = {value!r} must be a string such as {key} = "0.25" (binary floats are not money)')
    try:
        price = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{key} = {value!r} is not a decimal number") from error
    if not price.is_finite():
        raise ValueError(f"{key} = {value!r} is not a decimal number")
    return price


def _day(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"{value!r} must be a day such as 2026-01-01, without quotes")
    return value


def _one_of(what: str, value: _ChoiceT, allowed: Sequence[_ChoiceT]) -> _ChoiceT:
    if value not in allowed:
        raise ValueError(f"{what} {value!r} is not one of {', '.join(map(str, allowed))}")
    return value
