"""A reading order: one register, one reason, one day; and the states it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from openami.mdus.registry.ids import DeviceId, TaskId
    from openami.mdus.services.codes import Pick


class OrderState(StrEnum):
    """How far a reading order has come."""

    WAITING = "waiting"
    """Accepted; its day has not come, or the delivery of that day has not."""
    COLLECTING = "collecting"
    """The AMS was asked."""
    SENT = "result sent"
    CONFIRMED = "result confirmed"
    REFUSED = "result refused"
    """The back office does not believe the value."""
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN: Final = (OrderState.WAITING, OrderState.COLLECTING)


class OrderError(OpenAmiError):
    """A reading order that is not accepted, or not cancelled."""

    number = "3000"


class NotARegisterError(OrderError):
    """The measurement task has intervals, not a register."""

    number = "3002"
    category = "PRE.CVE"


class OutsidePeriodError(OrderError):
    """The register is not valid on the scheduled day."""

    number = "3003"
    category = "PRE.CVE"


class DuplicateOrderError(OrderError):
    """A document number that is in work or done."""

    number = "3004"
    category = "CON.POC"


class UnknownOrderError(OrderError):
    """A cancellation of an order that is not known."""

    number = "3005"
    category = "PRE.IDE"


class OrderProcessedError(OrderError):
    """A cancellation that comes too late."""

    number = "3006"
    category = "PRE.CVE"


class DataSourceError(OrderError):
    """A data source code that is not supported."""

    number = "3007"
    category = "PRE.VAE"


class WrongDeviceError(OrderError):
    """The measurement task belongs to another device than the order names."""

    number = "3008"
    category = "PRE.CVE"


class NoReadingError(OrderError):
    """A reading that is to be sent and is not there."""

    number = "3009"
    category = "PRE.IDE"


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """How long and how often a reading is looked for."""

    patience: timedelta = timedelta(hours=12)
    """After the wanted instant, until the AMS is asked for what its delivery did not bring."""
    retry: timedelta = timedelta(hours=24)
    attempts: int = 3
    tolerance: timedelta = timedelta(days=3)
    """How much later than wanted a reading may be when there is no better one."""


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """One order. `look_at` is the next business instant at which it is looked at."""

    document: str
    reason: str
    pick: Pick
    scheduled_on: date
    on_demand: bool
    task: TaskId
    device: DeviceId
    obis: str
    point: str
    channel: int
    zone: str
    received_at: datetime
    look_at: datetime
    not_before: datetime | None = None
    """The installation, if it was on the scheduled day: an earlier reading belongs to nobody."""
    not_after: datetime | None = None
    """The removal, if it was on the scheduled day or before."""
    state: OrderState = OrderState.WAITING
    attempts: int = 0
    asked_at: datetime | None = None
    result_at: datetime | None = None
    result_value: int | None = None
    result_estimated: bool = False
    result_message: UUID | None = None
    note: str = ""
