"""Functions that only look: attributes, object lists, registers, profiles, logs, quality of supply, channels, modem."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from openami.ami.dlms import queries
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.events import GetResponse
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.selection import capture_objects
from openami.ami.headend import profiles
from openami.ami.headend.dialogues import ABSENT, given
from openami.ami.headend.functions.model import BadParametersError, Function, Parameters, number, plain
from openami.ami.headend.model import LOGS, Stream

if TYPE_CHECKING:
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found

ASSOCIATION: Final = "0-0:40.0.0"
OBJECTS_MAX: Final = 500
ROWS_MAX: Final = 5000
CHANNELS: Final = (1, 2, 3, 4)
_DATA, _REGISTER, _EXTENDED, _DEMAND, _PROFILE, _MODEM, _CLIENT = 1, 3, 4, 5, 7, 47, 72
MONTHLY, QUALITY, OUTAGES = "1-0:98.1.0", "1-0:99.1.1", "1-0:99.97.0"
_REGISTERS: Final = ("1-0:1.8.0", *(f"1-0:1.8.{rate}" for rate in range(1, 5)), "1-0:2.8.0", "1-0:1.7.0")
_QUALITY: Final = (
    *("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0", "1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0"),
    *("1-0:13.7.0", "1-0:14.7.0"),
)
_COUNTERS: Final = ("1-0:32.32.0", "1-0:52.32.0", "1-0:72.32.0", "1-0:32.36.0", "1-0:52.36.0", "1-0:72.36.0")
_HARMONICS: Final = ("1-0:31.7.124", "1-0:51.7.124", "1-0:71.7.124")
LOG_NAMES: Final = {
    "standard": Stream.STANDARD_LOG,
    "fraud": Stream.FRAUD_LOG,
    "disconnect": Stream.SWITCH_LOG,
    "mbus": Stream.MBUS_LOG,
    "quality": Stream.QUALITY_LOG,
    "communication": Stream.COMMUNICATION_LOG,
}


async def attribute(dialogue: Dialogue, wanted: Parameters) -> Found:
    """One attribute of one object."""
    ref = AttributeRef(
        number(wanted, "class_id", 1, 0xFFFF), _obis(wanted["obis"]), number(wanted, "attribute", 1, 127)
    )
    (value,) = await dialogue.session.ask_all([ref])
    return {"value": plain(given(value))}


async def object_list(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """What the association shows."""
    return {"objects": [_shown(entry) for entry in await _objects(dialogue)]}


async def all_attributes(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Every attribute that may be read, profiles' buffers left out: they are read by period."""
    refs: list[AttributeRef] = []
    for class_id, obis, attributes in await _objects(dialogue):
        skip = 2 if class_id in (_PROFILE, 15) else 0
        refs += [AttributeRef(class_id, obis, each) for each in attributes if each not in (1, skip)]
    values = await dialogue.session.ask_all(refs)
    return {"values": {str(ref): plain(value) for ref, value in zip(refs, values, strict=True)}}


