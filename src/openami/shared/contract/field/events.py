"""EndDeviceEvents: what happened at a device, one device an event."""

# ruff: noqa: TC001, TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from openami.shared.contract.field.codes import EventCode
from openami.shared.contract.field.common import Identity, Name, Status
from openami.shared.contract.field.tables import event_alias_table, event_table
from openami.shared.contract.field.tree import Element, Reference


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One named detail: `phase`, `value`, `unit`, `threshold`, `durationSeconds`, `sequenceNumber`, `rawCode`."""

    name: Annotated[str, Element("name")]
    value: Annotated[str | None, Element("value")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceEvent:
    """One event of one device. `issuer_tracking_id` ties it to the order that caused it."""

    mrid: Annotated[str | None, Element("mRID")] = None
    created: Annotated[datetime, Element("createdDateTime")]
    issuer_id: Annotated[str | None, Element("issuerID")] = None
    issuer_tracking_id: Annotated[str | None, Element("issuerTrackingID")] = None
    reason: Annotated[str | None, Element("reason")] = None
    severity: Annotated[str | None, Element("severity")] = None
    user_id: Annotated[str | None, Element("userID")] = None
    device: Annotated[Identity | None, Element("Assets", alias="EndDevice")] = None
    details: Annotated[tuple[EventDetail, ...], Element("EndDeviceEventDetails")] = ()
    code: Annotated[EventCode, Reference("EndDeviceEventType", alias="category")]
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    status: Annotated[Status | None, Element("status")] = None
    usage_point: Annotated[Identity | None, Element("UsagePoint")] = None

    @property
    def name(self) -> str | None:
        """Our name of the event, such as `tamper.cover_open`; None for a code that no table knows."""
        return event_name(self.code)

    def detail(self, name: str) -> str | None:
        """The value of a detail, or None."""
        return next((each.value for each in self.details if each.name == name), None)


@dataclass(frozen=True, slots=True)
class EndDeviceEvents:
    """Events of any number of devices."""

    NOUN: ClassVar[str] = "EndDeviceEvents"

    events: Annotated[tuple[EndDeviceEvent, ...], Element("EndDeviceEvent", apart=True)] = ()


def event_name(code: EventCode) -> str | None:
    """Our name for a code that a partner sent, or None."""
    return event_alias_table().get(str(code))


def event_code(name: str) -> EventCode:
    """The code that we send for one of our names.

    Raises:
        KeyError: no event of ours has that name.
    """
    return EventCode.parse(event_table()[name].code)


def event_severity(name: str) -> str:
    """The severity of one of our events by default: info, warning, alarm or critical."""
    return event_table()[name].severity
