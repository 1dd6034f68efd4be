"""What an electricity meter shows of both directions: export and reactive registers, power by phase, power factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.obis import Obis
from openami.ami.meter import derived
from openami.ami.meter.parts import Part
from openami.ami.meter.phases import Power, phase_power, power_at
from openami.ami.meter.recordings import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms.data import Data
    from openami.ami.meter.model import Meter

EXPORT: Final = Obis.of("1-0:2.8.0")
EXPORT_TARIFFS: Final = tuple(Obis.of(f"1-0:2.8.{tariff}") for tariff in range(1, derived.TARIFFS + 1))
INTERVAL_EXPORT: Final = Obis.of("1-0:2.29.0")
REACTIVE: Final = {
    Obis.of("1-0:3.8.0"): (Flow.Q1, Flow.Q2),
    Obis.of("1-0:4.8.0"): (Flow.Q3, Flow.Q4),
    **{Obis.of(f"1-0:{5 + quadrant}.8.0"): (Flow(f"quadrant {1 + quadrant}"),) for quadrant in range(4)},
}
"""Which quadrants each reactive register counts: +R, -R, and R of the quadrants one by one."""
DIRECTIONS: Final = (1, 2, 3, 4)
"""Value group C of +P, -P, +Q and -Q; of a phase 20 more for each."""
FACTOR_C: Final = 13
PHASE_C: Final = 20

_REGISTER: Final = 3
_WH: Final = d.structure(d.integer8(0), d.enum(30))
_VARH: Final = d.structure(d.integer8(0), d.enum(32))
_W, _VAR = (d.structure(d.integer8(0), d.enum(unit)) for unit in (27, 29))
_FACTOR: Final = d.structure(d.integer8(-3), d.enum(255))


def electricity_part(meter: Meter, zone_name: str, now_s: Callable[[], int]) -> Part:
    """All these objects; a meter that was not ordered for export has no export registers."""
    part = Part()

    def add(obis: Obis, unit: Data, value: Callable[[], int]) -> None:
        part.objects[obis] = (_REGISTER, {2: lambda: d.unsigned32(value()), 3: lambda: unit})

    for obis, flows in REACTIVE.items():
        add(obis, _VARH, _register(meter, now_s, *flows))
    if meter.device.exports:
        add(EXPORT, _WH, _register(meter, now_s, Flow.EXPORT))
        add(INTERVAL_EXPORT, _WH, _last_interval(meter, now_s))
        for index, obis in enumerate(EXPORT_TARIFFS):
            add(obis, _WH, _tariff(meter, zone_name, now_s, index))
    for first_c, power in _powers(meter, now_s).items():
        for direction in DIRECTIONS[0 if first_c else 1 :]:  # the total +P is there already
            obis = Obis.of(f"1-0:{first_c + direction}.7.0")
            add(obis, _VAR if direction > 2 else _W, _directed(power, direction))
        add(Obis.of(f"1-0:{first_c + FACTOR_C}.7.0"), _FACTOR, _factor(power))
    return part


def _powers(meter: Meter, now_s: Callable[[], int]) -> dict[int, Callable[[], Power]]:
    """What flows in all and in each phase, by what is added to value group C."""

    def of_phase(phase: int) -> Callable[[], Power]:
        return lambda: phase_power(meter, phase, np.array([now_s()], np.int64))

    phases = {PHASE_C * (phase + 1): of_phase(phase) for phase in range(meter.device.phases)}
    return {0: lambda: power_at(meter, np.array([now_s()], np.int64)), **phases}


def _register(meter: Meter, now_s: Callable[[], int], *flows: Flow) -> Callable[[], int]:
    return lambda: meter.device.shown(sum(meter.register_at(now_s(), flow) for flow in flows))


def _last_interval(meter: Meter, now_s: Callable[[], int]) -> Callable[[], int]:
    def exported() -> int:
        end_s = now_s() // meter.device.interval_s * meter.device.interval_s
        since_s = max(end_s - meter.device.interval_s, meter.installed_s or 0)
        return meter.register_at(end_s, Flow.EXPORT) - meter.register_at(since_s, Flow.EXPORT)

    return exported


def _tariff(meter: Meter, zone_name: str, now_s: Callable[[], int], index: int) -> Callable[[], int]:
    return lambda: meter.device.shown(derived.tariff_registers(meter, now_s(), zone_name, Flow.EXPORT)[index])


def _directed(power: Callable[[], Power], direction: int) -> Callable[[], int]:
    def value() -> int:
        now = power()
        net = int((now.watts if direction in DIRECTIONS[:2] else now.var)[0])
        return max(net if direction % 2 else -net, 0)

    return value


def _factor(power: Callable[[], Power]) -> Callable[[], int]:
    return lambda: int(power().factor_permille[0])
