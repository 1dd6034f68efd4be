"""One delivery to channel-days, register readings and refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import compress, groupby
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series import ChannelDays, RegisterReadings
from openami.mdus.unify import oddities
from openami.mdus.unify.dials import NO_ANCHORS, Anchors, Dials
from openami.mdus.unify.drift import blocks_of, prorated
from openami.mdus.unify.intervals import Run, gather, into_days
from openami.mdus.unify.refusals import BAD_VALUE, UNKNOWN_METER, UNKNOWN_TYPE, Refusals, Source
from openami.shared.contract import field
from openami.shared.contract.field.columns import MAX_DIGITS
from openami.shared.contract.field.tables import PERIOD_NUMBERS
from openami.shared.quality import EMPTY
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from openami.mdus.unify.intervals import Rows
    from openami.mdus.unify.matching import ChannelDescription, Directory
    from openami.mdus.unify.oddities import Oddity


@dataclass(frozen=True, slots=True, eq=False)
class Unified:
    """What became of a delivery."""

    days: list[ChannelDays]
    """Dense channel-days, one group for each length of day and interval."""
    registers: RegisterReadings
    events: tuple[field.EndDeviceEvent, ...] = ()
    """Events that rode with the readings."""
    refusals: tuple[field.Refusal, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    """What rules of validation are to know of the delivery."""

    @property
    def readings(self) -> int:
        """How many interval and register readings were taken."""
        return sum(int((group.quality != EMPTY).sum()) for group in self.days) + len(self.registers)


@dataclass(frozen=True, slots=True)
class DialNeed:
    """Kept dial values that are needed beside a delivery: those of register `home` in `span`, for `channel`."""

    channel: int
    home: int
    span: Span


def identities(payload: field.MeterReadings | field.EndDeviceEvents) -> set[str]:
    """Every name and mRID that a delivery uses for a meter, device or point: what to look up in the registry."""
    names: set[str] = set()
    for each in _identities(payload):
        names.update(name.name for name in each.names)
        names.update([each.mrid] if each.mrid else [])
    return names


def _identities(payload: field.MeterReadings | field.EndDeviceEvents) -> Iterator[field.Identity]:
    found: Iterable[field.Identity | None]
    if isinstance(payload, field.EndDeviceEvents):
        found = [event.device for event in payload.events]
    else:
        found = [each for reading in payload.readings for each in (reading.meter, reading.usage_point)]
    return (each for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The runs of a delivery, by what happens to them."""

    deltas: list[Run]
    """Consumptions: straight into channel-days."""
    instants: list[Run]
    """Values at an instant: register readings of their own channel, or of the interval channel behind a dial."""
    dials: list[Run]
    """The same dial values once more, to be differenced into intervals."""


def dial_needs(payload: field.MeterReadings, directory: Directory, received_at: datetime) -> list[DialNeed]:
    """Which kept dial values must be at hand as `anchors` when this delivery is unified."""
    plan = _plan(payload, directory, Refusals())
    homes = {run.number: run.channel.channel for run in plan.instants}
    rows = gather(plan.dials, received_at, Refusals())
    found = []
    for number, run in enumerate(rows.runs):
        at_s = rows.start_s[rows.run == number]
        if at_s.size:
            around = run.channel.interval_s + run.channel.tolerance_s
            span = Span(_instant(int(at_s.min()) - around), _instant(int(at_s.max()) + around + 1))
            found.append(DialNeed(run.channel.channel, homes[run.number], span))
    return found


def _instant(seconds: int) -> datetime:
    return field.from_seconds(seconds)


