"""M-Bus channels of an electricity meter (class 72): which meter is coupled to each, and what it last said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import CosemDateTime
from openami.ami.meter.buffers import ProfileTable
from openami.ami.meter.parts import Part
from openami.ami.meter.settings import Flag
from openami.ami.meter.street import Kind
from openami.ami.meter.times import instant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from openami.ami.dlms.data import Data
    from openami.ami.meter.buffers import Column
    from openami.ami.meter.model import Meter
    from openami.ami.meter.parts import Getter

COUNT: Final = 4
_CLIENT, _EXTENDED, _PROFILE, _DATA = 72, 4, 7, 1
_MEDIA: Final = {Kind.GAS: 3, Kind.WATER: 7, Kind.HEAT: 12}
_UNITS: Final = (d.structure(d.integer8(-3), d.enum(13)), d.structure(d.integer8(0), d.enum(30)))
"""Litres, and Wh of heat."""
_POLL_S: Final = 3600
_HOURS_KEPT: Final = 960
KEY_SET, NO_KEY = 1, 0
INSTALLED_CODE: Final = 105  # base + 5 of channel 1 (cosem 8.5)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: which meter was taken off it by hand, whether a key was set, whether its alarms were reset."""

    decoupled: bool = False
    key_status: int = NO_KEY
    alarm: int = 0


@dataclass(slots=True)
class Channels:
    """The four channels of a meter."""

    by_number: dict[int, Channel] = field(default_factory=dict)

    def of(self, number: int) -> Channel:
        """One channel."""
        return self.by_number.get(number, Channel())

    def apply(self, detail: Mapping[str, Any]) -> None:
        """One change, new or replayed."""
        changes = {name: value for name, value in detail.items() if name not in {"channel", "code"}}
        self.by_number[detail["channel"]] = replace(self.of(detail["channel"]), **changes)


def couple(meter: Meter, number: int, at_s: int) -> None:
    """Put the slave that is heard on a channel to use."""
    code = INSTALLED_CODE + 10 * (number - 1)
    meter.couple(at_s, {"channel": number, "decoupled": False, "code": code})


def discover(meter: Meter, slaves: Sequence[Meter], at_s: int) -> None:
    """Look for slaves, and couple those that somebody had taken off their channel."""
    for number, _slave in enumerate(slaves[:COUNT], 1):
        if meter.channels.of(number).decoupled:
            couple(meter, number, at_s)


