"""What a meter shows beside its first register and profile: tariffs, demand, billing, alarms, limiter, identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import CosemDateTime
from openami.ami.meter import alarms, derived
from openami.ami.meter.breaker import MODE_REMOTE_ON_OFF
from openami.ami.meter.buffers import ProfileTable
from openami.ami.meter.calendars import calendar_part
from openami.ami.meter.channels import channels_part
from openami.ami.meter.electricity import EXPORT, electricity_part
from openami.ami.meter.firmware import image_part
from openami.ami.meter.parts import Part
from openami.ami.meter.phases import power_at
from openami.ami.meter.prepayment import prepayment_part
from openami.ami.meter.protection import system_title
from openami.ami.meter.quality import quality_part
from openami.ami.meter.settings import settings_part
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.security import Keys
    from openami.ami.meter.buffers import Column
    from openami.ami.meter.model import Meter

TOTAL: Final = Obis.of("1-0:1.8.0")
TARIFFS: Final = tuple(Obis.of(f"1-0:1.8.{tariff}") for tariff in range(1, derived.TARIFFS + 1))
RELAY: Final = Obis.of("0-1:96.3.10")
"""The auxiliary relay of load control: a second disconnect control, without a button."""
DEMAND_RESET: Final = Obis.of("0-0:10.0.1")
POWER: Final = Obis.of("1-0:1.7.0")
MAXIMUM_DEMAND: Final = Obis.of("1-0:1.6.0")
ACTIVE_TARIFF: Final = Obis.of("0-0:96.14.0")
BILLING_PROFILE: Final = Obis.of("1-0:98.1.0")
POWER_FAILURES: Final = Obis.of("1-0:99.97.0")
FAILURE_DURATION: Final = Obis.of("0-0:96.7.19")
FAILURE_COUNT: Final = Obis.of("0-0:96.7.21")
LONG_FAILURE_COUNT: Final = Obis.of("0-0:96.7.9")
ALARMS: Final = Obis.of("0-0:97.98.0")
LIMITER: Final = Obis.of("0-0:17.0.0")
SAP_ASSIGNMENT: Final = Obis.of("0-0:41.0.0")
SECURITY_SETUP: Final = Obis.of("0-0:43.0.0")
INVOCATION_COUNTER: Final = Obis.of("0-0:43.1.0")

_DATA, _REGISTER, _EXTENDED_REGISTER, _SCRIPT_CLASS, _SAP_CLASS, _SECURITY_CLASS, _DISCONNECT_CLASS, _LIMITER_CLASS = (
    *(1, 3, 4, 9, 17),
    *(64, 70, 71),
)
GROUPS_MAX: Final = 16
_WH: Final = d.structure(d.integer8(0), d.enum(30))
_W: Final = d.structure(d.integer8(0), d.enum(27))


def further_objects(
    meter: Meter, zone_name: str, now_s: Callable[[], int]
) -> dict[Obis, tuple[int, dict[int, Callable[[], Data | Encoded]]]]:
    """The objects by logical name: class, and how each readable attribute is read."""

    def tariff(index: int) -> Callable[[], Data]:
        return lambda: d.unsigned32(meter.device.shown(derived.tariff_registers(meter, now_s(), zone_name)[index]))

    def power() -> Data:
        return d.unsigned32(max(int(power_at(meter, np.array([now_s()], np.int64)).watts[0]), 0))

    def demand() -> derived.Demand:
        from_s = max(derived.month_start_s(now_s(), zone_name), meter.demand_reset_s)
        return derived.maximum_demand(meter, from_s, now_s())

    def demand_time() -> Data:
        return d.octet_string(CosemDateTime.of(instant_of(demand().end_s), zone=meter.place(zone_name)))

    name = f"{meter.serial:0<16}".encode()[:16]
    objects: dict[Obis, tuple[int, dict[int, Callable[[], Data | Encoded]]]] = {
        each: (_REGISTER, {2: tariff(index), 3: lambda: _WH}) for index, each in enumerate(TARIFFS)
    }
    return objects | {
        POWER: (_REGISTER, {2: power, 3: lambda: _W}),
        MAXIMUM_DEMAND: (
            _EXTENDED_REGISTER,
            {2: lambda: d.unsigned32(demand().watts), 3: lambda: _W, 4: lambda: d.NULL, 5: demand_time},
        ),
        ACTIVE_TARIFF: (_DATA, {2: lambda: d.visible_string(f"{derived.tariff_at(meter, now_s(), zone_name):04d}")}),
        FAILURE_COUNT: (_DATA, {2: lambda: d.unsigned16(len(meter.power.cuts()) & 0xFFFF)}),
        LONG_FAILURE_COUNT: (_DATA, {2: lambda: d.unsigned16(len(derived.long_failures(meter)) & 0xFFFF)}),
        ALARMS: (_DATA, {2: lambda: d.unsigned32(alarms.alarm_register(meter))}),
        LIMITER: (_LIMITER_CLASS, _limiter(meter, now_s)),
        SAP_ASSIGNMENT: (
            _SAP_CLASS,
            {2: lambda: d.array([d.structure(d.unsigned16(1), d.octet_string(name))])},
        ),
        SECURITY_SETUP: (
            _SECURITY_CLASS,
            {
                2: lambda: d.enum(0),
                3: lambda: d.enum(0),
                4: lambda: d.octet_string(b""),
                5: lambda: d.octet_string(system_title(meter.serial)),
            },
        ),
        INVOCATION_COUNTER: (_DATA, {2: lambda: d.unsigned32(max(meter.counters.last_received, 0))}),
        RELAY: (
            _DISCONNECT_CLASS,
            {
                2: lambda: d.boolean(meter.relay_closed),
                3: lambda: d.enum(int(meter.relay_closed)),
                4: lambda: d.enum(MODE_REMOTE_ON_OFF),
            },
        ),
    }


def further_profiles(meter: Meter, zone_name: str, now_s: Callable[[], int]) -> dict[Obis, ProfileTable]:
    """The billing profile (monthly) and the log of long power failures."""

    def place() -> tzinfo:
        return meter.place(zone_name)

    def stamp(seconds: list[int]) -> StampColumn:
        return StampColumn(utc_s_to_stamps(np.array(seconds, np.int64), zone=place()))

    def numbers(values: list[int]) -> NumberColumn:
        return NumberColumn(d.Tag.UNSIGNED32, np.array(values, np.int64))

    def billing(first_s: int, last_s: int) -> list[Column]:
        rows = derived.billing_rows(meter, zone_name, now_s(), first_s, last_s)
        return [
            stamp([row.at_s for row in rows]),
            numbers([row.total_wh for row in rows]),
            *(numbers([row.tariffs_wh[index] for row in rows]) for index in range(derived.TARIFFS)),
            numbers([row.demand_w for row in rows]),
            *([numbers([row.exported_wh for row in rows])] if exported else []),
        ]

    def failures(first_s: int, last_s: int) -> list[Column]:
        rows = [each for each in derived.long_failures(meter) if first_s <= each[0] <= last_s]
        return [stamp([end_s for end_s, _ in rows]), numbers([duration_s for _, duration_s in rows])]

    registers = [CaptureObject(_REGISTER, obis, 2) for obis in (TOTAL, *TARIFFS)]
    demand = CaptureObject(_EXTENDED_REGISTER, MAXIMUM_DEMAND, 2)
    exported = [CaptureObject(_REGISTER, EXPORT, 2)] if meter.device.exports else []
    duration = CaptureObject(_DATA, FAILURE_DURATION, 2)
    return {
        BILLING_PROFILE: ProfileTable((CLOCK_COLUMN, *registers, demand, *exported), billing, place),
        POWER_FAILURES: ProfileTable((CLOCK_COLUMN, duration), failures, place),
    }


def further_writers(meter: Meter, now_s: Callable[[], int]) -> dict[tuple[Obis, int], Callable[[Data], None]]:
    """What a head-end may write: the limiter's threshold and patience, and zero into the alarm register."""

    def threshold(value: Data) -> None:
        meter.set_limit(now_s(), _unsigned32(value), meter.limiter.over_s)

    def patience(value: Data) -> None:
        meter.set_limit(now_s(), meter.limiter.threshold_w, _unsigned32(value))

    def clear(value: Data) -> None:
        if value.integer() != 0:
            raise AccessDeniedError(DataAccessResult.OTHER_REASON)
        meter.clear_alarms(now_s())

    def emergency_threshold(value: Data) -> None:
        meter.set_emergency(now_s(), {"emergency_w": _unsigned32(value)})

    def emergency_profile(value: Data) -> None:
        number, activation, duration = value.fields(3)
        stamp = activation.instant() if activation.octets() != CosemDateTime().encode() else instant_of(0)
        detail = {
            "profile_id": number.integer(),
            "activation_s": seconds_of(stamp),
            "duration_s": _unsigned32(duration),
        }
        meter.set_emergency(now_s(), detail)

    def emergency_groups(value: Data) -> None:
        meter.set_emergency(now_s(), {"groups": [each.integer() for each in value.elements()][:GROUPS_MAX]})

    return {
        (LIMITER, 4): threshold,
        (LIMITER, 5): emergency_threshold,
        (LIMITER, 6): patience,
        (LIMITER, 8): emergency_profile,
        (LIMITER, 9): emergency_groups,
        (ALARMS, 2): clear,
    }


