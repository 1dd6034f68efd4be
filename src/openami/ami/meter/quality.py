"""Quality of supply: voltages with sags and swells, harmonics, the profile of both, and the modem's reception.

Recordings of homes hold energy only. Voltage and harmonics are therefore made: a slow, repeatable wave around their
usual values, different at each meter; a sag or swell that somebody ordered pulls the voltage away while it lasts.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject, capture_objects
from openami.ami.meter.buffers import ProfileTable
from openami.ami.meter.parts import Part
from openami.ami.meter.phases import phase_power, power_at
from openami.ami.meter.settings import DEFINABLE_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from numpy.typing import NDArray

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.references import Selection
    from openami.ami.meter.buffers import Column
    from openami.ami.meter.model import Meter
    from openami.ami.meter.parts import Getter

PHASES: Final = 3
UNDER, OVER, NORMAL = 76, 79, 85
"""Codes of the power quality log for L1; L2 and L3 follow (IDIS)."""
VOLTAGES: Final = tuple(Obis.of(f"1-0:{c}.7.0") for c in (32, 52, 72))
AVERAGES: Final = tuple(Obis.of(f"1-0:{c}.24.0") for c in (32, 52, 72))
CURRENTS: Final = tuple(Obis.of(f"1-0:{c}.7.0") for c in (31, 51, 71))
HARMONICS: Final = tuple(Obis.of(f"1-0:{c}.7.124") for c in (31, 51, 71))
SAGS: Final = tuple(Obis.of(f"1-0:{c}.32.0") for c in (32, 52, 72))
SWELLS: Final = tuple(Obis.of(f"1-0:{c}.36.0") for c in (32, 52, 72))
FREQUENCY: Final = Obis.of("1-0:14.7.0")
QUALITY_PROFILE: Final = Obis.of("1-0:99.1.1")
MODEM: Final = Obis.of("0-0:25.6.0")
POWER: Final = Obis.of("1-0:1.7.0")
REGISTER: Final = Obis.of("1-0:1.8.0")

_DATA, _REGISTER_CLASS, _PROFILE, _MODEM_CLASS = 1, 3, 7, 47
_PERIOD_S: Final = 900
_ENTRIES: Final = 960
_DECIVOLT: Final = d.structure(d.integer8(-1), d.enum(35))
_CENTIAMPERE: Final = d.structure(d.integer8(-2), d.enum(33))
_PERMILLE: Final = d.structure(d.integer8(-1), d.enum(56))
_NOMINAL_DECIVOLT: Final = 2300
_SAG, _SWELL = 0.8, 1.15


def voltages(meter: Meter, phase: int, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """The voltage of a phase (from 0) in tenths of a volt at each instant; nothing without mains."""
    wave = np.sin(at_s / 5400 + _seed(meter, phase)) * 25 + np.sin(at_s / 977 + phase) * 8
    value = _NOMINAL_DECIVOLT + wave
    for from_s, to_s, factor in disturbances(meter, phase):
        value = np.where((at_s >= from_s) & (at_s < to_s), _NOMINAL_DECIVOLT * factor, value)
    shown: NDArray[np.int64] = np.where(meter.power.up_at(at_s), value, 0).astype(np.int64)
    return shown


def harmonics(meter: Meter, phase: int, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Total harmonic distortion of a phase's current in tenths of a percent at each instant."""
    wave: NDArray[np.int64] = (45 + np.sin(at_s / 3600 + _seed(meter, phase + PHASES)) * 30).astype(np.int64)
    return wave


def disturbances(meter: Meter, phase: int) -> list[tuple[int, int, float]]:
    """Each sag and swell of a phase: from when to when, and what is left of the voltage."""
    found: list[tuple[int, int, float]] = []
    begun: tuple[int, float] | None = None
    for event in meter.events:
        if event.code in (UNDER + phase, OVER + phase):
            begun = event.at_s, _SAG if event.code == UNDER + phase else _SWELL
        elif event.code == NORMAL + phase and begun is not None:
            found.append((begun[0], event.at_s, begun[1]))
            begun = None
    return found if begun is None else [*found, (begun[0], 2**62, begun[1])]


