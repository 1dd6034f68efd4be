"""Which channels a device has: one for each measured quantity in one configuration, with the span it is valid for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from openami.mdus.registry.slices import OPEN_INSTANT
from openami.mdus.series.calendar import Calendar
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.mdus.registry.codes import CodeTables
    from openami.mdus.registry.ids import DeviceId, TaskId
    from openami.mdus.registry.model import Device, Register

UNSAVED: Final = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """One measured quantity of one device in one configuration.

    Values are integers of `unit * 10**scale`; `interval_s` is 0 for a register. `zone` tells its local days.
    """

    id: int
    device: DeviceId
    task: TaskId
    obis: str
    unit: str
    scale: int
    interval_s: int
    zone: str
    span: Span
    rollover: int | None = None
    """Where the display of a register begins anew, in scaled values; None for intervals."""
    step: int = 1
    """The last digit of the display, in scaled values."""
    register: int | None = None
    """The register channel that advances by the sum of these intervals."""
    day_start_s: int = 0
    """When its days begin after local midnight: a gas day begins at six."""

    @property
    def calendar(self) -> Calendar:
        """How it cuts time."""
        return Calendar(self.zone, self.interval_s, self.day_start_s)

    @property
    def quantity(self) -> str:
        """The measured quantity without its recording form: `1:1` of `1-0:1.29.0` (medium, value group C)."""
        medium, _, groups = self.obis.partition(":")
        return f"{medium.partition('-')[0]}:{groups.partition('.')[0]}"

    @property
    def configuration(self) -> tuple[str, str, str, int, int, str, int]:
        """What makes it this channel: when any of it changes, another channel begins."""
        return (self.task, self.obis, self.unit, self.scale, self.interval_s, self.zone, self.day_start_s)


def wanted_channels(device: Device, codes: CodeTables, default_zone: str) -> tuple[Channel, ...]:
    """The channels that the registers of a device ask for, saved or not.

    Slices that follow one another with the same configuration (a new tariff, say) are one channel.
    """
    channels: list[Channel] = []
    for register in device.registers:
        channel = _channel(device, register, codes, default_zone)
        if channels and channels[-1].configuration == channel.configuration:
            last = channels[-1]
            if channel.span.start <= last.span.end:
                channels[-1] = replace(last, span=Span(last.span.start, max(last.span.end, channel.span.end)))
                continue
        channels.append(channel)
    return tuple(_until_removal(device, channel) for channel in channels)


def merged(saved: Sequence[Channel], wanted: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels to keep: wanted ones take over the id of a saved one with the same configuration.

    A saved channel that nothing asks for any more stays, empty from its start on: its values are history.
    """
    left = sorted(saved, key=lambda one: one.span.start)
    result: list[Channel] = []
    for channel in wanted:
        match = next((one for one in left if one.configuration == channel.configuration), None)
        if match:
            left.remove(match)
        result.append(replace(channel, id=match.id if match else UNSAVED))
    result += [replace(one, span=Span(one.span.start, one.span.start)) for one in left]
    return tuple(result)


def with_registers(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Name, for each interval channel of one device, the register channel that counts the same quantity."""
    registers = [one for one in channels if not one.interval_s and one.id != UNSAVED]

    def pair(channel: Channel) -> Channel:
        for one in registers:
            same = (one.quantity, one.unit, one.scale) == (channel.quantity, channel.unit, channel.scale)
            if channel.interval_s and same and one.span.overlap(channel.span):
                return replace(channel, register=one.id)
        return replace(channel, register=None)

    return tuple(pair(one) for one in channels)


def _channel(device: Device, register: Register, codes: CodeTables, default_zone: str) -> Channel:
    rule = codes.unit(register.unit_code)
    zone = register.time_zone or default_zone
    scale, interval_s = min(rule.scale, rule.power - register.fraction_digits), codes.interval_s(register.recurrence)
    return Channel(
        id=UNSAVED,
        device=device.id,
        task=register.task,
        obis=register.obis,
        unit=rule.unit,
        scale=scale,
        interval_s=interval_s,
        day_start_s=codes.day_start_s(register.obis) if interval_s else 0,
        zone=zone,
        span=register.period.span(zone),
        step=max(1, 10 ** max(0, rule.power - scale - register.fraction_digits)),
        rollover=None if interval_s else 10 ** (rule.power - scale + register.total_digits - register.fraction_digits),
    )


def _until_removal(device: Device, channel: Channel) -> Channel:
    """Let the channel live to the instant of the removal: master data end a day before it (UC13)."""
    removed_at = device.removed_at()
    if removed_at is None or channel.span.end == OPEN_INSTANT or channel.span.end >= removed_at:
        return channel
    if (removed_at - channel.span.end).days >= 1:  # ended for another reason
        return channel
    return replace(channel, span=Span(channel.span.start, removed_at))
