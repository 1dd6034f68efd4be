"""Orders from the MDUS: readings on demand, disconnect, connect, cancel. Accepted here, carried out in `commands`."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from openami.ami.headend import command_store, store
from openami.ami.headend.command_store import CANCELLED, CONTROL, FUNCTION, OPEN, READ, WAITING
from openami.ami.headend.functions.catalogue import function_of
from openami.ami.headend.functions.model import BadParametersError
from openami.ami.headend.handlers import UNKNOWN_METER, payload_of
from openami.ami.headend.model import Kind, Switch
from openami.shared.contract import field
from openami.shared.contract.field.errors import MissingInRequestError
from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.handlers import Handler
    from openami.shared.clock import Clock

# How long an order may take when it names no end itself (61968-9 sheet, 4).
READ_WITHIN: Final = timedelta(minutes=15)
SWITCH_WITHIN: Final = timedelta(minutes=5)
FUNCTION_WITHIN: Final = timedelta(hours=6)
NAMED: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "clear_load_limit": ("set_limiter", {"threshold_w": 0}),
    "demand_reset": ("reset_demand", {}),
    "clock_sync": ("synchronize_clock", {}),
}
"""Control types of the seam that are functions of ours."""
SWITCHES: Final = {"disconnect": Switch.DISCONNECT, "connect": Switch.CONNECT}
_COMMANDS: Final = uuid.UUID("c9d4b3c0-4b5e-4f0b-9d39-0a6f5f6f2d11")


class Orders:
    """Takes orders and says at once whether they were accepted."""

    def __init__(self, clock: Clock, *, source: str, wake: asyncio.Event) -> None:
        self._clock = clock
        self._source = source
        self._wake = wake

    def handlers(self) -> dict[tuple[field.Verb, str], Handler]:
        """Which message goes where; some partners create readings where they mean get (61968-9 sheet, 10.3)."""
        return {
            (field.Verb.GET, field.MeterReadings.NOUN): self.get_readings,
            (field.Verb.CREATE, field.MeterReadings.NOUN): self.get_readings,
            (field.Verb.CREATE, field.EndDeviceControls.NOUN): self.create_controls,
            (field.Verb.CANCEL, field.EndDeviceControls.NOUN): self.cancel_controls,
        }

    async def get_readings(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Accept a question for readings; the answer follows as a reply with the same correlation."""
        request = message.request
        if request is None or request.query is None:
            raise MissingInRequestError("The request carries no GetMeterReadings.", hint="Say which devices.")
        query, now = request.query, self._clock.now()
        period = query.period or field.Period.between(request.start, request.end)
        detail: dict[str, object] = {
            "types": [str(each.code) for each in query.reading_types],
            "start": period.start.isoformat() if period.start else None,
            "end": period.end.isoformat() if period.end else None,
            "source": request.option("source") or "auto",
        }
        found, errors = await self._meters(transaction, query.devices)
        if not found:
            return self._refuse(message, errors or [_nobody()])
        key = uuid.uuid5(_COMMANDS, f"get {message.header.message_id}")
        items = [_item(key, "", row.serial, READ, "read", detail, due=now, deadline=now + READ_WITHIN) for row in found]
        await self._add(transaction, key, READ, message, items, errors)
        return self._accept(message)

    async def create_controls(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Accept orders to switch: all of a message or none. A known mRID is not done twice."""
        controls = payload_of(message, field.EndDeviceControls).controls
        known = {
            row.control_mrid: row
            for row in await command_store.items_of_controls(transaction, [each.mrid or "" for each in controls])
        }
        key = uuid.uuid5(_COMMANDS, f"control {message.header.message_id}")
        items: list[dict[str, object]] = []
        errors: list[field.FieldError] = []
        for index, control in enumerate(controls):
            mrid = control.mrid or f"{message.header.message_id}/{index}"
            new, refused = await self._items_of(transaction, key, mrid, control)
            errors += refused
            if (row := known.get(mrid)) is None:
                items += new
            elif row.digest != _digest(control):
                reason = f"Control {mrid} is known with other content."
                errors.append(field.FieldError.of("5.1", reason, name=mrid, kind="EndDeviceControl"))
        if errors or not controls:
            return self._refuse(message, errors or [_nobody()])
        if items:
            await self._add(transaction, key, CONTROL, message, items, [])
        return self._accept(message)

    async def cancel_controls(self, transaction: AsyncConnection, message: field.Envelope) -> field.Envelope:
        """Take back orders that were not sent to their devices yet; what was sent cannot be taken back (5.1)."""
        mrids = [each.mrid or "" for each in payload_of(message, field.EndDeviceControls).controls]
        rows = await command_store.items_of_controls(transaction, mrids)
        now = self._clock.now()
        errors = [_not_held(mrid) for mrid in mrids if mrid not in {row.control_mrid for row in rows}]
        errors += [
            _too_late(row)
            for row in rows
            if row.state != CANCELLED and (row.state != WAITING or row.sent_at is not None)
        ]
        if errors:
            return self._refuse(message, errors)
        for row in rows:
            item = command_store.item_of(row)
            await command_store.change_item(transaction, item, state=CANCELLED, finished_at=now, next_due_at=None)
            left = await command_store.items_of_command(transaction, row.command_id)
            if all(each.state == CANCELLED for each in left):
                await command_store.close_command(transaction, row.command_id, result=CANCELLED, at=now)
        return field.reply_to(message.header, source=self._source, at=now, ids=tuple(mrids))

    async def _items_of(
        self, transaction: AsyncConnection, key: uuid.UUID, mrid: str, control: field.EndDeviceControl
    ) -> tuple[list[dict[str, object]], list[field.FieldError]]:
        try:
            kind, action, parameters = wanted_of(control)
        except OpenAmiError as error:
            return [], [field.FieldError.of("2.20", str(error), name=mrid, kind="EndDeviceControl")]
        found, errors = await self._meters(transaction, [each.identity for each in control.devices])
        if kind == CONTROL:
            errors += [_no_breaker(row.serial) for row in found if row.kind != Kind.ELECTRICITY]
        now = self._clock.now()
        interval = (control.timing.interval if control.timing else None) or field.Period()
        start = max(interval.start or now, now)
        deadline = interval.end or start + (SWITCH_WITHIN if kind == CONTROL else FUNCTION_WITHIN)
        if deadline <= now:
            reason = f"The time to {action} ended at {deadline:%Y-%m-%d %H:%M}Z."
            errors.append(field.FieldError.of("4.1", reason, name=mrid, kind="EndDeviceControl"))
        detail: dict[str, object] = {
            "issuer_id": control.issuer_id,
            "issuer_tracking_id": control.issuer_tracking_id,
            "reason": control.reason,
            "parameters": parameters,
        }
        digest = _digest(control)
        items = [
            _item(key, mrid, row.serial, kind, action, detail, due=start, deadline=deadline, digest=digest)
            for row in found
        ]
        if parameters.get("until") is not None and action == "open_relay":
            end = datetime.fromisoformat(parameters.pop("until"))
            close = detail | {"parameters": {}}
            items += [
                _item(
                    key,
                    f"{mrid}/end",
                    row.serial,
                    kind,
                    "close_relay",
                    close,
                    due=end,
                    deadline=end + FUNCTION_WITHIN,
                    digest=digest,
                )
                for row in found
            ]
        return items, errors or ([] if found else [_nobody()])

    async def _meters(
        self, transaction: AsyncConnection, identities: Sequence[field.Identity]
    ) -> tuple[list[Row[Any]], list[field.FieldError]]:
        found: dict[str, Row[Any]] = {}
        errors = []
        for identity in identities:
            names = [each.name for each in identity.names]
            row = await store.meter_row_of(transaction, mrid=identity.mrid, names=names)
            if row is None:
                label = identity.label()
                errors.append(field.FieldError.of(UNKNOWN_METER, f"No meter {label} here.", name=label, kind="Meter"))
            else:
                found[row.serial] = row
        return list(found.values()), errors

    async def _add(
        self,
        transaction: AsyncConnection,
        key: uuid.UUID,
        kind: str,
        message: field.Envelope,
        items: Sequence[dict[str, object]],
        errors: Sequence[field.FieldError],
    ) -> None:
        header = message.header
        refused = [{"code": each.code, "reason": each.reason, "name": each.object_name} for each in errors]
        command = {
            "id": key,
            "kind": kind,
            "correlation_id": header.correlation_id,
            "message_id": header.message_id,
            "received_at": self._clock.now(),
            "state": OPEN,
            "request": {"noun": header.noun, "verb": header.verb.value, "source": header.source, "refused": refused},
        }
        await command_store.add(transaction, command, items)
        after_commit(transaction, self._wake)

    def _accept(self, message: field.Envelope) -> field.Envelope:
        return field.acknowledge(message.header, source=self._source, at=self._clock.now())

    def _refuse(self, message: field.Envelope, errors: Sequence[field.FieldError]) -> field.Envelope:
        return field.reply_to(
            message.header, source=self._source, at=self._clock.now(), result=field.Result.FAILED, errors=errors
        )


def wanted_of(control: field.EndDeviceControl) -> tuple[str, str, dict[str, Any]]:
    """What a control orders: its kind, the action, and the parameters.

    Raises:
        OpenAmiError: it is nothing that is carried out here.
    """
    name = control.name or ""
    if name in SWITCHES:
        return CONTROL, SWITCHES[name].value, {}
    if control.display is not None:
        return FUNCTION, "display_text", {"text": control.display.text}
    if control.demand_response is not None:
        return FUNCTION, *_load_control(control.demand_response)
    if name in NAMED:
        action, parameters = NAMED[name]
        return FUNCTION, action, dict(parameters)
    if control.action is None or not control.action.command:
        raise BadParametersError(f"Control type {control.code} is not carried out here.", hint="Name a function.")
    command = control.action.command.strip()
    if name == "set_load_limit":
        command = f"set_limiter {command}" if command.startswith("{") else command
    action, _, text = command.partition(" ")
    try:
        parameters = json.loads(text or "{}")
    except ValueError as error:
        raise BadParametersError(f"The parameters of {action} are no JSON: {error}.", hint="Send an object.") from error
    if not isinstance(parameters, dict):
        raise BadParametersError(f"The parameters of {action} are no object.", hint="Send {...}.")
    function_of(action).check(parameters)
    return FUNCTION, action, parameters


def _load_control(wanted: field.PanDemandResponse) -> tuple[str, dict[str, Any]]:
    """Load is switched off, and on again when its time is over; a cancel switches it on at once."""
    if wanted.cancel_now:
        return "close_relay", {}
    if wanted.duration_min is None:
        return "open_relay", {}
    return "open_relay", {"until": (wanted.start + timedelta(minutes=wanted.duration_min)).isoformat()}


def _item(
    key: uuid.UUID,
    mrid: str,
    serial: str,
    kind: str,
    action: str,
    detail: dict[str, object],
    *,
    due: datetime,
    deadline: datetime,
    digest: str = "",
) -> dict[str, object]:
    return {
        "command_id": key,
        "control_mrid": mrid,
        "serial": serial,
        "kind": kind,
        "action": action,
        "detail": detail,
        "digest": digest,
        "state": WAITING,
        "next_due_at": due,
        "deadline_at": deadline,
    }


def _digest(control: field.EndDeviceControl) -> str:
    """What tells a repeat from another order under the same mRID: what to do, to whom, when."""
    interval = control.timing.interval if control.timing else None
    facts = [
        str(control.code),
        str(control.action or control.display or control.demand_response or ""),
        sorted(each.identity.label() for each in control.devices),
        [str(interval.start), str(interval.end)] if interval else [],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _nobody() -> field.FieldError:
    return field.FieldError.of("1.3", "The message names no device.")


def _no_breaker(serial: str) -> field.FieldError:
    return field.FieldError.of("2.20", f"{serial} has no breaker that can be reached.", name=serial, kind="Meter")


def _not_held(mrid: str) -> field.FieldError:
    return field.FieldError.of("5.1", f"No control {mrid} is known.", name=mrid, kind="EndDeviceControl")


def _too_late(row: Row[Any]) -> field.FieldError:
    state = "was sent to the device" if row.state == WAITING else f"is {row.state}"
    reason = f"Control {row.control_mrid} {state} and cannot be taken back."
    return field.FieldError.of("5.1", reason, name=row.control_mrid, kind="EndDeviceControl")