def quality_part(meter: Meter, zone_name: str, now_s: Callable[[], int]) -> Part:
    """All objects of the quality of supply."""
    part = Part()

    def now() -> NDArray[np.int64]:
        return np.array([now_s()], np.int64)

    def add(obis: Obis, unit: Data, value: Callable[[], int]) -> None:
        part.objects[obis] = (_REGISTER_CLASS, {2: lambda: d.unsigned32(value()), 3: lambda: unit})

    for phase in range(meter.device.phases):
        add(VOLTAGES[phase], _DECIVOLT, _now_of(voltages, meter, phase, now))
        add(AVERAGES[phase], _DECIVOLT, _average_of(meter, phase, now_s))
        add(CURRENTS[phase], _CENTIAMPERE, _current_of(meter, phase, now))
        add(HARMONICS[phase], _PERMILLE, _now_of(harmonics, meter, phase, now))
        part.objects[SAGS[phase]] = (_DATA, {2: _count(meter, UNDER + phase)})
        part.objects[SWELLS[phase]] = (_DATA, {2: _count(meter, OVER + phase)})
    add(FREQUENCY, d.structure(d.integer8(-2), d.enum(44)), lambda: 5000 + int(np.sin(now_s() / 300) * 2))
    part.objects[MODEM] = (_MODEM_CLASS, _modem(meter))
    table = _quality_table(meter, zone_name, now_s)
    part.profiles[QUALITY_PROFILE] = table
    part.objects[QUALITY_PROFILE] = (_PROFILE, table.attributes(_PERIOD_S, _ENTRIES))
    _add_definable(part, meter, zone_name, now_s)
    return part


def _quality_table(meter: Meter, zone_name: str, now_s: Callable[[], int]) -> ProfileTable:
    columns = [CaptureObject(_REGISTER_CLASS, AVERAGES[phase], 2) for phase in range(meter.device.phases)]
    columns += [CaptureObject(_REGISTER_CLASS, HARMONICS[phase], 2) for phase in range(meter.device.phases)]

    def rows(first_s: int, last_s: int) -> list[Column]:
        ends_s = _row_ends(meter, now_s(), first_s, last_s, _PERIOD_S)
        numbers = [_averages(meter, phase, ends_s) for phase in range(meter.device.phases)]
        numbers += [harmonics(meter, phase, ends_s) for phase in range(meter.device.phases)]
        return [_stamps(ends_s, meter.place(zone_name)), *(NumberColumn(d.Tag.UNSIGNED32, each) for each in numbers)]

    return ProfileTable((CLOCK_COLUMN, *columns), rows, lambda: meter.place(zone_name))


def _add_definable(part: Part, meter: Meter, zone_name: str, now_s: Callable[[], int]) -> None:
    table = _DefinableTable(meter, zone_name, now_s)
    part.profiles[DEFINABLE_PROFILE] = table  # type: ignore[assignment]  # its columns change while it lives
    part.objects[DEFINABLE_PROFILE] = (_PROFILE, {7: lambda: d.unsigned32(table.entries()), **_fixed_attributes()})
    part.writers[DEFINABLE_PROFILE, 3] = table.define


def _fixed_attributes() -> dict[int, Getter]:
    return {5: lambda: d.enum(1), 8: lambda: d.unsigned32(_ENTRIES)}


