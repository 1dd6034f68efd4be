"""The customer's port (HAN): a DSMR 5 telegram as the P1 plug gives it, every ten seconds in a real meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter import derived
from openami.ami.meter.calendars import NORMAL
from openami.ami.meter.electricity import PHASE_C
from openami.ami.meter.phases import phase_power, power_at
from openami.ami.meter.quality import voltages
from openami.ami.meter.recordings import Flow
from openami.ami.meter.settings import MESSAGE_TEXT
from openami.ami.meter.street import Kind
from openami.ami.meter.times import instant_of
from openami.ami.telegrams.checksums import crc16_arc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from openami.ami.meter.model import Meter

VERSION: Final = "50"
_MEDIA: Final = {Kind.GAS: "003", Kind.WATER: "007", Kind.HEAT: "012"}
_JOULES_PER_WH: Final = 3600
_POLL_S: Final = 3600


def p1_telegram(meter: Meter, slaves: Sequence[Meter], at_s: int, zone_name: str) -> bytes:
    """The telegram at an instant."""
    watts = int(power_at(meter, np.array([at_s], np.int64)).watts[0])
    lines = [
        f"1-3:0.2.8({VERSION})",
        f"0-0:1.0.0({_stamp(at_s, meter.place(zone_name))})",
        f"0-0:96.1.1({meter.serial.encode().hex().upper()})",
    ]
    for direction, flow in enumerate((Flow.IMPORT, Flow.EXPORT), 1):
        for tariff, register in enumerate(derived.tariff_registers(meter, at_s, zone_name, flow)[:NORMAL], 1):
            lines.append(f"1-0:{direction}.8.{tariff}({_thousandths(meter.device.shown(register), 6)}*kWh)")
    lines += [
        f"0-0:96.14.0({derived.tariff_at(meter, at_s, zone_name):04d})",
        *_both_ways(0, watts),
        f"0-0:96.7.21({len(meter.power.cuts()):05d})",
        f"0-0:96.7.9({len(derived.long_failures(meter)):05d})",
        *(line for phase in range(meter.device.phases) for line in _phase_lines(meter, phase, at_s)),
        f"0-0:96.13.0({meter.settings.of(MESSAGE_TEXT, 2).octets().hex().upper()})",
    ]
    for channel, slave in enumerate(slaves, 1):
        if slave.device.kind in _MEDIA and not meter.channels.of(channel).decoupled:
            hour_s = at_s // _POLL_S * _POLL_S
            amount = _amount(slave.device.kind, slave.device.shown(slave.register_at(hour_s)))
            lines += [
                f"0-{channel}:24.1.0({_MEDIA[slave.device.kind]})",
                f"0-{channel}:96.1.0({slave.serial.encode().hex().upper()})",
                f"0-{channel}:24.2.1({_stamp(hour_s, meter.place(zone_name))})({amount})",
            ]
    text = "/OAE5\\OPENAMI\r\n\r\n" + "\r\n".join(lines) + "\r\n!"
    return text.encode() + f"{crc16_arc(text.encode()):04X}\r\n".encode()


def _phase_lines(meter: Meter, phase: int, at_s: int) -> list[str]:
    now = np.array([at_s], np.int64)
    power, decivolts = phase_power(meter, phase, now), int(voltages(meter, phase, now)[0])
    amperes = round(power.volt_amperes[0] * 10 / decivolts) if decivolts else 0
    first_c = PHASE_C * (phase + 1)
    return [
        f"1-0:{first_c + 12}.7.0({decivolts // 10:03d}.{decivolts % 10}*V)",
        f"1-0:{first_c + 11}.7.0({amperes:03d}*A)",
        *_both_ways(first_c, int(power.watts[0])),
    ]


def _both_ways(first_c: int, watts: int) -> list[str]:
    """Power taken and power given; one of them is zero."""
    taken, given = max(watts, 0), max(-watts, 0)
    return [f"1-0:{first_c + way}.7.0({_thousandths(each, 2)}*kW)" for way, each in ((1, taken), (2, given))]


def _amount(kind: Kind, register: int) -> str:
    """Cubic metres, or for heat gigajoules (DSMR 5)."""
    if kind is Kind.HEAT:
        return f"{_thousandths(register * _JOULES_PER_WH // 1_000_000, 5)}*GJ"
    return f"{_thousandths(register, 5)}*m3"


def _thousandths(value: int, digits: int) -> str:
    return f"{value // 1000:0{digits}d}.{value % 1000:03d}"


def _stamp(at_s: int, place: tzinfo) -> str:
    local = instant_of(at_s).astimezone(place)
    return f"{local:%y%m%d%H%M%S}{'S' if local.dst() else 'W'}"
