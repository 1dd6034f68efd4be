"""The field seam: IEC 61968-9 messages in IEC 61968-100 envelopes, as values and as bytes.

In: bytes from an AMS or from MDUS (`decode`), or values of our own (`request`, `event`, `reply_to`). Out: an
`Envelope` with a typed payload, or bytes (`encode`) to post to `path_of(header)`. No socket, no clock, no state: the
inbox and outbox of `shared/seam` keep the ids. Upstream: the head-end and MDUS, each on its own side.

    from openami.shared.contract import field

    block = field.IntervalBlock.of(field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
                                   starts, 900, energy_wh, qualities=[(field.VALID_BY_DEVICE,)], quality_index=ones)
    readings = field.MeterReadings((field.MeterReading(meter=field.Identity.named("M1001"), blocks=(block,)),))
    body = field.encode(field.event(field.Verb.CREATED, readings, source="AMS-1", at=clock.now()))
    ...
    try:
        message = field.decode(body)
    except field.FieldContractError as error:
        return 400, field.encode_fault(error)
    answer = field.reply_to(message.header, source="MDUS", at=clock.now(), result=field.Result.PARTIAL,
                            errors=field.errors_of(message.refusals))
    return field.http_status(answer), field.encode(answer)

Parts that cannot be read do not cost the rest: they stand in `Envelope.refusals`, each with its position and code.
"""

from openami.shared.contract.field.codes import (
    CONNECT,
    DEMAND_RESET,
    DISCONNECT,
    KNOWN_MISSING_BY_AMS,
    VALID_BY_DEVICE,
    ControlCode,
    EventCode,
    QualityCode,
    ReadingTypeCode,
)
from openami.shared.contract.field.common import ConfigurationEvent, Identity, Name, NameType, Period, Status
from openami.shared.contract.field.config import (
    AssetModel,
    Capability,
    Channel,
    ComFunction,
    ConnectDisconnectFunction,
    ElectronicAddress,
    EndDevice,
    EndDeviceConfig,
    EndDeviceInfo,
    Lifecycle,
    Meter,
    MeterConfig,
    MeterMultiplier,
    Register,
    SimpleEndDeviceFunction,
    SwitchInfo,
)
from openami.shared.contract.field.controls import (
    ControlledDevice,
    DeviceTiming,
    EndDeviceAction,
    EndDeviceControl,
    EndDeviceControls,
    PanDemandResponse,
    PanDisplay,
    control_code,
    control_name,
)
from openami.shared.contract.field.envelope import (
    MEDIA_TYPE,
    Envelope,
    FieldError,
    Header,
    Level,
    Noun,
    Reply,
    Request,
    Result,
    Verb,
    acknowledge,
    errors_of,
    event,
    http_status,
    path_of,
    refuse,
    reply_to,
    request,
)
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.events import (
    EndDeviceEvent,
    EndDeviceEvents,
    EventDetail,
    event_code,
    event_name,
    event_severity,
)
from openami.shared.contract.field.lexical import from_seconds
from openami.shared.contract.field.markup import Limits
from openami.shared.contract.field.points import (
    MasterDataLinkageConfig,
    MetrologyRequirement,
    ServiceCategory,
    UsagePoint,
    UsagePointConfig,
)
from openami.shared.contract.field.queries import (
    GetMeterReadings,
    MeterReadSchedule,
    TimePoint,
    TimeSchedule,
    WantedReadingType,
)
from openami.shared.contract.field.readings import IntervalBlock, MeterReading, MeterReadings, Reading
from openami.shared.contract.field.readings_xml import write_ahead
from openami.shared.contract.field.refusal import Partner, Refusal
from openami.shared.contract.field.tables import reading_type_table
from openami.shared.contract.field.wire import decode, encode, encode_fault

__all__ = [
    "CONNECT",
    "DEMAND_RESET",
    "DISCONNECT",
    "KNOWN_MISSING_BY_AMS",
    "MEDIA_TYPE",
    "VALID_BY_DEVICE",
    "AssetModel",
    "Capability",
    "Channel",
    "ComFunction",
    "ConfigurationEvent",
    "ConnectDisconnectFunction",
    "ControlCode",
    "ControlledDevice",
    "DeviceTiming",
    "ElectronicAddress",
    "EndDevice",
    "EndDeviceAction",
    "EndDeviceConfig",
    "EndDeviceControl",
    "EndDeviceControls",
    "EndDeviceEvent",
    "EndDeviceEvents",
    "EndDeviceInfo",
    "Envelope",
    "EventCode",
    "EventDetail",
    "FieldContractError",
    "FieldError",
    "GetMeterReadings",
    "Header",
    "Identity",
    "IntervalBlock",
    "Level",
    "Lifecycle",
    "Limits",
    "MasterDataLinkageConfig",
    "Meter",
    "MeterConfig",
    "MeterMultiplier",
    "MeterReadSchedule",
    "MeterReading",
    "MeterReadings",
    "MetrologyRequirement",
    "Name",
    "NameType",
    "Noun",
    "PanDemandResponse",
    "PanDisplay",
    "Partner",
    "Period",
    "QualityCode",
    "Reading",
    "ReadingTypeCode",
    "Refusal",
    "Register",
    "Reply",
    "Request",
    "Result",
    "ServiceCategory",
    "SimpleEndDeviceFunction",
    "Status",
    "SwitchInfo",
    "TimePoint",
    "TimeSchedule",
    "UsagePoint",
    "UsagePointConfig",
    "Verb",
    "WantedReadingType",
    "acknowledge",
    "control_code",
    "control_name",
    "decode",
    "encode",
    "encode_fault",
    "errors_of",
    "event",
    "event_code",
    "event_name",
    "event_severity",
    "from_seconds",
    "http_status",
    "path_of",
    "reading_type_table",
    "refuse",
    "reply_to",
    "request",
    "write_ahead",
]
