"""Values of the device master: kinds and their measurement tasks, devices, installations, life cycle."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DEVICE_ID_WIDTH: Final = 18
OPEN_END_DATE: Final = "9999-12-31"


class UnknownDeviceError(OpenAmiError):
    """Nothing is known by this device id, serial number, point of delivery or contract."""

    number = "OAMI132"
    category = "PRE.IDE"


class DeviceConflictError(OpenAmiError):
    """A device cannot be where, or what, the command says."""

    number = "OAMI133"
    category = "CON.POC"


class Kind(StrEnum):
    """What a device measures."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"


class Category(StrEnum):
    """Measurement task categories (section 3.12): a cumulative register, or an interval channel."""

    REGISTER = "5"
    INTERVAL = "4"


class Direction(StrEnum):
    """Which way the energy of a measurement task goes: from the grid to its customer, or back."""

    DRAWN = "drawn"
    FED_IN = "fed in"


class Stage(StrEnum):
    """How far a device has come. Registration may come before installation: both orders are seen in the field."""

    RECEIVED = "received"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    INSTALLED = "installed"
    REGISTERED = "registered"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One measurement task of a kind of device; `interval_s` 0 is a register."""

    category: Category
    obis: str
    unit: str
    total_digits: int
    fraction_digits: int


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What every device of a kind has."""

    kind: Kind
    intervals_s: tuple[int, ...]
    tasks: tuple[TaskSpec, ...]
    feed_in: tuple[TaskSpec, ...] = ()
    """What a device has besides that counts both directions."""


def _tasks(unit: str, register: str, interval: str) -> tuple[TaskSpec, ...]:
    return (TaskSpec(Category.REGISTER, register, unit, 9, 3), TaskSpec(Category.INTERVAL, interval, unit, 9, 3))


KINDS: Final = {
    spec.kind: spec
    for spec in (
        KindSpec(
            Kind.ELECTRICITY,
            (1800, 900),
            _tasks("KWH", "1-0:1.8.0", "1-0:1.29.0"),
            feed_in=_tasks("KWH", "1-0:2.8.0", "1-0:2.29.0"),
        ),
        KindSpec(Kind.GAS, (3600,), _tasks("M3", "7-0:3.0.0", "7-0:3.29.0")),
        KindSpec(Kind.WATER, (3600,), _tasks("M3", "8-0:1.0.0", "8-0:1.29.0")),
        KindSpec(Kind.HEAT, (3600,), _tasks("KWH", "6-0:1.0.0", "6-0:1.29.0")),
    )
}


_FED_IN: Final = frozenset(task.obis for spec in KINDS.values() for task in spec.feed_in)


@dataclass(frozen=True, slots=True)
class Register:
    """A measurement task: a cumulative register (`interval_s` 0), or an interval channel with its profile."""

    id: str
    device_id: str
    category: Category
    obis: str
    unit: str
    total_digits: int
    fraction_digits: int
    interval_s: int = 0
    profile_id: str | None = None

    @property
    def whole_digits(self) -> int:
        """How many digits a register shows before the point."""
        return self.total_digits - self.fraction_digits

    @property
    def direction(self) -> Direction:
        """Value group C of the OBIS code says it: 1 is active energy that is drawn, 2 that is fed in."""
        return Direction.FED_IN if self.obis in _FED_IN else Direction.DRAWN


def task_of(tasks: Iterable[Register], category: Category, direction: Direction = Direction.DRAWN) -> Register:
    """The register or the interval channel among the tasks of one device; of what its customer draws, unless said."""
    return next(task for task in tasks if task.category is category and task.direction is direction)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the utility."""

    id: str
    serial: str
    material: str
    kind: Kind
    ams_id: str
    interval_s: int
    received_at: datetime
    confirmed_at: datetime | None = None
    refusal: str = ""
    registered_at: datetime | None = None
    installed_at: datetime | None = None
    removed_at: datetime | None = None
    activation_group: str = ""
    """Which of the functions of its AMS and material are switched on for this device; empty: all."""

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        reached = (
            (Stage.REMOVED, self.removed_at),
            (Stage.REFUSED, self.refusal),
            (Stage.REGISTERED, self.registered_at and self.installed_at),
            (Stage.INSTALLED, self.installed_at),
            (Stage.CONFIRMED, self.confirmed_at),
        )
        return next((stage for stage, fact in reached if fact), Stage.RECEIVED)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a point of delivery is."""

    street: str
    house: str
    postal_code: str
    city: str
    country: str

    def __str__(self) -> str:
        return f"{self.street} {self.house}, {self.postal_code} {self.city}"


@dataclass(frozen=True, slots=True)
class Point:
    """A point of delivery with its connection object and the feeder that supplies it."""

    id: str
    kind: Kind
    connection_object: str
    feeder: str
    address: Address


@dataclass(frozen=True, slots=True)
class Installation:
    """A device at a point of delivery, from an instant on, until another if it is gone."""

    id: int
    device_id: str
    point_id: str
    location_id: str
    start: datetime
    end: datetime | None = None
