"""Functions that change something at a meter: clock, tariff, alarms, pushes, limits, relay, texts, money, channels."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from openami.ami.dlms import data as d
from openami.ami.dlms import queries
from openami.ami.dlms.axdr import decode
from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime
from openami.ami.headend.dialogues import given
from openami.ami.headend.functions.model import BadParametersError, Function, Parameters, number, octets, plain

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found, Run

CALENDAR, SPECIAL_DAYS, LIMITER = "0-0:13.0.0", "0-0:11.0.0", "0-0:17.0.0"
TARIFF_SCRIPTS: Final = Obis.of("0-0:10.0.100")
CALENDAR_CLASS, SPECIAL_DAYS_CLASS, PUSH_CLASS, LIMITER_CLASS, MBUS_CLASS = 20, 11, 40, 71, 72
UDP, TCP = 1, 0
MINUTES_MAX: Final = 7 * 24 * 60


async def synchronize_clock(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Set the clock to ours, whatever it shows."""
    before_s = await dialogue.clock_drift_s()
    await dialogue.set_clock()
    return {"drift_before_s": before_s, "drift_after_s": await dialogue.clock_drift_s()}


async def configure_clock(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Standard offset, and when daylight saving begins and ends (COSEM date-times with wildcards, hexadecimal)."""
    await dialogue.session.ask(
        queries.write("0-0:1.0.0", 8, 3, d.integer16(number(wanted, "time_zone_min", -720, 720)))
    )
    for name, attribute in (("begin", 5), ("end", 6)):
        if name in wanted:
            await dialogue.session.ask(queries.write("0-0:1.0.0", 8, attribute, d.octet_string(octets(wanted, name))))
    if "enabled" in wanted:
        await dialogue.session.ask(queries.write("0-0:1.0.0", 8, 8, d.boolean(bool(wanted["enabled"]))))
    return {}


async def set_calendar(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Download a tariff calendar into the passive one, and activate it now or at `activate_at`."""
    days = d.array([_day(number_, switches) for number_, switches in _items(wanted["days"], "days")])
    weeks = d.array([_week(name, ids) for name, ids in _items(wanted["weeks"], "weeks")])
    seasons = d.array([_season(name, each) for name, each in _items(wanted["seasons"], "seasons")])
    name = str(wanted["name"])[:32].encode()
    for attribute, value in ((6, d.octet_string(name)), (7, seasons), (8, weeks), (9, days)):
        await dialogue.session.ask(queries.write(CALENDAR, CALENDAR_CLASS, attribute, value))
    if "activate_at" in wanted:
        at = CosemDateTime.of(_instant(wanted["activate_at"]), zone=dialogue.zone)
        await dialogue.session.ask(queries.write(CALENDAR, CALENDAR_CLASS, 10, d.octet_string(at)))
        return {"passive": str(wanted["name"])}
    await dialogue.session.ask(queries.act(CALENDAR, CALENDAR_CLASS, 1))
    (active,) = await dialogue.session.ask_all([AttributeRef(CALENDAR_CLASS, Obis.of(CALENDAR), 2)])
    return {"active": plain(given(active))}


async def set_special_days(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Replace the special days: a list of {date, day}; of a date without a year every year is meant."""
    entries = [
        d.structure(d.unsigned16(index), d.octet_string(_date(each["date"])), d.unsigned8(int(each["day"])))
        for index, each in enumerate(wanted["days"], 1)
    ]
    await dialogue.session.ask(queries.write(SPECIAL_DAYS, SPECIAL_DAYS_CLASS, 2, d.array(entries)))
    return {"days": len(entries)}


async def set_push(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Where a push goes, and how often it is tried."""
    setup = f"0-{PUSHES.index(str(wanted['push']))}:25.9.0" if wanted["push"] in PUSHES else ""
    if not setup:
        raise BadParametersError(f"There is no push {wanted['push']!r}.", hint=f"There are {', '.join(PUSHES)}.")
    transport = UDP if wanted.get("transport", "udp") == "udp" else TCP
    target = d.structure(d.enum(transport), d.octet_string(str(wanted["destination"]).encode()), d.enum(0))
    await dialogue.session.ask(queries.write(setup, PUSH_CLASS, 3, target))
    if "retries" in wanted:
        retries = d.unsigned8(number(wanted, "retries", 0, 20))
        await dialogue.session.ask(queries.write(setup, PUSH_CLASS, 6, retries))
    return {"setup": setup}


PUSHES: Final = ("interval", "alarm", "sms", "last_gasp")


def push_to(push: str) -> Run:
    """The same for one of them."""

    async def run(dialogue: Dialogue, wanted: Parameters) -> Found:
        return await set_push(dialogue, {**wanted, "push": push})

    return run


async def schedule_push(dialogue: Dialogue, wanted: Parameters) -> Found:
    """At which local times of each day the interval push is sent."""
    times = [datetime.strptime(str(each), "%H:%M").time() for each in wanted["times"]]  # noqa: DTZ007 - local times
    entries = [
        d.structure(
            d.octet_string(CosemTime(each.hour, each.minute, 0, 0)),
            d.octet_string(CosemDate()),
        )
        for each in times
    ]
    await dialogue.session.ask(queries.write("0-0:15.0.4", 22, 4, d.array(entries)))
    return {"times": len(entries)}


async def set_limiter(dialogue: Dialogue, wanted: Parameters) -> Found:
    """The threshold in watts (0 = none) and for how long it may be exceeded."""
    await dialogue.session.ask(
        queries.write(LIMITER, LIMITER_CLASS, 6, d.unsigned32(number(wanted, "over_s", 0, 86400, 0)))
    )
    threshold = d.unsigned32(number(wanted, "threshold_w", 0, 10**6))
    await dialogue.session.ask(queries.write(LIMITER, LIMITER_CLASS, 4, threshold))
    (active,) = await dialogue.session.ask_all([AttributeRef(LIMITER_CLASS, Obis.of(LIMITER), 3)])
    return {"active_w": plain(given(active))}


async def set_emergency_limit(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Another threshold from an instant on for a while, for meters of a group."""
    group = number(wanted, "group", 1, 0xFFFF)
    begins = d.octet_string(CosemDateTime.of(_instant(wanted["from"])))
    duration = d.unsigned32(number(wanted, "duration_s", 1, 7 * 86400))
    for attribute, value in (
        (5, d.unsigned32(number(wanted, "threshold_w", 0, 10**6))),
        (9, d.array([d.unsigned16(group)])),
        (8, d.structure(d.unsigned16(group), begins, duration)),
    ):
        await dialogue.session.ask(queries.write(LIMITER, LIMITER_CLASS, attribute, value))
    return {"group": group}


async def set_breaker_mode(dialogue: Dialogue, wanted: Parameters) -> Found:
    """The control mode of the breaker (0 to 6)."""
    await dialogue.session.ask(queries.write("0-0:96.3.10", 70, 4, d.enum(number(wanted, "mode", 0, 6))))
    return {}


def relay(method: int) -> Run:
    """Open (1) or close (2) the auxiliary relay, and read it back."""

    async def run(dialogue: Dialogue, _wanted: Parameters) -> Found:
        await dialogue.session.ask(queries.act("0-1:96.3.10", 70, method))
        (output,) = await dialogue.session.ask_all([AttributeRef(70, Obis.of("0-1:96.3.10"), 2)])
        return {"relay": plain(given(output))}

    return run


async def display_text(dialogue: Dialogue, wanted: Parameters) -> Found:
    """A text on the display and at the customer's port."""
    text = str(wanted["text"]).encode()[:1024]
    await dialogue.session.ask(queries.write("0-0:96.13.0", 1, 2, d.octet_string(text)))
    return {"octets": len(text)}


async def clear_alarms(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Clear the alarm register, and say what it was."""
    (before,) = await dialogue.session.ask_all([AttributeRef(1, Obis.of("0-0:97.98.0"), 2)])
    await dialogue.session.ask(queries.write("0-0:97.98.0", 1, 2, d.unsigned32(0)))
    return {"cleared": plain(given(before))}


def writes(obis: str, parameter: str, kind: str, low: int = 0, high: int = 0, class_id: int = 1) -> Run:
    """A function that writes one number into one attribute."""

    async def run(dialogue: Dialogue, wanted: Parameters) -> Found:
        value = getattr(d, kind)(number(wanted, parameter, low, high))
        await dialogue.session.ask(queries.write(obis, class_id, 2, value))
        return {parameter: number(wanted, parameter, low, high)}

    return run


async def write_attribute(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Write one attribute with a value in A-XDR, hexadecimal."""
    try:
        value = decode(octets(wanted, "value"))
        obis = Obis.of(str(wanted["obis"]))
    except (DlmsError, ValueError) as error:
        raise BadParametersError(f"The value cannot be read: {error}.", hint="Send A-XDR in hexadecimal.") from error
    class_id, attribute = number(wanted, "class_id", 1, 0xFFFF), number(wanted, "attribute", 2, 127)
    await dialogue.session.ask(queries.write(obis, class_id, attribute, value))
    return {}


async def set_configuration(dialogue: Dialogue, wanted: Parameters) -> Found:
    """The configuration object: how the modem works, and sixteen flags."""
    flags = str(wanted["flags"])
    if set(flags) - {"0", "1"} or len(flags) != 16:
        raise BadParametersError(f"The flags are {flags!r}.", hint="Send sixteen times 0 or 1.")
    value = d.structure(d.enum(number(wanted, "mode", 0, 1, 1)), d.bit_string(flags))
    await dialogue.session.ask(queries.write("0-1:94.31.3", 1, 2, value))
    return {}


async def set_randomisation(dialogue: Dialogue, wanted: Parameters) -> Found:
    """How meters spread their calls: directly or not, the window, the multiplication factor, the tries."""
    value = d.structure(
        d.unsigned8(int(bool(wanted.get("direct", False)))),
        d.unsigned16(number(wanted, "window_s", 1, 65535)),
        d.unsigned8(number(wanted, "factor", 1, 7, 1)),
        d.unsigned8(number(wanted, "tries", 1, 31, 3)),
    )
    await dialogue.session.ask(queries.write("0-1:94.31.12", 1, 2, value))
    return {}


async def set_harmonics_limits(dialogue: Dialogue, wanted: Parameters) -> Found:
    """From which distortion (0.1 %) on, back below what, and after how long an event is logged."""
    value = d.structure(
        d.unsigned16(number(wanted, "limit_permille", 1, 1000)),
        d.unsigned16(number(wanted, "hysteresis_permille", 0, 1000, 10)),
        d.unsigned16(number(wanted, "over_s", 1, 65535, 600)),
    )
    await dialogue.session.ask(queries.write("0-1:94.31.23", 1, 2, value))
    return {}


async def define_profile(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Choose the columns (OBIS codes of registers) and the period of the definable load profile."""
    columns = [CLOCK_COLUMN, *(CaptureObject(3, Obis.of(str(obis)), 2) for obis in wanted["columns"])]
    period = d.unsigned32(number(wanted, "period_s", 60, 86400))
    await dialogue.session.ask(queries.write("0-1:94.31.6", 7, 3, d.array(each.data() for each in columns)))
    await dialogue.session.ask(queries.write("0-1:94.31.6", 7, 4, period))
    return {"columns": len(columns)}


async def reset_demand(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """End the billing period: the maximum demand begins anew."""
    await dialogue.session.ask(queries.act("0-0:10.0.1", 9, 1, d.unsigned16(1)))
    return {}


def _items(given_: object, name: str) -> list[tuple[Any, Any]]:
    if not isinstance(given_, dict) or not given_:
        raise BadParametersError(f"{name} is no object.", hint="See the reference of set_activity_calendar.")
    return list(given_.items())


def _day(day_id: object, switches: object) -> Data:
    entries = []
    for start, tariff in _items(switches, "a day"):
        at = datetime.strptime(str(start), "%H:%M").time()  # noqa: DTZ007 - a local time
        when = d.octet_string(CosemTime(at.hour, at.minute, 0, 0))
        entries.append(d.structure(when, d.octet_string(TARIFF_SCRIPTS), d.unsigned16(int(tariff))))
    return d.structure(d.unsigned8(int(str(day_id))), d.array(entries))


def _week(name: object, days: Any) -> Data:  # noqa: ANN401 - seven numbers, or it fails
    if len(days) != 7:
        raise BadParametersError(f"Week {name} has {len(days)} days.", hint="Name seven day profiles, Monday first.")
    return d.structure(d.octet_string(str(name).encode()), *(d.unsigned8(int(day)) for day in days))


def _season(name: object, season: Any) -> Data:  # noqa: ANN401 - an object with `from` and `week`
    month, day = (int(part) for part in str(season["from"]).split("-"))
    start = d.octet_string(CosemDateTime(CosemDate(month=month, day=day)))
    return d.structure(d.octet_string(str(name).encode()), start, d.octet_string(str(season["week"]).encode()))


def _date(text: object) -> CosemDate:
    parts = [int(part) for part in str(text).split("-")]
    return CosemDate(*parts) if len(parts) == 3 else CosemDate(month=parts[0], day=parts[1])


def _instant(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise BadParametersError(f"{text} has no zone.", hint="Send 2026-03-09T14:00Z.")
    return found


_CHANGED: Final = "config.changed"
_PUSH: Final = (("destination",), ("transport", "retries"))
ACTING: Final = (
    Function(
        "synchronize_clock",
        "Sets the clock to the head-end's.",
        synchronize_clock,
        ("SynchronizeTime",),
        event="clock.changed",
        objects=("0-0:1.0.0",),
    ),
    Function(
        "configure_clock",
        "Sets standard offset and daylight saving.",
        configure_clock,
        ("SetClockConfiguration",),
        ("time_zone_min",),
        ("begin", "end", "enabled"),
        _CHANGED,
        objects=("0-0:1.0.0",),
    ),
    Function(
        "set_activity_calendar",
        "Downloads a tariff calendar and activates it, now or later.",
        set_calendar,
        ("SetActivityCalendar",),
        ("name", "days", "weeks", "seasons"),
        ("activate_at",),
        _CHANGED,
        objects=(CALENDAR,),
    ),
    Function(
        "set_special_days",
        "Replaces the special days of the calendar.",
        set_special_days,
        ("SetSpecialDays",),
        ("days",),
        (),
        _CHANGED,
        objects=(SPECIAL_DAYS,),
    ),
    Function(
        "set_alarm_filter",
        "Says which alarms are pushed.",
        writes("0-0:97.98.10", "filter", "unsigned32", 0, 0xFFFFFFFF),
        ("SetAlarmNotifications",),
        ("filter",),
        (),
        _CHANGED,
        objects=("0-0:97.98.10",),
    ),
    Function(
        "set_alarm_push",
        "Says where alarms are pushed to.",
        push_to("alarm"),
        ("SetPushSetupAlarm",),
        *_PUSH,
        _CHANGED,
        objects=("0-1:25.9.0",),
    ),
    Function(
        "set_sms_push",
        "Says where the SMS push goes.",
        push_to("sms"),
        ("SetPushSetupSms",),
        *_PUSH,
        _CHANGED,
        objects=("0-2:25.9.0",),
    ),
    Function(
        "set_interval_push",
        "Says where the regular push goes.",
        push_to("interval"),
        ("SetPushSetupUdp",),
        *_PUSH,
        _CHANGED,
        objects=("0-0:25.9.0",),
    ),
    Function(
        "set_last_gasp_push",
        "Says where the last gasp goes.",
        push_to("last_gasp"),
        ("SetPushSetupLastGasp",),
        *_PUSH,
        _CHANGED,
        objects=("0-3:25.9.0",),
    ),
    Function(
        "schedule_push",
        "Says at which times of the day the regular push is sent.",
        schedule_push,
        (),
        ("times",),
        (),
        _CHANGED,
        objects=("0-0:15.0.4",),
    ),
    Function(
        "set_configuration",
        "Writes the configuration object; without flag 6 a meter refuses high level security.",
        set_configuration,
        ("SetConfigurationObject",),
        ("flags",),
        ("mode",),
        _CHANGED,
        objects=("0-1:94.31.3",),
    ),
    Function(
        "set_administrative_status",
        "Says whether the customer takes part.",
        writes("0-1:94.31.0", "status", "enum", 0, 2),
        ("SetAdministrativeStatus",),
        ("status",),
        (),
        _CHANGED,
        objects=("0-1:94.31.0",),
    ),
    Function(
        "set_randomisation",
        "Says how meters spread their calls.",
        set_randomisation,
        ("SetRandomisationSettings",),
        ("window_s",),
        ("direct", "factor", "tries"),
        _CHANGED,
        objects=("0-1:94.31.12",),
    ),
    Function(
        "set_harmonics_limits",
        "Says from which distortion on an event is logged.",
        set_harmonics_limits,
        ("SetThdConfiguration",),
        ("limit_permille",),
        ("hysteresis_permille", "over_s"),
        _CHANGED,
        objects=("0-1:94.31.23",),
    ),
    Function(
        "define_load_profile",
        "Chooses columns and period of the definable load profile.",
        define_profile,
        ("ConfigureDefinableLoadProfile",),
        ("columns", "period_s"),
        (),
        _CHANGED,
        objects=("0-1:94.31.6",),
    ),
    Function(
        "clear_alarms", "Clears the alarm register.", clear_alarms, ("ClearAlarmRegister",), objects=("0-0:97.98.0",)
    ),
    Function(
        "set_limiter",
        "Sets the load limit.",
        set_limiter,
        (),
        ("threshold_w",),
        ("over_s",),
        _CHANGED,
        objects=(LIMITER,),
    ),
    Function(
        "set_emergency_limit",
        "Sets another load limit for a while.",
        set_emergency_limit,
        (),
        ("group", "threshold_w", "from", "duration_s"),
        (),
        _CHANGED,
        objects=(LIMITER,),
    ),
    Function(
        "set_breaker_mode",
        "Sets the control mode of the breaker.",
        set_breaker_mode,
        (),
        ("mode",),
        (),
        _CHANGED,
        objects=("0-0:96.3.10",),
    ),
    Function(
        "open_relay", "Switches the auxiliary load off.", relay(1), event="load.reduced", objects=("0-1:96.3.10",)
    ),
    Function(
        "close_relay", "Switches the auxiliary load on.", relay(2), event="load.restored", objects=("0-1:96.3.10",)
    ),
    Function("display_text", "Shows a text.", display_text, (), ("text",), objects=("0-0:96.13.0",)),
    Function(
        "reset_demand",
        "Begins a new billing period of the maximum demand.",
        reset_demand,
        event="demand.reset_done",
        objects=("0-0:10.0.1",),
    ),
    Function(
        "write_attribute",
        "Writes one attribute.",
        write_attribute,
        (),
        ("class_id", "obis", "attribute", "value"),
        (),
        _CHANGED,
    ),
)
"""The functions of this module."""
