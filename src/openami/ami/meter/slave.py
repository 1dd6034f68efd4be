"""What a gas or water meter answers its concentrator: an M-Bus telegram with time, volume and error flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openami.ami.mbus import Header, LocalTime, Medium, build, encode, encode_telegram
from openami.ami.meter.street import Kind
from openami.ami.meter.times import instant_of

if TYPE_CHECKING:
    from openami.ami.meter.street import Device

_MEDIA: Final = {Kind.GAS: Medium.GAS, Kind.WATER: Medium.WATER}
_GENERATION: Final = 1


@dataclass(frozen=True, slots=True)
class SlaveTelegram:
    """One answer (RSP_UD) of a slave, as heard by the concentrator of a transformer."""

    transformer: str
    serial: str
    taken_s: int
    octets: bytes


def telegram_of(device: Device, at_s: int, litres: int, zone_name: str) -> SlaveTelegram:
    """The answer of a slave at an instant; the access number counts its hourly answers."""
    header = Header(
        identification=device.mbus_id,
        manufacturer=device.serial[:3],
        version=_GENERATION,
        medium=_MEDIA[device.kind],
        access_number=at_s // device.interval_s & 0xFF,
    )
    records = (
        build.date_time(LocalTime.of(instant_of(at_s), zone_name)),
        build.volume_litres(litres),
        build.error_flags(0),
    )
    frame = encode_telegram(header, records, address=device.mbus_address)
    return SlaveTelegram(device.transformer, device.serial, at_s, encode(frame))
