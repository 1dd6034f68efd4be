"""What a gas, water or heat meter answers its concentrator: an M-Bus telegram with time, dial and error flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openami.ami.mbus import Header, LocalTime, Medium, build, encode, encode_telegram
from openami.ami.meter.heat import heat_records
from openami.ami.meter.street import Kind
from openami.ami.meter.times import instant_of

if TYPE_CHECKING:
    from openami.ami.meter.street import Device

_MEDIA: Final = {Kind.GAS: Medium.GAS, Kind.WATER: Medium.WATER, Kind.HEAT: Medium.HEAT_INLET}
_GENERATION: Final = 1


@dataclass(frozen=True, slots=True)
class SlaveTelegram:
    """One answer (RSP_UD) of a slave, as heard by the concentrator of a transformer."""

    transformer: str
    serial: str
    taken_s: int
    octets: bytes


def telegram_of(device: Device, at_s: int, register: int, rate: int, zone_name: str) -> SlaveTelegram:
    """The answer of a slave at an instant at which `rate` an hour flows; the access number counts its hours."""
    header = Header(
        identification=device.mbus_id,
        manufacturer=device.serial[:3],
        version=_GENERATION,
        medium=_MEDIA[device.kind],
        access_number=at_s // device.interval_s & 0xFF,
    )
    shown = device.shown(register)
    dial = heat_records(shown, rate) if device.kind is Kind.HEAT else (build.volume_litres(shown),)
    records = (build.date_time(LocalTime.of(instant_of(at_s), zone_name)), *dial, build.error_flags(0))
    frame = encode_telegram(header, records, address=device.mbus_address)
    return SlaveTelegram(device.transformer, device.serial, at_s, encode(frame))
