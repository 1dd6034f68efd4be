"""What the registry knows about a device and about a profile, as values with time slices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from openami.mdus.registry.ids import DeviceId, PointId, ProfileId, SystemId, TaskId, bare
from openami.shared.capabilities import Subject

if TYPE_CHECKING:
    from datetime import date, datetime

    from openami.mdus.registry.slices import Period
    from openami.shared.spans import Span


class DeviceState(IntEnum):
    """How far the initialization of a device has come; each state includes the ones before it."""

    ANNOUNCED = 0
    """The back office has sent it."""
    CONFIRMED = 1
    """Our confirmation is on its way."""
    REGISTERS_KNOWN = 2
    """At least one measurement task is known."""
    LOCATED = 3
    """It hangs somewhere."""
    REGISTERED = 4
    """Its AMS has reported it, and the back office has been told."""


@dataclass(frozen=True, slots=True)
class Manufacturer:
    """What the maker says about one individual device."""

    party_id: str = ""
    part_number: str = ""
    serial_id: str = ""


@dataclass(frozen=True, slots=True)
class DeviceMaster:
    """What a create or change request says about a device."""

    serial_id: str
    material_id: str
    period: Period
    unique_item_id: str = ""
    manufacturer: Manufacturer = Manufacturer()


@dataclass(frozen=True, slots=True)
class SystemSlice:
    """The AMS that reads a device during a period."""

    period: Period
    system: SystemId


@dataclass(frozen=True, slots=True)
class Register:
    """One measurement task of a device during a period, with one specification.

    `fraction_digits` and `total_digits` are those of the display; `factor` is kept, never applied: readings leave as
    raw register values (enterprise services 3.7).
    """

    task: TaskId
    period: Period
    obis: str
    unit_code: str
    total_digits: int = 8
    fraction_digits: int = 0
    category: str = ""
    division: str = ""
    recurrence: str = ""
    time_zone: str = ""
    time_of_use: str = ""
    factor: str = ""
    validation_profile: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an installation point is."""

    country: str
    region: str = ""
    postal_code: str = ""
    city: str = ""
    street: str = ""
    house: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """The place where a device hangs during a period, with the exact instants of work when they are known."""

    period: Period
    installation_point: str
    connection_object: str
    address: Address
    installed_at: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogicalLocation:
    """The logical device number that a device stands for during a period."""

    period: Period
    installation_point: str


@dataclass(frozen=True, slots=True)
class PointAssignment:
    """The point of delivery that a measurement task counts for during a span."""

    task: TaskId
    span: Span
    point: PointId


@dataclass(frozen=True, slots=True)
class Device:
    """One device with all its slices and the milestones of its initialization."""

    id: DeviceId
    master: DeviceMaster
    systems: tuple[SystemSlice, ...] = ()
    registers: tuple[Register, ...] = ()
    locations: tuple[Location, ...] = ()
    logical_locations: tuple[LogicalLocation, ...] = ()
    points: tuple[PointAssignment, ...] = ()
    confirmed_at: datetime | None = None
    reported_at: datetime | None = None
    """When its AMS first said that it has the device."""
    registered_at: datetime | None = None
    """When the back office was told so."""
    capability_group: str = ""
    activation_group: str = ""
    """Groups that the back office's messages named, which say what the device can do."""

    def subject_on(self, day: date) -> Subject:
        """The device on a day, as its capabilities depend on it."""
        system = self.system_on(day) or ""
        return Subject(self.id, self.master.material_id, system, self.capability_group, self.activation_group)

    @property
    def state(self) -> DeviceState:
        """How far the initialization has come."""
        reached = (self.confirmed_at, self.registers, self.locations, self.registered_at)
        state = DeviceState.ANNOUNCED
        for fact, following in zip(reached, list(DeviceState)[1:], strict=True):
            if not fact:
                break
            state = following
        return state

    def tasks(self) -> tuple[TaskId, ...]:
        """Its measurement tasks, each once, in the order of their first period."""
        return tuple(dict.fromkeys(register.task for register in self.registers))

    def system_on(self, day: date) -> SystemId | None:
        """The AMS of a day, else the one that comes next, else the last one."""
        for one in self.systems:
            if day in one.period or day < one.period.first:
                return one.system
        return self.systems[-1].system if self.systems else None

    def removed_at(self) -> datetime | None:
        """The instant at which it was taken down for good, when a location says so."""
        instants = [location.removed_at for location in self.locations]
        return max((one for one in instants if one), default=None) if all(instants) else None


@dataclass(frozen=True, slots=True)
class ProfileRole:
    """A measurement task that feeds a profile during a span."""

    task: TaskId
    span: Span
    role: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A time series of the back office: what it expects, and which measurement tasks feed it."""

    id: ProfileId
    unit_code: str = ""
    recurrence: str = ""
    total_digits: int | None = None
    fraction_digits: int | None = None
    remotely_stored: bool = False
    roles: tuple[ProfileRole, ...] = ()


def same(left: str, right: str) -> bool:
    """Whether two spellings name the same thing, raw or without leading zeros."""
    return left == right or bare(left) == bare(right)