def unify(
    payload: field.MeterReadings,
    directory: Directory,
    *,
    received_at: datetime,
    anchors: Anchors = NO_ANCHORS,
) -> Unified:
    """Bring a delivery onto the channels' own grid, scale and quality.

    Args:
        payload: what was delivered, from the field seam or from an adapter.
        directory: the channels that it may concern.
        received_at: when it arrived; what is stamped more than a day later is refused.
        anchors: dial values that are already kept, see `dial_needs`.
    """
    refusals = Refusals()
    plan = _plan(payload, directory, refusals)
    deltas = prorated(gather(plan.deltas, received_at, refusals), refusals)
    instants = gather(plan.instants, received_at, refusals)
    # The same rows as above, so what is wrong with them has been said.
    moved = Dials(gather(plan.dials, received_at, Refusals())).on_grid(refusals).differences(anchors, refusals)
    days = into_days(deltas, refusals) if deltas.runs else []
    days += into_days(moved, refusals) if moved.runs else []
    received_s = int(received_at.timestamp())
    odd = (*refusals.odd, *oddities.of_rows(deltas, received_s), *oddities.of_rows(moved, received_s))
    return Unified(days, _registers(instants), _events(payload), tuple(refusals.found), odd)


def _registers(rows: Rows) -> RegisterReadings:
    return RegisterReadings(rows.channel, rows.start_s, rows.value, rows.quality)


def _events(payload: field.MeterReadings) -> tuple[field.EndDeviceEvent, ...]:
    """Events that ride with readings are of their meter unless they name another device."""
    return tuple(
        event if event.device else replace(event, device=reading.meter)
        for reading in payload.readings
        for event in reading.events
    )


def _plan(payload: field.MeterReadings, directory: Directory, refusals: Refusals) -> _Plan:
    plan = _Plan([], [], [])
    number = 0
    for index, reading in enumerate(payload.readings, 1):
        position = f"MeterReading[{index}]"
        blocks = [*_delivered_blocks(reading, position), *_instant_blocks(reading, position, refusals)]
        if not blocks:
            continue
        devices = _devices(reading, directory, Source(position, reading.label), refusals)
        told = directory.stranger(reading, devices[0]) if len(devices) == 1 else None
        for block, source in blocks if devices else ():
            number += 1
            _assign(_Arrived(block, number, source, told), devices, directory, plan, refusals)
    return plan


def _devices(reading: field.MeterReading, directory: Directory, source: Source, refusals: Refusals) -> tuple[str, ...]:
    devices = directory.devices_of(reading)
    if not devices:
        refusals.part(source, UNKNOWN_METER, f"no meter or point {reading.label!r} is registered.")
    elif reading.meter is not None and len(devices) > 1:
        refusals.part(source, UNKNOWN_METER, f"the name {reading.label!r} belongs to {len(devices)} devices.")
        return ()
    return devices


def _delivered_blocks(reading: field.MeterReading, position: str) -> Iterator[tuple[field.IntervalBlock, Source]]:
    for index, block in enumerate(blocks_of(reading), 1):
        source = Source(f"{position}/IntervalBlocks[{index}]", reading.label)
        code = block.reading_type
        if code.interval_s is None and block.interval_s in PERIOD_NUMBERS:
            code = replace(code, measuring_period=PERIOD_NUMBERS[block.interval_s])
        if code.is_dial:  # the value at the end of each period
            yield replace(block, reading_type=code, starts=block.starts + block.interval_s, interval_s=0), source
        else:
            yield replace(block, reading_type=code), source


def _instant_blocks(
    reading: field.MeterReading, position: str, refusals: Refusals
) -> Iterator[tuple[field.IntervalBlock, Source]]:
    """Register readings of one type as a block of instants."""
    by_type = sorted(reading.readings, key=lambda each: str(each.reading_type))
    for code, group in groupby(by_type, key=lambda each: each.reading_type):
        source = Source(f"{position}/Readings {code}", reading.label)
        fitting, beyond = countable(list(group))
        for each in beyond:
            refusals.part(source, BAD_VALUE, beyond_counting(each))
        if fitting:
            yield instant_block(code, fitting), source


def countable(readings: Sequence[field.Reading]) -> tuple[list[field.Reading], list[field.Reading]]:
    """Readings of one type that fit 18 digits with the decimals that they share, and those that do not."""
    alone = [each.value is None or _fits(each.value, _exponent(each.value)) for each in readings]
    finest = _finest([*compress(readings, alone)])
    fitting: list[field.Reading] = []
    beyond: list[field.Reading] = []
    for each, fits in zip(readings, alone, strict=True):
        (fitting if fits and (each.value is None or _fits(each.value, finest)) else beyond).append(each)
    return fitting, beyond


