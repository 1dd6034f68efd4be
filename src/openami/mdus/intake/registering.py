"""Meters that nobody registered, from the files that bring their readings: for those who have no back office.

Such a device is named as the file names it. It lives from the first to the last reading that files have brought, no
longer: a year of research data must not be estimated on until today.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from openami.mdus.registry.ids import DeviceId, TaskId
from openami.mdus.registry.model import Device, DeviceMaster, Register
from openami.mdus.registry.slices import OPEN_DATE, Period
from openami.mdus.series import Calendar
from openami.mdus.unify.adapters.quantities import obis_of_code
from openami.mdus.unify.delivery import instant_block
from openami.mdus.unify.refusals import UNKNOWN_TYPE
from openami.mdus.unify.units import in_books
from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.mdus.registry.codes import CodeTables
    from openami.mdus.unify.adapters import SourceSeries
    from openami.shared.contract.enterprise.codes import Code
    from openami.shared.contract.field import IntervalBlock

MATERIAL: Final = "FROM FILE"
"""The material of devices that were registered from a file; only such devices are changed here."""
ZONES: Final = {"nem12": "Etc/GMT-10", "sgsc": "Etc/GMT-10", "mscons": "Europe/Berlin", "lcl": "Europe/London"}
"""The zone in whose local days a format's meters live, where its market fixes one (NEM time has no summer time)."""
_DIGITS: Final = 12
_FRACTIONS: Final = (3, 6, 9)
_REGISTER: Final = "0"


def device_name(series: SourceSeries) -> str:
    """How the file calls the meter of a series."""
    return series.meter.label()


def wishes(
    series: Iterable[SourceSeries], codes: CodeTables, zone_name: str
) -> tuple[dict[str, list[Register]], list[Refusal]]:
    """The registers that series ask for, by device; those of which the books know no quantity or unit are refused."""
    found: dict[str, dict[str, Register]] = {}
    refusals: list[Refusal] = []
    for one in series:
        made = _register(one, codes, zone_name)
        if isinstance(made, str):
            refusals.append(Refusal(one.position, UNKNOWN_TYPE, made, device_name(one)))
        elif made is not None:
            own = found.setdefault(device_name(one), {})
            known = own.get(made.task)
            own[made.task] = made if known is None else _merged(known, made)
    return {name: list(own.values()) for name, own in found.items()}, refusals


def registered(known: Device | None, name: str, registers: Iterable[Register]) -> Device | None:
    """The device with these registers in it; the very same one if it has them, None if it is not ours to change."""
    device = known or Device(DeviceId(name), DeviceMaster(name, MATERIAL, Period(date(1970, 1, 1), OPEN_DATE)))
    if device.master.material_id != MATERIAL:
        return None
    by_task = {one.task: one for one in device.registers}
    for one in registers:
        before = by_task.get(one.task)
        by_task[one.task] = one if before is None else _merged(before, one)
    return replace(device, registers=tuple(by_task.values()))


def _register(series: SourceSeries, codes: CodeTables, zone_name: str) -> Register | str | None:
    """What a series asks for; a text says why it cannot be."""
    block = _kept_block(series)
    if block is None or not len(block):
        return None
    code = block.reading_type
    if series.gridless:
        return series.gridless
    obis = obis_of_code(code)
    if not obis:
        return f"no OBIS code is known for the reading type {code}: register the meter by hand."
    unit = _unit(codes, in_books(code.unit_symbol)[0])
    if unit is None:
        return f"the books have no unit {code.unit_symbol!r}: add it to the table of units."
    recurrence = _recurrence(codes, block.interval_s)
    if recurrence is None:
        return f"the table of recurrences has no interval of {block.interval_s} s."
    calendar = Calendar(zone_name, block.interval_s)
    first, last = (calendar.day_of(int(at)) for at in (block.starts.min(), block.starts.max()))
    period = Period(date.fromordinal(first), date.fromordinal(last) + timedelta(days=1))
    task = TaskId(f"{device_name(series)}/{obis}/{block.interval_s}")
    return Register(
        task=task,
        period=period,
        obis=obis,
        unit_code=unit.code,
        total_digits=_DIGITS,
        fraction_digits=_fraction(int(unit.values["power"]) - block.scale, block.interval_s),
        recurrence=recurrence,
        time_zone=zone_name,
    )


def _kept_block(series: SourceSeries) -> IntervalBlock | None:
    """What is to be kept: the register readings, where a series has them beside the consumption that they say."""
    if not series.registers:
        return series.kept
    return instant_block(series.registers[0].reading_type, series.registers)


def _unit(codes: CodeTables, unit: str) -> Code | None:
    """The code for thousands of a unit (kilowatt-hours), as displays show it, else for the unit itself."""
    fitting = [one for one in codes.tables["units"].codes if one.values["unit"] == unit]
    return max(fitting, key=lambda one: (one.values["power"] in {0, 3}, one.values["power"]), default=None)


def _fraction(decimals: int, interval_s: int) -> int:
    """Digits behind the point: of a register those that it shows; of intervals 3, 6 or 9, so that others fit later."""
    if not interval_s:
        return max(0, min(decimals, _FRACTIONS[0]))
    return next((one for one in _FRACTIONS if decimals <= one), _FRACTIONS[-1])


def _recurrence(codes: CodeTables, interval_s: int) -> str | None:
    return next((one.code for one in codes.tables["recurrences"].codes if one.values["interval_s"] == interval_s), None)


def _merged(kept: Register, new: Register) -> Register:
    period = Period(min(kept.period.first, new.period.first), max(kept.period.past_last, new.period.past_last))
    if kept.recurrence == _REGISTER:
        return replace(kept, period=period, fraction_digits=max(kept.fraction_digits, new.fraction_digits))
    return replace(kept, period=period)
