"""Decisions about master data: what a message makes of a device or a profile, or why it is refused.

All of them take values and return values; a repeated message returns what is there already.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from openami.mdus.registry.errors import (
    DeviceExistsError,
    InUseError,
    PeriodError,
    ProfileTakenError,
    SystemMismatchError,
    TaskTakenError,
    UnknownTaskError,
)
from openami.mdus.registry.ids import SystemId, TaskId, bare
from openami.mdus.registry.model import (
    Device,
    DeviceMaster,
    Location,
    LogicalLocation,
    PointAssignment,
    Profile,
    ProfileRole,
    Register,
    SystemSlice,
    same,
)
from openami.mdus.registry.slices import OPEN_DATE, Period, replaced, without_overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from openami.mdus.registry.ids import DeviceId


def announce(known: Device | None, device: DeviceId, master: DeviceMaster, system: SystemId | None) -> Device:
    """A device that the back office creates.

    Raises:
        DeviceExistsError: it is known with other data.
    """
    if known is None:
        systems = (SystemSlice(master.period, system),) if system else ()
        return Device(device, master, systems)
    if known.master != master or (system and known.system_on(master.period.first) != system):
        raise DeviceExistsError(
            f"Device {device} is already known as serial {known.master.serial_id!r} of material "
            f"{known.master.material_id!r}.",
            hint="Send a change request instead of a second create request.",
        )
    return known


def change(device: Device, master: DeviceMaster, system: SystemId | None, effective: date) -> Device:
    """New device data; another AMS counts from the effective day on."""
    changed = replace(device, master=master)
    return assign_system(changed, system, effective) if system else changed


def assign_system(device: Device, system: SystemId, effective: date) -> Device:
    """Put the device under an AMS from a day on; the slices before that day stay."""
    if device.systems and device.systems[-1].system == system and device.systems[-1].period.past_last == OPEN_DATE:
        return device
    kept = [
        replace(one, period=Period(one.period.first, min(one.period.past_last, effective)))
        for one in device.systems
        if one.period.first < effective
    ]
    return replace(device, systems=(*kept, SystemSlice(Period(effective, OPEN_DATE), system)))


def check_system(device: Device, named: SystemId | None, day: date) -> None:
    """See that a message names the AMS that the device belongs to.

    Raises:
        SystemMismatchError: it names another one.
    """
    if named and device.systems and all(one.system != named for one in device.systems):
        raise SystemMismatchError(
            f"Device {device.id} belongs to AMS {device.system_on(day)!r}, the message names {named!r}.",
            hint="Send a device change request with the new AMS first.",
        )


def set_registers(
    device: Device, sent: Sequence[Register], *, complete: bool, owners: Mapping[TaskId, Sequence[Device]]
) -> Device:
    """The registers after a create or change request; none at all in the message is the reversal of all.

    `owners` names the other devices that have one of these tasks.

    Raises:
        TaskTakenError: a task belongs to another device in the same period.
        PeriodError: the periods of one task overlap.
    """
    canonical = [replace(one, task=_known_spelling(device, one.task)) for one in sent]
    registers = replaced(device.registers, canonical, complete=complete or not sent, key=lambda register: register.task)
    ordered: list[Register] = []
    for task in dict.fromkeys(one.task for one in registers):
        ordered += without_overlap((one for one in registers if one.task == task), f"Measurement task {task}")
    for register in canonical:
        _refuse_foreign(device, register, owners)
    tasks = {register.task for register in ordered}
    return replace(device, registers=tuple(ordered), points=tuple(one for one in device.points if one.task in tasks))


def respecify(device: Device, task: str, period: Period, changes: Mapping[str, Any]) -> Device:
    """Attributes of a measurement task change during a period; what lies before and after it stays.

    Raises:
        UnknownTaskError: the device has no such task.
        PeriodError: the task is not valid in the period.
    """
    known = _known_spelling(device, TaskId(task))
    if known not in device.tasks():
        raise UnknownTaskError(f"Device {device.id} has no measurement task {task}.", hint="Send its registers first.")
    registers: list[Register] = []
    touched = False
    for one in device.registers:
        if one.task != known or not one.period.overlaps(period):
            registers.append(one)
            continue
        touched = True
        first, past_last = max(one.period.first, period.first), min(one.period.past_last, period.past_last)
        if one.period.first < first:
            registers.append(replace(one, period=Period(one.period.first, first)))
        registers.append(replace(one, period=Period(first, past_last), **changes))
        if past_last < one.period.past_last:
            registers.append(replace(one, period=Period(past_last, one.period.past_last)))
    if not touched:
        raise PeriodError(
            f"Measurement task {task} is not valid between {period.first} and {period.last}.",
            hint="Send a period within that of the register.",
        )
    return replace(device, registers=tuple(registers))


def check_withdrawal(device: Device) -> None:
    """See that a device may be forgotten: nobody has installed it.

    Raises:
        InUseError: it has registers, a place, or is registered.
    """
    if device.registers or device.locations or device.registered_at:
        raise InUseError(
            f"Device {device.id} is {device.state.name.lower().replace('_', ' ')}.",
            hint="Remove an installed device by a location notification.",
        )


def locate(
    device: Device,
    locations: Sequence[Location],
    logical: Sequence[LogicalLocation],
    *,
    complete: bool,
    logical_complete: bool,
    now: datetime,
) -> Device:
    """Where the device hangs after a location notification.

    A complete list without a location is a removal (enterprise services, UC13): what is there stays as history and
    ends `now`.

    Raises:
        PeriodError: the device would hang in two places at once.
    """
    if complete and not locations:
        places = tuple(_taken_down(one, now) for one in device.locations)
    else:
        places = replaced(device.locations, locations, complete=complete, key=lambda one: one.period.first)
    points = replaced(device.logical_locations, logical, complete=logical_complete, key=lambda one: one.period.first)
    return replace(
        device,
        locations=without_overlap(places, f"Locations of device {device.id}"),
        logical_locations=without_overlap(points, f"Logical locations of device {device.id}"),
    )


def assign_points(device: Device, task: TaskId, sent: Sequence[PointAssignment], *, complete: bool) -> Device:
    """The points of delivery of one measurement task after a notification.

    Raises:
        UnknownTaskError: the device has no such task.
        PeriodError: the task would count for two points at once.
    """
    known = _known_spelling(device, task)
    if known not in device.tasks():
        raise UnknownTaskError(f"Device {device.id} has no measurement task {task}.", hint="Send its registers first.")
    others = tuple(one for one in device.points if one.task != known)
    own = tuple(one for one in device.points if one.task == known)
    new = tuple(replace(one, task=known) for one in sent)
    if not complete:
        new = tuple(one for one in own if all(one.span.start != other.span.start for other in new)) + new
    ordered = sorted(new, key=lambda one: one.span)
    for earlier, later in pairwise(ordered):
        if earlier.span.overlap(later.span):
            raise PeriodError(
                f"Measurement task {task} would count for {earlier.point} and {later.point} at once.",
                hint="Send periods that follow one another.",
            )
    return replace(device, points=others + tuple(ordered))


def assign_profile(known: Profile | None, sent: Profile, *, complete: bool, others: Sequence[Profile]) -> Profile:
    """A profile after an assignment request; `others` are the profiles that share one of its tasks.

    Raises:
        ProfileTakenError: a task feeds another profile in the same role and period.
        PeriodError: two tasks would feed the profile in the same role at once.
    """
    roles = sent.roles
    if known and not complete:
        roles = tuple(r for r in known.roles if all((r.task, r.span.start) != (s.task, s.span.start) for s in roles))
        roles += sent.roles
    ordered = tuple(sorted(roles, key=lambda one: (one.role, one.span)))
    for earlier, later in pairwise(ordered):
        if earlier.role == later.role and earlier.span.overlap(later.span):
            raise PeriodError(
                f"Profile {sent.id}: tasks {earlier.task} and {later.task} overlap in role {earlier.role}.",
                hint="Send periods that follow one another.",
            )
    for other in others:
        for taken in other.roles:
            _refuse_taken(sent, other, taken, ordered)
    return replace(sent, roles=ordered)


def report(device: Device, at: datetime) -> Device:
    """The AMS has said that it has the device; the first time counts."""
    return device if device.reported_at else replace(device, reported_at=at)


def may_register(device: Device) -> bool:
    """Whether the back office can be told now: confirmed, with a register, located, reported, and not told yet."""
    return bool(
        device.confirmed_at
        and device.registers
        and device.locations
        and device.reported_at
        and device.registered_at is None
    )


def _taken_down(location: Location, now: datetime) -> Location:
    if location.period.past_last != OPEN_DATE:
        return location
    end = max(location.period.first, now.date())
    return replace(location, period=Period(location.period.first, end), removed_at=location.removed_at or now)


def _known_spelling(device: Device, task: TaskId) -> TaskId:
    return next((one for one in device.tasks() if same(one, task)), task)


def _refuse_foreign(device: Device, register: Register, owners: Mapping[TaskId, Sequence[Device]]) -> None:
    for owner in owners.get(register.task, ()):
        if bare(owner.id) == bare(device.id):
            continue
        for other in owner.registers:
            if same(other.task, register.task) and other.period.overlaps(register.period):
                raise TaskTakenError(
                    f"Measurement task {register.task} belongs to device {owner.id} until {other.period.last}.",
                    hint="End it there first, or send another task number.",
                )


def _refuse_taken(profile: Profile, other: Profile, taken: ProfileRole, roles: Sequence[ProfileRole]) -> None:
    for role in roles:
        clash = same(role.task, taken.task) and role.role == taken.role and role.span.overlap(taken.span)
        if clash and not same(profile.id, other.id):
            raise ProfileTakenError(
                f"Measurement task {role.task} already feeds profile {other.id} in that period.",
                hint="End that assignment first.",
            )
