"""A telegram as the collector keeps it: its bytes, and what they say if they say anything."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.ami.mbus import LongFrame, MBusError, decode_telegram, reading_of
from openami.ami.mbus.readings import energy_wh

if TYPE_CHECKING:
    from openami.ami.mbus import Frame
    from openami.ami.telegrams.model import DecodedTelegram

_LITRES_PER_M3: Final = 1000
_WATT_HOURS: Final = {"Wh": 1, "kWh": 1000, "MWh": 1_000_000}
_IMPORT: Final = re.compile(r"^1-\d+:1\.8\.(\d+)$")


@dataclass(frozen=True, slots=True)
class KeptTelegram:
    """One telegram; a cumulative volume or energy of a meter at an instant, or the reason why it says none.

    `mbus_id` is what the meter calls itself on its telegrams; `readings` are all that a collector of other languages
    than wired M-Bus understood.
    """

    raw: bytes
    mbus_id: str | None = None
    manufacturer: str | None = None
    medium: int | None = None
    measured_at: datetime | None = None
    volume_litres: int | None = None
    status: int = 0
    error: str | None = None
    language: str = "mbus"
    source: str | None = None
    energy_wh: int | None = None
    readings: tuple[dict[str, Any], ...] | None = None
    part: int = 0

    @property
    def digest(self) -> bytes:
        """What makes a repeat known: the same bytes are the same telegram (access number and time are in them).

        Several telegrams of one payload have the same bytes: their place tells them apart.
        """
        return hashlib.sha256(self.raw + (self.part.to_bytes(4, "big") if self.part else b"")).digest()


def heard_of(telegram: DecodedTelegram, raw: bytes, part: int, received: datetime, source: str) -> KeptTelegram:
    """A telegram in any language as it is kept: all it says, and the dial value that the MDUS is told of.

    A telegram that does not tell its time was measured when it came: radio telegrams are on their way for milliseconds.
    """
    measured = datetime.fromisoformat(telegram.time) if telegram.time else received
    volume, energy = _volume_litres(telegram), _energy_wh(telegram)
    tells = volume is not None or energy is not None
    return KeptTelegram(
        raw,
        mbus_id=(telegram.meter[3:] if telegram.language in ("mbus", "wmbus") else telegram.meter) or None,
        measured_at=measured if tells else None,
        volume_litres=volume,
        error=telegram.error or None,
        language=telegram.language,
        source=source,
        energy_wh=energy,
        readings=tuple(reading.as_json() for reading in telegram.readings),
        part=part,
    )


def _volume_litres(telegram: DecodedTelegram) -> int | None:
    """The present volume, in whole litres (parts of a litre are on no bill)."""
    for reading in telegram.readings:
        if reading.quantity == "volume" and reading.unit == "m3" and isinstance(reading.value, int | Decimal):
            return int(reading.value * _LITRES_PER_M3)
    return None


def _energy_wh(telegram: DecodedTelegram) -> int | None:
    """The energy taken from a network: the total register, or the sum of the tariffs' where there is no total."""
    tariffs: list[int] = []
    for reading in telegram.readings:
        if (present := energy_wh(reading.quantity, reading.value, reading.unit)) is not None:
            return present
        scale = _WATT_HOURS.get(reading.unit)
        matched = _IMPORT.match(reading.obis)
        if matched is None or scale is None or not isinstance(reading.value, int | Decimal):
            continue
        taken_wh = int(reading.value * scale)
        if matched[1] == "0":
            return taken_wh
        tariffs.append(taken_wh)
    return sum(tariffs) if tariffs else None


def telegram_of(frame: Frame, raw: bytes, zone_name: str) -> KeptTelegram | None:
    """What a frame says; None for a frame that carries nothing to keep (an acknowledgement, a request).

    A frame that is whole but cannot be understood is kept with the reason: asking for it again would not help.
    """
    if not isinstance(frame, LongFrame):
        return None
    mbus_id = None
    try:
        telegram = decode_telegram(frame)
        mbus_id = telegram.header.identification if hasattr(telegram, "header") else None
        reading = reading_of(telegram, zone_name)
    except MBusError as error:
        return KeptTelegram(raw, mbus_id=mbus_id, error=str(error))
    return KeptTelegram(
        raw,
        mbus_id=reading.identification,
        manufacturer=reading.manufacturer,
        medium=reading.medium,
        measured_at=reading.instant,
        volume_litres=reading.volume_litres,
        status=reading.status,
        energy_wh=reading.energy_wh,
    )
