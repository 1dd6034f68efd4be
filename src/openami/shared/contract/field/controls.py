"""EndDeviceControls: orders to devices. A reply OK means accepted, never done: events report the outcome."""

# ruff: noqa: TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from openami.shared.contract.field.codes import ControlCode
from openami.shared.contract.field.common import Identity, Name, Period
from openami.shared.contract.field.tables import control_table
from openami.shared.contract.field.tree import Element, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledDevice:
    """A device that an order is for."""

    mrid: Annotated[str | None, Element("mRID")] = None
    install_code: Annotated[str | None, Element("installCode")] = None
    is_pan: Annotated[bool | None, Element("isPan")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()

    @property
    def identity(self) -> Identity:
        """Which device it is."""
        return Identity(self.mrid, self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanDisplay:
    """A text for the display; the only control with a priority of its own."""

    command: Annotated[str, Element("command")] = "display"
    confirmation_required: Annotated[bool | None, Element("confirmationRequired")] = None
    duration_min: Annotated[int | None, Element("duration")] = None
    duration_indefinite: Annotated[bool | None, Element("durationIndefinite")] = None
    priority: Annotated[str | None, Element("priority")] = None
    start: Annotated[datetime, Element("startDateTime")]
    text: Annotated[str, Element("textMessage")]
    transmission_mode: Annotated[str, Element("transmissionMode")] = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanDemandResponse:
    """Less load for a while: how much, from when, for how long."""

    average_load_adjustment_percent: Annotated[Decimal | None, Element("avgLoadAdjustment")] = None
    cancel_now: Annotated[bool | None, Element("cancelNow")] = None
    command: Annotated[str, Element("command")] = "loadControl"
    criticality_level: Annotated[str | None, Element("criticalityLevel")] = None
    duration_min: Annotated[int | None, Element("duration")] = None
    duration_indefinite: Annotated[bool | None, Element("durationIndefinite")] = None
    duty_cycle_percent: Annotated[Decimal | None, Element("dutyCycle")] = None
    enrollment_group: Annotated[str | None, Element("enrollmentGroup")] = None
    start: Annotated[datetime, Element("startDateTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceAction:
    """A vendor's free-form command; read from partners, never sent by us."""

    command: Annotated[str | None, Element("command")] = None
    duration_min: Annotated[int | None, Element("duration")] = None
    duration_indefinite: Annotated[bool | None, Element("durationIndefinite")] = None
    start: Annotated[str | None, Element("startDateTime")] = None
    """As it came: partners write local times here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTiming:
    """When: not before the start of the interval, given up at its end."""

    duration_min: Annotated[int | None, Element("duration")] = None
    duration_indefinite: Annotated[bool | None, Element("durationIndefinite")] = None
    randomisation: Annotated[str, Element("randomisation")] = "none"
    interval: Annotated[Period | None, Element("interval")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceControl:
    """One order; the same action for all its devices. The mRID is what makes a repeat harmless."""

    mrid: Annotated[str | None, Element("mRID")] = None
    program_level: Annotated[int | None, Element("drProgramLevel")] = None
    program_mandatory: Annotated[bool | None, Element("drProgramMandatory")] = None
    issuer_id: Annotated[str | None, Element("issuerID")] = None
    issuer_tracking_id: Annotated[str | None, Element("issuerTrackingID")] = None
    price_signal: Annotated[Decimal | None, Element("priceSignal")] = None
    reason: Annotated[str | None, Element("reason")] = None
    demand_response: Annotated[PanDemandResponse | None, Element("PanDemandResponse")] = None
    display: Annotated[PanDisplay | None, Element("PanDisplay")] = None
    action: Annotated[EndDeviceAction | None, Element("EndDeviceAction")] = None
    code: Annotated[ControlCode, Reference("EndDeviceControlType")]
    device_groups: Annotated[tuple[Identity, ...], Element("EndDeviceGroups")] = ()
    devices: Annotated[tuple[ControlledDevice, ...], Element("EndDevices")] = ()
    timing: Annotated[DeviceTiming | None, Element("primaryDeviceTiming", alias="scheduledInterval")] = None
    secondary_timing: Annotated[DeviceTiming | None, Element("secondaryDeviceTiming")] = None
    usage_point_groups: Annotated[tuple[Identity, ...], Element("UsagePointGroups")] = ()
    usage_points: Annotated[tuple[Identity, ...], Element("UsagePoints")] = ()

    @property
    def name(self) -> str | None:
        """Our name of the order, such as `disconnect`; None for a code that no table knows."""
        return control_name(self.code)


@dataclass(frozen=True, slots=True)
class EndDeviceControls:
    """Orders to devices."""

    NOUN: ClassVar[str] = "EndDeviceControls"

    controls: Annotated[tuple[EndDeviceControl, ...], Element("EndDeviceControl", apart=True)] = ()


def control_code(name: str) -> ControlCode:
    """The code that we send for one of our orders.

    Raises:
        KeyError: no order of ours has that name.
    """
    return ControlCode.parse(control_table()[name].code)


def control_name(code: ControlCode) -> str | None:
    """Our name for a control code, or None; the device type (group, meter) does not matter."""
    tail = (code.domain, code.sub_domain, code.event_or_action)
    for row in control_table().values():
        known = ControlCode.parse(row.code)
        if (known.domain, known.sub_domain, known.event_or_action) == tail:
            return row.name
    return None