async def registers(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """The dials now, with the maximum demand."""
    found = await _measured(dialogue, _REGISTERS)
    demand = await dialogue.session.ask_all([AttributeRef(_EXTENDED, Obis.of("1-0:1.6.0"), each) for each in (2, 5)])
    if not isinstance(demand[0], DataAccessResult):
        found["1-0:1.6.0"] = {"value": plain(demand[0]), "at": plain(demand[1])}
    return {"registers": found}


async def mbus_registers(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """The last value of each meter on a channel."""
    found: dict[str, Any] = {}
    for channel in CHANNELS:
        value = Obis.of(f"0-{channel}:24.2.1")
        refs = [AttributeRef(_EXTENDED, value, each) for each in (2, 3, 5)]
        refs.append(AttributeRef(_CLIENT, Obis.of(f"0-{channel}:24.1.0"), 6))
        raw, scaler_unit, at, identification = await dialogue.session.ask_all(refs)
        if isinstance(raw, DataAccessResult) or isinstance(identification, DataAccessResult):
            continue
        if not identification.data().integer():
            continue
        scaler, unit = given(scaler_unit).data().elements()
        found[str(channel)] = {
            "identification": f"{identification.data().integer():08X}",
            "value": str(profiles.physical(raw.data().integer(), scaler.integer())),
            "unit": unit.integer(),
            "at": given(at).data().instant(zone=dialogue.zone).isoformat(),
        }
    return {"channels": found}


async def profile(dialogue: Dialogue, wanted: Parameters, obis: str | None = None) -> Found:
    """The rows of a profile in a period."""
    chosen = obis or str(wanted["obis"])
    return {"obis": chosen, "rows": await rows_of(dialogue, chosen, *_period(wanted))}


async def mbus_profile(dialogue: Dialogue, wanted: Parameters) -> Found:
    """The hourly values of a meter on a channel in a period."""
    obis = f"0-{number(wanted, 'channel', 1, len(CHANNELS))}:24.3.0"
    return {"obis": obis, "rows": await rows_of(dialogue, obis, *_period(wanted))}


async def events(dialogue: Dialogue, wanted: Parameters) -> Found:
    """The rows of one log, or of all, in a period."""
    name = str(wanted.get("log", ""))
    if name and name not in LOG_NAMES:
        raise BadParametersError(f"There is no log {name!r}.", hint=f"There are {', '.join(LOG_NAMES)}.")
    since, until = _period(wanted)
    found: dict[str, Any] = {}
    for log, stream in LOG_NAMES.items():
        if name in ("", log) and stream in LOGS:
            rows = await rows_of(dialogue, stream.value, since, until, absent=True)
            found[log] = [{"at": row[0], "code": row[1]} for row in rows]
    return {"logs": found}


async def actual_quality(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Voltages, currents, frequency and the counters of sags and swells now."""
    counters = await dialogue.session.ask_all([AttributeRef(_DATA, Obis.of(obis), 2) for obis in _COUNTERS])
    shown = {
        obis: plain(value)
        for obis, value in zip(_COUNTERS, counters, strict=True)
        if not isinstance(value, DataAccessResult)
    }
    return {"registers": await _measured(dialogue, _QUALITY), "counters": shown}


async def harmonics(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """The total harmonic distortion of each current now."""
    return {"registers": await _measured(dialogue, _HARMONICS)}


async def modem(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """What the modem hears."""
    names = ("operator", "status", "circuit_switched", "packet_switched", "cell")
    refs = [AttributeRef(_MODEM, Obis.of("0-0:25.6.0"), each) for each in range(2, 7)]
    values = await dialogue.session.ask_all(refs)
    return {name: plain(given(value)) for name, value in zip(names, values, strict=True)}


async def scan_channels(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """What stands on each M-Bus channel."""
    names = {
        5: "address",
        6: "identification",
        7: "manufacturer",
        8: "version",
        9: "medium",
        12: "alarm",
        14: "key_status",
    }
    found: dict[str, Any] = {}
    for channel in CHANNELS:
        refs = [AttributeRef(_CLIENT, Obis.of(f"0-{channel}:24.1.0"), each) for each in names]
        values = await dialogue.session.ask_all(refs)
        shown = {name: plain(value) for name, value in zip(names.values(), values, strict=True)}
        if isinstance(shown["identification"], int) and shown["identification"]:
            found[str(channel)] = shown | {"identification": f"{shown['identification']:08X}"}
    return {"channels": found}


async def firmware_version(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Which firmware runs."""
    version, signature = await dialogue.session.ask_all(
        [AttributeRef(_DATA, Obis.of(obis), 2) for obis in ("1-0:0.2.0", "1-0:0.2.8")]
    )
    return {"version": plain(given(version)), "signature": plain(signature)}


async def breaker(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """How the breaker and the auxiliary relay stand."""
    state = await dialogue.breaker()
    mode, relay = await dialogue.session.ask_all(
        [AttributeRef(70, Obis.of("0-0:96.3.10"), 4), AttributeRef(70, Obis.of("0-1:96.3.10"), 2)]
    )
    return {"state": state.state.value, "output": state.output, "mode": plain(mode), "relay": plain(relay)}


def value_of(obis: str, class_id: int = _DATA, attribute_number: int = 2, name: str = "value") -> Any:  # noqa: ANN401
    """A function that reads one fixed attribute."""

    async def look(dialogue: Dialogue, _wanted: Parameters) -> Found:
        (value,) = await dialogue.session.ask_all([AttributeRef(class_id, Obis.of(obis), attribute_number)])
        return {name: plain(given(value))}

    return look


async def key_status(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Whether the meter on a channel has its key."""
    channels = [number(wanted, "channel", 1, len(CHANNELS))] if "channel" in wanted else list(CHANNELS)
    refs = [AttributeRef(_CLIENT, Obis.of(f"0-{channel}:24.1.0"), 14) for channel in channels]
    values = await dialogue.session.ask_all(refs)
    return {"key_status": {str(channel): plain(value) for channel, value in zip(channels, values, strict=True)}}


async def rows_of(
    dialogue: Dialogue, obis: str, since: datetime, until: datetime, *, absent: bool = False
) -> list[list[Any]]:
    """The rows of any profile as plain values, the stamp first; an absent log has none if that is allowed."""
    captures, period = await dialogue.session.ask_all([AttributeRef(_PROFILE, Obis.of(obis), each) for each in (3, 4)])
    if absent and isinstance(captures, DataAccessResult) and captures in ABSENT:
        return []
    columns = capture_objects(given(captures).data())
    period_s = given(period).data().integer()
    query = queries.read_profile(obis, since, until, zone=dialogue.zone, capture_period_s=period_s)
    (answer,) = await dialogue.session.ask_all(list(query.request.attributes))  # type: ignore[union-attr]  # a GetRequest
    found = query.result(GetResponse((answer,)))
    if len(found) > ROWS_MAX:
        raise BadParametersError(f"{obis} has {len(found)} rows in that period.", hint="Ask for a shorter one.")
    clock = next((index for index, each in enumerate(columns) if each.is_clock), 0)
    shown = [column.values.tolist() for column in found.columns]
    if shown:
        shown[clock] = [datetime.fromtimestamp(stamp, dialogue.zone).isoformat() for stamp in shown[clock]]
        shown.insert(0, shown.pop(clock))
    return [list(row) for row in zip(*shown, strict=True)]


async def _objects(dialogue: Dialogue) -> list[tuple[int, Obis, list[int]]]:
    (value,) = await dialogue.session.ask_all([AttributeRef(15, Obis.of(ASSOCIATION), 2)])
    found = []
    for entry in given(value).data().elements()[:OBJECTS_MAX]:
        class_id, _version, name, rights = entry.elements()
        attributes = [each.elements()[0].integer() for each in rights.elements()[0].elements()]
        found.append((class_id.integer(), name.obis(), attributes))
    return found


def _shown(entry: tuple[int, Obis, list[int]]) -> dict[str, Any]:
    return {"class_id": entry[0], "obis": str(entry[1]), "attributes": entry[2]}


async def _measured(dialogue: Dialogue, codes: tuple[str, ...]) -> dict[str, Any]:
    """Registers with their scaler, those that the meter has."""
    refs = [AttributeRef(_REGISTER, Obis.of(obis), each) for obis in codes for each in (2, 3)]
    answers = await dialogue.session.ask_all(refs)
    found: dict[str, Any] = {}
    for index, obis in enumerate(codes):
        value, scaler_unit = answers[2 * index], answers[2 * index + 1]
        if isinstance(value, DataAccessResult) or isinstance(scaler_unit, DataAccessResult):
            continue
        scaler, unit = scaler_unit.data().elements()
        physical = profiles.physical(value.data().integer(), scaler.integer())
        found[obis] = {"value": str(physical), "unit": unit.integer()}
    return found


def _obis(text: object) -> Obis:
    try:
        return Obis.of(str(text))
    except (DlmsError, ValueError) as error:
        raise BadParametersError(f"{text!r} is no OBIS code.", hint="Send 1-0:1.8.0.") from error


def _period(wanted: Parameters) -> tuple[datetime, datetime]:
    try:
        since, until = (datetime.fromisoformat(str(wanted[name])) for name in ("from", "to"))
    except ValueError as error:
        raise BadParametersError(f"The period cannot be read: {error}.", hint="Send 2026-03-09T14:00Z.") from error
    if since.tzinfo is None or until.tzinfo is None or since > until:
        raise BadParametersError("The period has no zone, or ends before it begins.", hint="Send 2026-03-09T14:00Z.")
    return since, until


_PERIOD: Final = ("from", "to")
READING: Final = (
    Function(
        "read_attribute",
        "Reads one attribute.",
        attribute,
        ("GetSpecificAttributeValue",),
        ("class_id", "obis", "attribute"),
    ),
    Function(
        "read_all_attributes", "Reads every attribute that may be read.", all_attributes, ("GetAllAttributeValues",)
    ),
    Function(
        "read_object_list",
        "Reads what the association shows.",
        object_list,
        ("GetAssociationLnObjects",),
        objects=(ASSOCIATION,),
    ),
    Function(
        "read_registers",
        "Reads the dials by tariff, the power and the maximum demand.",
        registers,
        ("GetActualMeterReads",),
        objects=_REGISTERS,
    ),
    Function(
        "read_mbus_registers",
        "Reads the last values of the meters on the M-Bus channels.",
        mbus_registers,
        ("GetActualMeterReadsGas",),
        objects=("0-1:24.2.1",),
    ),
    Function(
        "read_profile",
        "Reads the rows of any profile in a period.",
        profile,
        ("GetPeriodicMeterReads",),
        ("obis", *_PERIOD),
    ),
    Function(
        "read_mbus_profile",
        "Reads the hourly values of a meter on a channel in a period.",
        mbus_profile,
        ("GetPeriodicMeterReadsGas",),
        ("channel", *_PERIOD),
        objects=("0-1:24.3.0",),
    ),
    Function(
        "read_billing",
        "Reads the monthly values in a period.",
        partial(profile, obis=MONTHLY),
        (),
        _PERIOD,
        objects=(MONTHLY,),
    ),
    Function(
        "read_quality_profile",
        "Reads the profile of voltages and harmonics in a period.",
        partial(profile, obis=QUALITY),
        ("GetPowerQualityProfile",),
        _PERIOD,
        objects=(QUALITY,),
    ),
    Function(
        "read_quality",
        "Reads voltages, currents, frequency, sags and swells now.",
        actual_quality,
        ("GetActualPowerQuality",),
        objects=_QUALITY,
    ),
    Function(
        "read_harmonics",
        "Reads the harmonic distortion of each current.",
        harmonics,
        ("GetThdFingerprint",),
        objects=_HARMONICS,
    ),
    Function(
        "read_outages",
        "Reads the long power failures of a period.",
        partial(profile, obis=OUTAGES),
        ("GetOutages",),
        _PERIOD,
        objects=(OUTAGES,),
    ),
    Function(
        "read_events", "Reads the event logs of a period, or one of them.", events, ("FindEvents",), _PERIOD, ("log",)
    ),
    Function(
        "read_alarms",
        "Reads the alarm register.",
        value_of("0-0:97.98.0", name="alarms"),
        ("ReadAlarmRegister",),
        objects=("0-0:97.98.0",),
    ),
    Function(
        "read_alarm_filter",
        "Reads which alarms are pushed.",
        value_of("0-0:97.98.10", name="filter"),
        ("GetPushNotificationAlarm",),
        objects=("0-0:97.98.10",),
    ),
    Function(
        "read_configuration",
        "Reads the configuration object.",
        value_of("0-1:94.31.3", name="configuration"),
        ("GetConfigurationObject",),
        objects=("0-1:94.31.3",),
    ),
    Function(
        "read_administrative_status",
        "Reads whether the customer takes part.",
        value_of("0-1:94.31.0", name="status"),
        ("GetAdministrativeStatus",),
        objects=("0-1:94.31.0",),
    ),
    Function(
        "read_firmware_version",
        "Reads which firmware runs.",
        firmware_version,
        ("GetFirmwareVersion",),
        objects=("1-0:0.2.0",),
    ),
    Function("read_modem", "Reads what the modem hears.", modem, ("GetGsmDiagnostic",), objects=("0-0:25.6.0",)),
    Function(
        "scan_mbus_channels",
        "Reads what stands on each M-Bus channel.",
        scan_channels,
        ("ScanMbusChannels",),
        objects=("0-1:24.1.0",),
    ),
    Function(
        "read_mbus_key_status",
        "Reads whether meters on the channels have their keys.",
        key_status,
        ("GetMbusEncryptionKeyStatus", "GetMbusEncryptionKeyStatusByChannel"),
        (),
        ("channel",),
        objects=("0-1:24.1.0",),
    ),
    Function("read_breaker", "Reads how breaker and relay stand.", breaker, objects=("0-0:96.3.10", "0-1:96.3.10")),
    Function(
        "read_credit",
        "Reads what is left of a prepaid account.",
        value_of("0-0:19.0.0", 111, 5, "credit"),
        objects=("0-0:19.0.0",),
    ),
)
"""The functions of this module."""