class _DefinableTable:
    """The load profile whose columns a head-end chooses (0-1:94.31.6)."""

    def __init__(self, meter: Meter, zone_name: str, now_s: Callable[[], int]) -> None:
        self._meter = meter
        self._zone_name = zone_name
        self._now_s = now_s
        self._known: dict[Obis, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = {
            REGISTER: self._registers,
            POWER: self._powers,
            **{VOLTAGES[phase]: _voltage_of(meter, phase) for phase in range(meter.device.phases)},
        }

    def define(self, value: Data) -> None:
        """Choose other columns.

        Raises:
            AccessDeniedError: one of them cannot be captured.
        """
        if any(not each.is_clock and each.obis not in self._known for each in capture_objects(value)):
            raise AccessDeniedError(DataAccessResult.OTHER_REASON)
        self._meter.write_setting(self._now_s(), DEFINABLE_PROFILE, 3, encode(value))

    def buffer(self, selection: Selection | None) -> Encoded:
        """Attribute 2, or the selected part of it."""
        return self._table().buffer(selection)

    def entries(self) -> int:
        """Attribute 7."""
        return self._table().entries() if self._columns() else 0

    def _columns(self) -> list[CaptureObject]:
        return [each for each in capture_objects(self._meter.settings.of(DEFINABLE_PROFILE, 3)) if not each.is_clock]

    def _table(self) -> ProfileTable:
        columns = self._columns()

        def rows(first_s: int, last_s: int) -> list[Column]:
            period_s = max(self._meter.settings.of(DEFINABLE_PROFILE, 4).integer(), 60)
            ends_s = _row_ends(self._meter, self._now_s(), first_s, last_s, period_s)
            numbers = [NumberColumn(d.Tag.UNSIGNED32, self._known[each.obis](ends_s)) for each in columns]
            return [_stamps(ends_s, self._place()), *numbers]

        return ProfileTable((CLOCK_COLUMN, *columns), rows, self._place)

    def _place(self) -> tzinfo:
        return self._meter.place(self._zone_name)

    def _registers(self, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
        history = self._meter.history
        return np.zeros(len(at_s), np.int64) if history is None else history.registers(at_s)

    def _powers(self, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.maximum(power_at(self._meter, at_s).watts, 0)


def _voltage_of(meter: Meter, phase: int) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    return lambda at_s: voltages(meter, phase, at_s)


def _row_ends(meter: Meter, now_s: int, first_s: int, last_s: int, period_s: int) -> NDArray[np.int64]:
    newest_s = min(now_s, last_s, meter.removed_s or now_s) // period_s * period_s
    installed_s = now_s if meter.installed_s is None else meter.installed_s
    oldest_s = max(first_s, installed_s + 1, newest_s - (_ENTRIES - 1) * period_s)
    ends_s = np.arange(-(-oldest_s // period_s) * period_s, newest_s + 1, period_s, dtype=np.int64)
    return ends_s[meter.power.up_at(ends_s)]


def _stamps(at_s: NDArray[np.int64], place: tzinfo) -> StampColumn:
    return StampColumn(utc_s_to_stamps(at_s, zone=place))


def _averages(meter: Meter, phase: int, ends_s: NDArray[np.int64]) -> NDArray[np.int64]:
    samples = [voltages(meter, phase, ends_s - offset_s) for offset_s in range(30, _PERIOD_S, 60)]
    average: NDArray[np.int64] = np.mean(samples, axis=0).astype(np.int64) if len(ends_s) else np.empty(0, np.int64)
    return average


def _now_of(
    wave: Callable[[Meter, int, NDArray[np.int64]], NDArray[np.int64]],
    meter: Meter,
    phase: int,
    now: Callable[[], NDArray[np.int64]],
) -> Callable[[], int]:
    return lambda: int(wave(meter, phase, now())[0])


def _average_of(meter: Meter, phase: int, now_s: Callable[[], int]) -> Callable[[], int]:
    return lambda: int(_averages(meter, phase, np.array([now_s() // _PERIOD_S * _PERIOD_S], np.int64))[0])


def _current_of(meter: Meter, phase: int, now: Callable[[], NDArray[np.int64]]) -> Callable[[], int]:
    def current() -> int:
        volts = int(voltages(meter, phase, now())[0])
        return int(phase_power(meter, phase, now()).volt_amperes[0] * 1000 / volts) if volts else 0

    return current


def _count(meter: Meter, code: int) -> Callable[[], Data]:
    return lambda: d.unsigned16(sum(event.code == code for event in meter.events) & 0xFFFF)


def _modem(meter: Meter) -> dict[int, Getter]:
    quality = 12 + _hash(meter, 9) % 18
    cell = d.structure(
        *(d.unsigned32(40_000 + _hash(meter, 8) % 9000), d.unsigned16(17), d.unsigned8(quality), d.unsigned8(0)),
        *(d.unsigned16(204), d.unsigned16(8), d.unsigned32(6300)),
    )
    return {
        2: lambda: d.visible_string("OpenAMI Mobile"),
        3: lambda: d.enum(1),
        4: lambda: d.enum(1),
        5: lambda: d.enum(3),
        6: lambda: cell,
        7: lambda: d.array([]),
    }


def _hash(meter: Meter, salt: int) -> int:
    return zlib.crc32(f"{meter.serial}:{salt}".encode())


def _seed(meter: Meter, salt: int) -> float:
    return _hash(meter, salt) % 628 / 100