def beyond_counting(reading: field.Reading) -> str:
    """Why a reading is refused that does not fit."""
    return f"the value {str(reading.value)[:40]} at {reading.at:%Y-%m-%dT%H:%M:%S%z} does not fit 18 digits."


def _fits(value: Decimal, exponent: int) -> bool:
    return not value or value.adjusted() - exponent < MAX_DIGITS


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _finest(readings: Sequence[field.Reading]) -> int:
    return min((_exponent(each.value) for each in readings if each.value is not None), default=0)


def instant_block(code: field.ReadingTypeCode, readings: Sequence[field.Reading]) -> field.IntervalBlock:
    """Register readings of one type that are `countable`, as a block whose intervals have no length."""
    values = [Decimal(0) if each.value is None else each.value for each in readings]
    exponent = _finest(readings)
    whole = [int(value.scaleb(-exponent)) for value in values]
    sets = list(dict.fromkeys(each.qualities for each in readings if each.qualities))
    return field.IntervalBlock.of(
        code,
        np.array([int(each.at.timestamp()) for each in readings]),
        0,
        np.array(whole, np.int64),
        scale=code.multiplier + exponent,
        missing=np.array([each.value is None for each in readings]),
        qualities=sets,
        quality_index=np.array([sets.index(each.qualities) + 1 if each.qualities else 0 for each in readings]),
    )


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A block of a delivery, its number, where it stood, and a stranger's name that it came with."""

    block: field.IntervalBlock
    number: int
    source: Source
    told: tuple[str, str] | None

    def into(self, channels: Iterable[ChannelDescription]) -> Iterator[Run]:
        """A run for each channel that takes it."""
        return (Run(self.block, self.number, channel, self.source, self.told) for channel in channels)


def _assign(arrived: _Arrived, devices: tuple[str, ...], directory: Directory, plan: _Plan, refusals: Refusals) -> None:
    block, code, source = arrived.block, arrived.block.reading_type, arrived.source
    if block.pending_calculation:
        refusals.part(source, UNKNOWN_TYPE, f"a calculation is left to the receiver: {block.pending_calculation}.")
        refusals.odd.extend(oddities.of_calculation(block, directory.channels(devices, code)))
        return
    if block.interval_s:
        channels = [each for each in directory.channels(devices, code) if each.interval_s == block.interval_s]
        plan.deltas.extend(arrived.into(channels))
    else:
        registers, dials = _behind_an_instant(code, devices, directory)
        channels = registers or dials
        plan.instants.extend(arrived.into(channels))
        plan.dials.extend(arrived.into(dials))
    if not channels:
        refusals.part(source, UNKNOWN_TYPE, f"no channel of the device takes the reading type {code}.")
        refusals.odd.extend(oddities.of_refused(block, directory.channels_of(devices)))


def _behind_an_instant(
    code: field.ReadingTypeCode, devices: tuple[str, ...], directory: Directory
) -> tuple[list[ChannelDescription], list[ChannelDescription]]:
    """The register channels that take a value, and the interval channels whose dial it is.

    A dial value with a measuring period is a profile of dial values, and always meant for intervals. One without it
    is also the dial of an interval channel that the registry declares as differenced.
    """
    plain = replace(code, measuring_period=0) if code.is_dial else code
    registers = [each for each in directory.channels(devices, plain) if not each.interval_s]
    if not code.is_dial:
        return registers, []
    dials: list[ChannelDescription] = []
    for interval_s, period in PERIOD_NUMBERS.items():
        stated = code.interval_s == interval_s
        if stated or code.interval_s is None:
            profile = replace(code, macro_period=0, measuring_period=period)
            found = (each for each in directory.channels(devices, profile) if each.interval_s == interval_s)
            dials += [each for each in found if stated or each.differenced]
    return registers, dials
