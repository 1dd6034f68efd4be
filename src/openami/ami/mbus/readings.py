"""The one reading that a gas or water meter reports: who, what, when, how many litres."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from openami.ami.mbus.errors import MBusError
from openami.ami.mbus.records import Function
from openami.ami.mbus.telegram import Telegram, VariableData
from openami.ami.mbus.values import LocalTime

if TYPE_CHECKING:
    from datetime import datetime

_LITRES_PER_M3 = 1000


class NoReadingError(MBusError):
    """The telegram holds no present volume with its time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A cumulative volume at an instant (UTC), exact in litres."""

    manufacturer: str
    identification: str
    medium: int
    access_number: int
    instant: datetime
    volume_litres: int
    status: int
    error_flags: int


def reading_of(telegram: Telegram, zone_name: str) -> Reading:
    """The present volume of a telegram whose meter stands in the zone.

    Raises:
        NoReadingError: it has no time, or no present volume in whole litres.
    """
    if not isinstance(telegram, VariableData):
        raise NoReadingError("A fixed telegram has no time of reading.", hint="Store it with the time of receipt.")
    present = [
        record
        for record in telegram.records
        if record.function is Function.INSTANTANEOUS and record.storage == 0 and record.tariff == 0
    ]
    time = next((record.value for record in present if isinstance(record.value, LocalTime)), None)
    volume = next((record.value for record in present if record.quantity == "volume" and record.unit == "m3"), None)
    flags = next((record.value for record in present if record.quantity == "error flags"), 0)
    if time is None or not time.valid or not isinstance(volume, int | Decimal):
        raise NoReadingError(
            f"The telegram of {telegram.header.identification} has no valid time, or no volume.",
            hint="Look at its records.",
        )
    litres = Decimal(volume) * _LITRES_PER_M3
    if litres != int(litres):
        raise NoReadingError(f"{volume} m3 are no whole litres.", hint="Read the record itself.")
    return Reading(
        manufacturer=telegram.header.manufacturer,
        identification=telegram.header.identification,
        medium=telegram.header.medium,
        access_number=telegram.header.access_number,
        instant=time.instant(zone_name),
        volume_litres=int(litres),
        status=telegram.header.status,
        error_flags=flags if isinstance(flags, int) else 0,
    )
