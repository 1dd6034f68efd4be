"""Functions that the head-end carries out from what it keeps, without a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of a type that is made at run time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, select

from openami.ami.headend import store, views
from openami.ami.headend.command_store import CLOSED, command_table, item_table
from openami.ami.headend.functions.keys import check_values
from openami.ami.headend.functions.model import BadParametersError, Found, Function, Parameters, number
from openami.ami.headend.model import Kind
from openami.ami.headend.protections import keys_of
from openami.ami.headend.standards import UnknownProfileError, known_profile
from openami.ami.headend.store import push_table, session_table, system_event_table

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.shipment import Seals

LIFECYCLE: Final = (
    *("new in inventory", "ready for use", "registered", "registration in progress", "registration failed"),
    *("in use", "returned to inventory", "under test", "destroyed", "retired"),
)
OUT_OF_USE: Final = {"returned to inventory", "destroyed", "retired"}
"""Who is there is not read any more."""
_ROWS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Desk:
    """What a function of the house works with."""

    transaction: AsyncConnection
    row: Row[Any]
    sealer: Seals
    now: datetime


HouseRun = Callable[[Desk, Parameters], Awaitable[Found]]


async def pushes(desk: Desk, _wanted: Parameters) -> Found:
    """The pushes that came from a meter, newest first."""
    query = select(push_table).where(push_table.c.serial == desk.row.serial).order_by(push_table.c.id.desc())
    rows = await desk.transaction.execute(query.limit(_ROWS_MAX))
    return {"pushes": [views.plain_row(row) for row in rows]}


async def system_events(desk: Desk, _wanted: Parameters) -> Found:
    """What the head-end noticed about a meter by itself, newest first."""
    table = system_event_table
    query = select(table).where(table.c.serial == desk.row.serial).order_by(table.c.id.desc()).limit(_ROWS_MAX)
    found = [views.plain_row(row) for row in await desk.transaction.execute(query)]
    return {"events": found, "counter_reserved": desk.row.counter_reserved}


async def message_logs(desk: Desk, _wanted: Parameters) -> Found:
    """The last sessions of a meter; with what was said, where debugging was on."""
    query = select(session_table).where(session_table.c.serial == desk.row.serial)
    rows = await desk.transaction.execute(query.order_by(session_table.c.id.desc()).limit(_ROWS_MAX))
    return {"sessions": [views.plain_row(row) for row in rows]}


async def keys(desk: Desk, _wanted: Parameters) -> Found:
    """Check values of the keys, never the keys themselves."""
    if desk.row.sealed_keys is None:
        return {"keys": {}}
    found = keys_of(desk.sealer.open(desk.row.sealed_keys, context=desk.row.serial))
    changed_at = desk.row.keys_changed_at
    return {
        "keys": check_values(found),
        "suite": found.suite,
        "changed_at": changed_at.isoformat() if changed_at else None,
        "change_pending": desk.row.sealed_pending_keys is not None,
    }


async def device(desk: Desk, _wanted: Parameters) -> Found:
    """What is known of a meter."""
    return {"meter": await views.meter(desk.transaction, desk.row.serial)}


def debugging(*, on: bool) -> HouseRun:
    """Keep what is said in sessions, or do not any more."""

    async def run(desk: Desk, _wanted: Parameters) -> Found:
        await store.change_meter(desk.transaction, desk.row.serial, debugging=on)
        return {"debugging": on}

    return run


async def communication(desk: Desk, wanted: Parameters) -> Found:
    """How a meter wants to be spoken to: how many attributes in one list (1 = no lists), how large an answer."""
    kept = {
        "list_max": number(wanted, "list_max", 1, 64, 16),
        "pdu_octets_max": number(wanted, "pdu_octets_max", 128, 65535, 8192),
    }
    await store.change_meter(desk.transaction, desk.row.serial, communication=kept)
    return kept


async def lifecycle(desk: Desk, wanted: Parameters) -> Found:
    """The place of a meter, or of one on a channel of it, in the life of a device."""
    status = str(wanted["status"])
    if status not in LIFECYCLE:
        raise BadParametersError(f"There is no status {status!r}.", hint=f"There are {', '.join(LIFECYCLE)}.")
    if "channel" not in wanted:
        due: dict[str, datetime | None] = (
            {"next_due_at": desk.now} if status == "in use" and _may_be_read(desk.row) else {}
        )
        due |= {"next_due_at": None} if status in OUT_OF_USE else {}
        await store.change_meter(desk.transaction, desk.row.serial, lifecycle=status, **due)
        return {"status": status}
    channel = str(number(wanted, "channel", 1, 4))
    channels = {**desk.row.channels, channel: {**desk.row.channels.get(channel, {}), "lifecycle": status}}
    await store.change_meter(desk.transaction, desk.row.serial, channels=channels)
    return {"channel": int(channel), "status": status}


def _may_be_read(row: Row[Any]) -> bool:
    provisioned = row.provisioned_at is not None and row.removed_at is None and not row.schedule_disabled
    return provisioned and row.kind == Kind.ELECTRICITY and row.next_due_at is None


async def protocol(desk: Desk, wanted: Parameters) -> Found:
    """Which companion profile a meter follows."""
    try:
        known_profile(str(wanted["profile"]))
    except UnknownProfileError as error:
        raise BadParametersError(error.found, hint=error.hint) from error
    await store.change_meter(desk.transaction, desk.row.serial, profile=wanted["profile"], layouts={})
    return {"profile": wanted["profile"]}


async def forget_channel(desk: Desk, wanted: Parameters) -> Found:
    """Forget what is known of a channel, where the meter itself cannot be asked any more."""
    channel = str(number(wanted, "channel", 1, 4))
    kept = {name: value for name, value in desk.row.channels.items() if name != channel}
    await store.change_meter(desk.transaction, desk.row.serial, channels=kept)
    return {"channel": int(channel)}


async def delete_answers(desk: Desk, _wanted: Parameters) -> Found:
    """Delete the answers of orders that are closed."""
    closed = select(command_table.c.id).where(command_table.c.state == CLOSED)
    result = await desk.transaction.execute(
        delete(item_table).where(item_table.c.serial == desk.row.serial, item_table.c.command_id.in_(closed))
    )
    return {"deleted": result.rowcount}


def _house(name: str, says: str, floor: str, wanted: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Function:
    return Function(name, says, None, (floor,), wanted, optional, where="head-end")


HOUSE: Final = (
    _house("read_pushes", "Shows the pushes that came from a meter.", "RetrievePushNotificationAlarm"),
    _house(
        "read_system_events", "Shows what the head-end noticed by itself, and how far the counter is.", "GetSystemEvent"
    ),
    _house(
        "read_message_logs", "Shows the last sessions, with what was said where debugging is on.", "FindMessageLogs"
    ),
    _house("read_keys", "Shows check values of the keys.", "GetKeys"),
    _house("read_device", "Shows what is known of a meter.", "GetDevices"),
    _house("enable_debugging", "Keeps what is said in sessions.", "EnableDebugging"),
    _house("disable_debugging", "Keeps it no longer.", "DisableDebugging"),
    _house(
        "set_communication",
        "Says how a meter wants to be spoken to.",
        "SetDeviceCommunicationSettings",
        (),
        ("list_max", "pdu_octets_max"),
    ),
    _house(
        "set_lifecycle",
        "Sets the place of a meter or of one on a channel in the life of a device.",
        "SetDeviceLifecycleStatusByChannel",
        ("status",),
        ("channel",),
    ),
    _house("set_protocol", "Says which companion profile a meter follows.", "UpdateProtocol", ("profile",)),
    _house(
        "forget_mbus_channel",
        "Forgets a channel without asking the meter.",
        "DecoupleMbusDeviceAdministrative",
        ("channel",),
    ),
    _house("delete_answers", "Deletes the answers of closed orders.", "DeleteResponseData"),
)
HOUSE_RUNS: Final[Mapping[str, HouseRun]] = {
    "read_pushes": pushes,
    "read_system_events": system_events,
    "read_message_logs": message_logs,
    "read_keys": keys,
    "read_device": device,
    "enable_debugging": debugging(on=True),
    "disable_debugging": debugging(on=False),
    "set_communication": communication,
    "set_lifecycle": lifecycle,
    "set_protocol": protocol,
    "forget_mbus_channel": forget_channel,
    "delete_answers": delete_answers,
}
