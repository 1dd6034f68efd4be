"""The one reading that a gas, water or heat meter reports: who, what, when, how many litres and watt-hours."""

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
_JOULES = {"J": 1, "Wh": 3600}


class NoReadingError(MBusError):
    """The telegram holds no present volume or energy with its time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A cumulative volume at an instant (UTC), exact in litres; of a heat meter also the energy, in whole Wh."""

    manufacturer: str
    identification: str
    medium: int
    access_number: int
    instant: datetime
    volume_litres: int | None
    status: int
    error_flags: int
    energy_wh: int | None = None


def reading_of(telegram: Telegram, zone_name: str) -> Reading:
    """The present volume and energy of a telegram whose meter stands in the zone.

    Raises:
        NoReadingError: it has no time, or neither of both, or a volume that is no whole litres.
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
    energies = (energy_wh(record.quantity, record.value, record.unit) for record in present)
    energy = next((found for found in energies if found is not None), None)
    litres = Decimal(volume) * _LITRES_PER_M3 if isinstance(volume, int | Decimal) else None
    if time is None or not time.valid or (litres is None and energy is None):
        raise NoReadingError(
            f"The telegram of {telegram.header.identification} has no valid time, or no volume or energy.",
            hint="Look at its records.",
        )
    if litres is not None and litres != int(litres):
        raise NoReadingError(f"{litres} litres are no whole litres.", hint="Read the record itself.")
    return Reading(
        manufacturer=telegram.header.manufacturer,
        identification=telegram.header.identification,
        medium=telegram.header.medium,
        access_number=telegram.header.access_number,
        instant=time.instant(zone_name),
        volume_litres=None if litres is None else int(litres),
        status=telegram.header.status,
        error_flags=flags if isinstance(flags, int) else 0,
        energy_wh=energy,
    )


def energy_wh(quantity: str, value: object, unit: str) -> int | None:
    """An energy in whole watt-hours (parts of one are on no bill); None if it is something else."""
    if quantity != "energy" or unit not in _JOULES or not isinstance(value, int | Decimal):
        return None
    return int(value * _JOULES[unit] // _JOULES["Wh"])
