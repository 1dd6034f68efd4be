"""Master data: meters, other devices, usage points, and our own noun that links them."""

# ruff: noqa: TC001, TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from openami.shared.contract.field.codes import ReadingTypeCode
from openami.shared.contract.field.common import ConfigurationEvent, Identity, Name, Status
from openami.shared.contract.field.tree import Element, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronicAddress:
    """How a device is reached. A password never stands here."""

    lan: Annotated[str | None, Element("lan")] = None
    mac: Annotated[str | None, Element("mac")] = None
    radio: Annotated[str | None, Element("radio")] = None
    user_id: Annotated[str | None, Element("userID")] = None
    web: Annotated[str | None, Element("web")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComFunction:
    """A communication module: its address, and the router (concentrator) it sits behind."""

    mrid: Annotated[str | None, Element("mRID")] = None
    amr_address: Annotated[str | None, Element("amrAddress")] = None
    amr_router: Annotated[str | None, Element("amrRouter")] = None
    config_id: Annotated[str | None, Element("configID")] = None
    direction: Annotated[str | None, Element("direction")] = None
    enabled: Annotated[bool | None, Element("enabled")] = None
    firmware_id: Annotated[str | None, Element("firmwareID")] = None
    hardware_id: Annotated[str | None, Element("hardwareID")] = None
    program_id: Annotated[str | None, Element("programID")] = None
    technology: Annotated[str | None, Element("technology")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchInfo:
    """Settings of the remote switch: arming and limits (W, Wh, V, s as the schema types say)."""

    armed_timeout_s: Annotated[int | None, Element("armedTimeout")] = None
    customer_voltage_limit_v: Annotated[Decimal | None, Element("customerVoltageLimit")] = None
    energy_limit_wh: Annotated[Decimal | None, Element("energyLimit")] = None
    energy_usage_start: Annotated[datetime | None, Element("energyUsageStartDateTime")] = None
    energy_usage_warning_wh: Annotated[Decimal | None, Element("energyUsageWarning")] = None
    is_arm_connect: Annotated[bool | None, Element("isArmConnect")] = None
    is_arm_disconnect: Annotated[bool | None, Element("isArmDisconnect")] = None
    is_energy_limiting: Annotated[bool | None, Element("isEnergyLimiting")] = None
    needs_power_limit_check: Annotated[bool | None, Element("needsPowerLimitCheck")] = None
    needs_voltage_limit_check: Annotated[bool | None, Element("needsVoltageLimitCheck")] = None
    power_limit_w: Annotated[Decimal | None, Element("powerLimit")] = None
    use_push_button: Annotated[bool | None, Element("usePushbutton")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectDisconnectFunction:
    """The remote switch of a meter."""

    mrid: Annotated[str | None, Element("mRID")] = None
    enabled: Annotated[bool | None, Element("enabled")] = None
    event_count: Annotated[int | None, Element("eventCount")] = None
    is_connected: Annotated[bool | None, Element("isConnected")] = None
    is_delayed_disconnect: Annotated[bool | None, Element("isDelayedDiscon")] = None
    is_local_auto_disconnect: Annotated[bool | None, Element("isLocalAutoDisconOp")] = None
    is_local_auto_reconnect: Annotated[bool | None, Element("isLocalAutoReconOp")] = None
    is_remote_auto_disconnect: Annotated[bool | None, Element("isRemoteAutoDisconOp")] = None
    is_remote_auto_reconnect: Annotated[bool | None, Element("isRemoteAutoReconOp")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    info: Annotated[SwitchInfo | None, Element("rcdInfo")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One measured quantity of a register."""

    mrid: Annotated[str | None, Element("mRID")] = None
    is_virtual: Annotated[bool | None, Element("isVirtual")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    reading_type: Annotated[ReadingTypeCode | None, Reference("ReadingType")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A counter with its digits, the base of every rollover rule."""

    mrid: Annotated[str | None, Element("mRID")] = None
    is_virtual: Annotated[bool | None, Element("isVirtual")] = None
    left_digits: Annotated[int | None, Element("leftDigitCount")] = None
    right_digits: Annotated[int | None, Element("rightDigitCount")] = None
    tier_name: Annotated[str | None, Element("touTierName")] = None
    channels: Annotated[tuple[Channel, ...], Element("Channels")] = ()
    names: Annotated[tuple[Name, ...], Element("Names")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleEndDeviceFunction:
    """One function of a device, such as electric metering, with its registers."""

    mrid: Annotated[str | None, Element("mRID")] = None
    config_id: Annotated[str | None, Element("configID")] = None
    enabled: Annotated[bool | None, Element("enabled")] = None
    firmware_id: Annotated[str | None, Element("firmwareID")] = None
    hardware_id: Annotated[str | None, Element("hardwareID")] = None
    kind: Annotated[str | None, Element("kind")] = None
    program_id: Annotated[str | None, Element("programID")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    registers: Annotated[tuple[Register, ...], Element("Registers")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetModel:
    """Model and maker."""

    model_number: Annotated[str | None, Element("modelNumber")] = None
    model_version: Annotated[str | None, Element("modelVersion")] = None
    manufacturer: Annotated[Identity | None, Element("Manufacturer")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a device can do."""

    communication: Annotated[bool | None, Element("communication")] = None
    connect_disconnect: Annotated[bool | None, Element("connectDisconnect")] = None
    demand_response: Annotated[bool | None, Element("demandResponse")] = None
    electric_metering: Annotated[bool | None, Element("electricMetering")] = None
    gas_metering: Annotated[bool | None, Element("gasMetering")] = None
    metrology: Annotated[bool | None, Element("metrology")] = None
    on_request_read: Annotated[bool | None, Element("onRequestRead")] = None
    outage_history: Annotated[bool | None, Element("outageHistory")] = None
    reverse_flow: Annotated[bool | None, Element("reverseFlow")] = None
    text_message: Annotated[bool | None, Element("textMessage")] = None
    water_metering: Annotated[bool | None, Element("waterMetering")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceInfo:
    """Ratings, model, capability."""

    is_solid_state: Annotated[bool | None, Element("isSolidState")] = None
    phase_count: Annotated[int | None, Element("phaseCount")] = None
    rated_current_a: Annotated[Decimal | None, Element("ratedCurrent")] = None
    rated_voltage_v: Annotated[Decimal | None, Element("ratedVoltage")] = None
    model: Annotated[AssetModel | None, Element("AssetModel")] = None
    capability: Annotated[Capability | None, Element("capability")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The dates of a device's life."""

    installation: Annotated[date | None, Element("installationDate")] = None
    manufactured: Annotated[date | None, Element("manufacturedDate")] = None
    purchase: Annotated[date | None, Element("purchaseDate")] = None
    received: Annotated[date | None, Element("receivedDate")] = None
    removal: Annotated[date | None, Element("removalDate")] = None
    retired: Annotated[date | None, Element("retiredDate")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterMultiplier:
    """A factor between what the meter counts and what flowed."""

    mrid: Annotated[str | None, Element("mRID")] = None
    kind: Annotated[str | None, Element("kind")] = None
    value: Annotated[Decimal | None, Element("value")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One meter. Functions stand beside it in the message and are named here by mRID."""

    mrid: Annotated[str | None, Element("mRID")] = None
    amr_system: Annotated[str | None, Element("amrSystem")] = None
    form_number: Annotated[str | None, Element("formNumber")] = None
    is_virtual: Annotated[bool | None, Element("isVirtual")] = None
    lot_number: Annotated[str | None, Element("lotNumber")] = None
    serial_number: Annotated[str | None, Element("serialNumber")] = None
    time_zone_offset_min: Annotated[int | None, Element("timeZoneOffset")] = None
    type: Annotated[str | None, Element("type")] = None
    utc_number: Annotated[str | None, Element("utcNumber")] = None
    configuration: Annotated[ConfigurationEvent | None, Element("ConfigurationEvents")] = None
    address: Annotated[ElectronicAddress | None, Element("electronicAddress")] = None
    com_functions: Annotated[tuple[str, ...], Reference("ComFunction")] = ()
    switch_functions: Annotated[tuple[str, ...], Reference("ConnectDisconnectFunction")] = ()
    simple_functions: Annotated[tuple[str, ...], Reference("SimpleEndDeviceFunction")] = ()
    info: Annotated[EndDeviceInfo | None, Element("EndDeviceInfo")] = None
    lifecycle: Annotated[Lifecycle | None, Element("lifecycle")] = None
    multipliers: Annotated[tuple[MeterMultiplier, ...], Element("MeterMultipliers")] = ()
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    status: Annotated[Status | None, Element("status")] = None

    @property
    def identity(self) -> Identity:
        """Which meter it is, as readings name it."""
        return Identity(self.mrid, self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterConfig:
    """Meters with their functions and registers."""

    NOUN: ClassVar[str] = "MeterConfig"

    com_functions: Annotated[tuple[ComFunction, ...], Element("ComFunction")] = ()
    switch_functions: Annotated[tuple[ConnectDisconnectFunction, ...], Element("ConnectDisconnectFunction")] = ()
    meters: Annotated[tuple[Meter, ...], Element("Meter", apart=True)] = ()
    simple_functions: Annotated[tuple[SimpleEndDeviceFunction, ...], Element("SimpleEndDeviceFunction")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDevice:
    """A device that is not a meter: module, gateway, concentrator, device of a home network."""

    mrid: Annotated[str | None, Element("mRID")] = None
    amr_system: Annotated[str | None, Element("amrSystem")] = None
    install_code: Annotated[str | None, Element("installCode")] = None
    is_pan: Annotated[bool | None, Element("isPan")] = None
    is_virtual: Annotated[bool | None, Element("isVirtual")] = None
    serial_number: Annotated[str | None, Element("serialNumber")] = None
    time_zone_offset_min: Annotated[int | None, Element("timeZoneOffset")] = None
    type: Annotated[str | None, Element("type")] = None
    configuration: Annotated[ConfigurationEvent | None, Element("ConfigurationEvents")] = None
    address: Annotated[ElectronicAddress | None, Element("electronicAddress")] = None
    com_functions: Annotated[tuple[str, ...], Reference("ComFunction")] = ()
    switch_functions: Annotated[tuple[str, ...], Reference("ConnectDisconnectFunction")] = ()
    simple_functions: Annotated[tuple[str, ...], Reference("SimpleEndDeviceFunction")] = ()
    info: Annotated[EndDeviceInfo | None, Element("EndDeviceInfo")] = None
    lifecycle: Annotated[Lifecycle | None, Element("lifecycle")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    status: Annotated[Status | None, Element("status")] = None

    @property
    def identity(self) -> Identity:
        """Which device it is, as events name it."""
        return Identity(self.mrid, self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceConfig:
    """Devices with their functions."""

    NOUN: ClassVar[str] = "EndDeviceConfig"

    com_functions: Annotated[tuple[ComFunction, ...], Element("ComFunction")] = ()
    switch_functions: Annotated[tuple[ConnectDisconnectFunction, ...], Element("ConnectDisconnectFunction")] = ()
    devices: Annotated[tuple[EndDevice, ...], Element("EndDevice", apart=True)] = ()
    simple_functions: Annotated[tuple[SimpleEndDeviceFunction, ...], Element("SimpleEndDeviceFunction")] = ()