class _View:
    """What one channel shows."""

    def __init__(
        self, meter: Meter, slave: Meter | None, number: int, zone_name: str, now_s: Callable[[], int]
    ) -> None:
        self.meter, self.number, self.zone_name, self.now_s = meter, number, zone_name, now_s
        self._slave = slave

    @property
    def slave(self) -> Meter | None:
        """The meter on this channel."""
        return None if self.channel.decoupled else self._slave

    @property
    def channel(self) -> Channel:
        return self.meter.channels.of(self.number)

    def number_of(self, take: Callable[[Meter], int]) -> int:
        return 0 if self.slave is None else take(self.slave)

    def address_of(self, slave: Meter) -> int:
        """The primary address of a slave: its own, or its channel where the meter gives them out."""
        dynamic = self.meter.settings.flag(Flag.DYNAMIC_MBUS_ADDRESS)
        return self.number if dynamic else slave.device.mbus_address

    def hours_s(self, first_s: int, last_s: int) -> list[int]:
        """The hours at which the slave answered."""
        if self.slave is None or self.slave.installed_s is None:
            return []
        newest_s = min(self.now_s(), last_s) // _POLL_S * _POLL_S
        oldest_s = max(self.slave.installed_s, first_s, newest_s - (_HOURS_KEPT - 1) * _POLL_S)
        return list(range(-(-oldest_s // _POLL_S) * _POLL_S, newest_s + 1, _POLL_S))

    def last_hour_s(self) -> int:
        return self.now_s() // _POLL_S * _POLL_S

    def place(self) -> tzinfo:
        return self.meter.place(self.zone_name)

    def value(self) -> Data:
        slave = self.slave
        if slave is None or slave.installed_s is None or self.last_hour_s() < slave.installed_s:
            return d.unsigned32(0)
        return d.unsigned32(slave.device.shown(slave.register_at(self.last_hour_s())))

    def stamp(self) -> Data:
        return d.octet_string(CosemDateTime.of(instant_of(self.last_hour_s()), zone=self.place()))

    def rows(self, first_s: int, last_s: int) -> list[Column]:
        hours = np.array(self.hours_s(first_s, last_s), np.int64)
        history = None if self.slave is None else self.slave.history
        values = np.zeros(0, np.int64) if history is None or not len(hours) else history.registers(hours)
        stamps = StampColumn(utc_s_to_stamps(hours, zone=self.place()))
        return [stamps, NumberColumn(d.Tag.UNSIGNED32, values)]

    # methods

    def install(self, _parameter: Data | None) -> None:
        if self._slave is None:
            raise ActionRefusedError(ActionResult.OBJECT_UNAVAILABLE)
        couple(self.meter, self.number, self.now_s())

    def deinstall(self, _parameter: Data | None) -> None:
        if self.slave is None:
            raise ActionRefusedError(ActionResult.OBJECT_UNAVAILABLE)
        self.meter.couple(self.now_s(), {"channel": self.number, "decoupled": True, "key_status": NO_KEY})

    def reset_alarm(self, _parameter: Data | None) -> None:
        self.meter.couple(self.now_s(), {"channel": self.number, "alarm": 0})

    def set_key(self, parameter: Data | None) -> None:
        if self.slave is None or parameter is None or len(parameter.octets()) not in (16, 24):
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        self.meter.couple(self.now_s(), {"channel": self.number, "key_status": KEY_SET})


def channels_part(meter: Meter, slaves: Sequence[Meter], zone_name: str, now_s: Callable[[], int]) -> Part:
    """All channels; the slaves of a home take them in the order of their addresses."""
    part = Part()
    for number in range(1, COUNT + 1):
        slave = slaves[number - 1] if number <= len(slaves) else None
        part.join(_channel_part(_View(meter, slave, number, zone_name, now_s)))
    return part


def _channel_part(view: _View) -> Part:
    number = view.number
    client, value, profile = (
        Obis.of(f"0-{number}:24.{object_}.{which}") for object_, which in ((1, 0), (2, 1), (3, 0))
    )
    device_id = Obis.of(f"0-{number}:96.1.0")
    unit = _UNITS[view.number_of(lambda slave: slave.device.kind is Kind.HEAT)]
    table = ProfileTable((CLOCK_COLUMN, CaptureObject(_EXTENDED, value, 2)), view.rows, view.place)
    return Part(
        objects={
            client: (_CLIENT, _client(view)),
            value: (_EXTENDED, {2: view.value, 3: lambda: unit, 4: lambda: d.unsigned8(0), 5: view.stamp}),
            profile: (_PROFILE, table.attributes(_POLL_S, _HOURS_KEPT)),
            device_id: (_DATA, {2: lambda: d.octet_string(view.slave.serial.encode() if view.slave else b"")}),
        },
        profiles={profile: table},
        methods={
            (client, 1): view.install,
            (client, 2): view.deinstall,
            (client, 4): view.reset_alarm,
            (client, 7): view.set_key,
            (client, 8): view.set_key,
        },
    )


def _client(view: _View) -> dict[int, Getter]:
    def maker(slave: Meter) -> int:
        letters = slave.serial[:3]
        return sum((ord(letter) - 64) << shift for letter, shift in zip(letters, (10, 5, 0), strict=True))

    return {
        2: lambda: d.octet_string(Obis.of("0-0:24.6.0")),
        3: lambda: d.array([]),
        4: lambda: d.unsigned32(_POLL_S),
        5: lambda: d.unsigned8(view.number_of(view.address_of)),
        6: lambda: d.unsigned32(view.number_of(lambda slave: int(slave.device.mbus_id, 16))),
        7: lambda: d.unsigned16(view.number_of(maker)),
        8: lambda: d.unsigned8(view.number_of(lambda _slave: 1)),
        9: lambda: d.unsigned8(view.number_of(lambda slave: _MEDIA[slave.device.kind])),
        10: lambda: d.unsigned8(view.last_hour_s() // _POLL_S & 0xFF),
        11: lambda: d.unsigned8(0),
        12: lambda: d.unsigned8(view.channel.alarm),
        13: lambda: d.unsigned16(0),
        14: lambda: d.enum(view.channel.key_status),
    }
