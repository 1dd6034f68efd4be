"""Usage points, and what ties a meter to one: the standard's trees have no such element, so the noun is ours."""

# ruff: noqa: TC001, TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from openami.shared.contract.field.codes import ReadingTypeCode
from openami.shared.contract.field.common import ConfigurationEvent, Identity, Name
from openami.shared.contract.field.tree import Element, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class MetrologyRequirement:
    """Which channels a point must deliver."""

    mrid: Annotated[str | None, Element("mRID")] = None
    reason: Annotated[str | None, Element("reason")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    reading_types: Annotated[tuple[ReadingTypeCode, ...], Reference("ReadingTypes")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCategory:
    """Electricity, gas, water, ..."""

    mrid: Annotated[str | None, Element("mRID")] = None
    kind: Annotated[str | None, Element("kind")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePoint:
    """Where a service is delivered."""

    mrid: Annotated[str | None, Element("mRID")] = None
    ami_billing_ready: Annotated[str | None, Element("amiBillingReady")] = None
    check_billing: Annotated[bool | None, Element("checkBilling")] = None
    connection_state: Annotated[str | None, Element("connectionState")] = None
    grounded: Annotated[bool | None, Element("grounded")] = None
    is_sdp: Annotated[bool | None, Element("isSdp")] = None
    is_virtual: Annotated[bool | None, Element("isVirtual")] = None
    minimal_usage_expected: Annotated[bool | None, Element("minimalUsageExpected")] = None
    nominal_voltage_v: Annotated[Decimal | None, Element("nominalServiceVoltage")] = None
    outage_region: Annotated[str | None, Element("outageRegion")] = None
    phase_code: Annotated[str | None, Element("phaseCode")] = None
    rated_current_a: Annotated[Decimal | None, Element("ratedCurrent")] = None
    rated_power_w: Annotated[Decimal | None, Element("ratedPower")] = None
    read_cycle: Annotated[str | None, Element("readCycle")] = None
    read_route: Annotated[str | None, Element("readRoute")] = None
    service_priority: Annotated[str | None, Element("servicePriority")] = None
    configuration: Annotated[ConfigurationEvent | None, Element("ConfigurationEvents")] = None
    transformer: Annotated[Identity | None, Element("Equipments")] = None
    requirements: Annotated[tuple[MetrologyRequirement, ...], Element("MetrologyRequirements")] = ()
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    service_category: Annotated[ServiceCategory | None, Element("ServiceCategory")] = None
    service_location: Annotated[Identity | None, Element("ServiceLocation")] = None

    @property
    def identity(self) -> Identity:
        """Which point it is, as readings name it."""
        return Identity(self.mrid, self.names)


@dataclass(frozen=True, slots=True)
class UsagePointConfig:
    """Usage points."""

    NOUN: ClassVar[str] = "UsagePointConfig"

    usage_points: Annotated[tuple[UsagePoint, ...], Element("UsagePoint", apart=True)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterDataLinkageConfig:
    """These devices belong to these points (verb create), or no longer do (verb close), from the effective time on."""

    NOUN: ClassVar[str] = "MasterDataLinkageConfig"

    configuration: Annotated[ConfigurationEvent | None, Element("ConfigurationEvents")] = None
    devices: Annotated[tuple[Identity, ...], Element("EndDevice")] = ()
    meters: Annotated[tuple[Identity, ...], Element("Meter")] = ()
    service_locations: Annotated[tuple[Identity, ...], Element("ServiceLocation")] = ()
    usage_points: Annotated[tuple[Identity, ...], Element("UsagePoint")] = ()