def further_parts(
    meter: Meter, zone_name: str, now_s: Callable[[], int], keys: Keys | None, slaves: Sequence[Meter]
) -> Part:
    """Everything that has a module of its own."""
    part = Part()
    part.join(settings_part(meter, now_s))
    part.join(calendar_part(meter, now_s))
    part.join(image_part(meter, now_s))
    part.join(quality_part(meter, zone_name, now_s))
    part.join(electricity_part(meter, zone_name, now_s))
    part.join(channels_part(meter, slaves, zone_name, now_s))
    part.join(prepayment_part(meter, keys.authentication if keys else b"", now_s))
    part.methods[RELAY, 1] = lambda _parameter: meter.switch_relay(now_s(), closed=False)
    part.methods[RELAY, 2] = lambda _parameter: meter.switch_relay(now_s(), closed=True)
    part.objects[DEMAND_RESET] = (_SCRIPT_CLASS, {2: lambda: d.array([])})
    part.methods[DEMAND_RESET, 1] = lambda _parameter: meter.reset_demand(now_s())
    return part


def _unsigned32(value: Data) -> int:
    number = value.integer()
    if not 0 <= number < 2**32:
        raise AccessDeniedError(DataAccessResult.TYPE_UNMATCHED)
    return number


def _limiter(meter: Meter, now_s: Callable[[], int]) -> dict[int, Callable[[], Data | Encoded]]:
    monitored = d.structure(d.unsigned16(_REGISTER), d.octet_string(POWER), d.integer8(2))

    def emergency() -> Data:
        limiter = meter.limiter
        stamp = CosemDateTime.of(instant_of(limiter.activation_s)) if limiter.activation_s else CosemDateTime()
        return d.structure(d.unsigned16(limiter.profile_id), d.octet_string(stamp), d.unsigned32(limiter.duration_s))

    return {
        2: lambda: monitored,
        3: lambda: d.unsigned32(meter.limiter.active_w(now_s())),
        4: lambda: d.unsigned32(meter.limiter.threshold_w),
        5: lambda: d.unsigned32(meter.limiter.emergency_w),
        6: lambda: d.unsigned32(meter.limiter.over_s),
        7: lambda: d.unsigned32(0),
        8: emergency,
        9: lambda: d.array(map(d.unsigned16, meter.limiter.groups)),
        10: lambda: d.boolean(meter.limiter.emergency_at(now_s())),
    }
