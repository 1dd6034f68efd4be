"""The customer's port (HAN): a DSMR 5 telegram as the P1 plug gives it, every ten seconds in a real meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter import derived
from openami.ami.meter.calendars import NORMAL
from openami.ami.meter.quality import voltages
from openami.ami.meter.settings import MESSAGE_TEXT
from openami.ami.meter.street import Kind
from openami.ami.meter.times import instant_of
from openami.ami.telegrams.checksums import crc16_arc
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.ami.meter.model import Meter

VERSION: Final = "50"
_MEDIA: Final = {Kind.GAS: "003", Kind.WATER: "007"}
_POLL_S: Final = 3600


def p1_telegram(meter: Meter, slaves: Sequence[Meter], at_s: int, zone_name: str) -> bytes:
    """The telegram at an instant."""
    now = np.array([at_s], np.int64)
    live = meter.history is not None and meter.history.live
    watts = int(meter.history.rates(now)[0]) if live and meter.history else 0
    lines = [
        f"1-3:0.2.8({VERSION})",
        f"0-0:1.0.0({_stamp(at_s, zone_name)})",
        f"0-0:96.1.1({meter.serial.encode().hex().upper()})",
    ]
    for tariff, register in enumerate(derived.tariff_registers(meter, at_s, zone_name)[:NORMAL], 1):
        lines.append(f"1-0:1.8.{tariff}({_thousandths(meter.device.shown(register), 6)}*kWh)")
    lines += [
        f"0-0:96.14.0({derived.tariff_at(meter, at_s, zone_name):04d})",
        f"1-0:1.7.0({_thousandths(watts, 2)}*kW)",
        f"0-0:96.7.21({len(meter.power.cuts()):05d})",
        f"0-0:96.7.9({len(derived.long_failures(meter)):05d})",
        f"1-0:32.7.0({int(voltages(meter, 0, now)[0]) / 10:05.1f}*V)",
        f"0-0:96.13.0({meter.settings.of(MESSAGE_TEXT, 2).octets().hex().upper()})",
    ]
    for channel, slave in enumerate(slaves, 1):
        if slave.device.kind in _MEDIA and not meter.channels.of(channel).decoupled:
            hour_s = at_s // _POLL_S * _POLL_S
            cubic = _thousandths(slave.device.shown(slave.register_at(hour_s)), 5)
            lines += [
                f"0-{channel}:24.1.0({_MEDIA[slave.device.kind]})",
                f"0-{channel}:96.1.0({slave.serial.encode().hex().upper()})",
                f"0-{channel}:24.2.1({_stamp(hour_s, zone_name)})({cubic}*m3)",
            ]
    text = "/OAE5\\OPENAMI\r\n\r\n" + "\r\n".join(lines) + "\r\n!"
    return text.encode() + f"{crc16_arc(text.encode()):04X}\r\n".encode()


def _thousandths(value: int, digits: int) -> str:
    return f"{value // 1000:0{digits}d}.{value % 1000:03d}"


def _stamp(at_s: int, zone_name: str) -> str:
    local = instant_of(at_s).astimezone(zone(zone_name))
    return f"{local:%y%m%d%H%M%S}{'S' if local.dst() else 'W'}"
