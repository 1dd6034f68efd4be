"""The results of orders, in the words of the seam: each is noted, told and answered in one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.ami.collector import store as telegrams
from openami.ami.dlms.errors import AccessDeniedError, DlmsError
from openami.ami.headend import campaigns, command_store, reports, store
from openami.ami.headend.command_store import CONTROL, DONE, FAILED, FUNCTION, OPEN, READ, WAITING
from openami.ami.headend.functions.catalogue import function_of
from openami.ami.headend.links import LinkDownError
from openami.ami.headend.model import Kind, Switch
from openami.ami.headend.sessions import WrongMeterError
from openami.ami.headend.vocabulary import MACRO_DAILY
from openami.ami.headend.wires import SessionError
from openami.shared.contract import field
from openami.shared.contract.field.tables import reading_type_table
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.command_store import Item
    from openami.ami.headend.deliveries import Sender
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found
    from openami.ami.headend.model import LoadProfile, Meter, RegisterValue, SwitchResult
    from openami.shared.clock import Clock
    from openami.shared.database import Database


log = structlog.get_logger()


class NotProvenError(OpenAmiError):
    """The device said yes, but its breaker does not stand where it should."""


class ExpiredError(OpenAmiError):
    """The time of an order ran out before it could be carried out."""


SWITCH_POSITION: Final = field.ReadingTypeCode.parse(reading_type_table()["switch.position"].code)
OUTCOME_MAX: Final = 20_000
"""Characters of an outcome in an event; all of it stands at the head-end."""
_FAILED: Final = {"update_firmware": "firmware.failed"}
LAST_DAY: Final = timedelta(hours=36)  # holds the last local midnight whatever the zone does
"""Without a period, daily values of this span are meant."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What an on-demand reading brought, and which reading types the meter does not have."""

    profile: LoadProfile | None
    registers: tuple[RegisterValue, ...]
    breaker: field.Reading | None
    refused: tuple[str, ...]
    read_at: datetime


async def read_wanted(dialogue: Dialogue, detail: Mapping[str, Any], now: datetime) -> ReadResult:
    """Read what was asked for; with no types named, the register, and of a period the profile and daily values."""
    await dialogue.check_identity()
    codes = [field.ReadingTypeCode.parse(text) for text in detail["types"]]
    start = datetime.fromisoformat(detail["start"]) if detail["start"] else None
    end = datetime.fromisoformat(detail["end"]) if detail["end"] else None
    everything = not codes
    intervals = [code for code in codes if code.interval_s]
    daily = [code for code in codes if code.macro_period == MACRO_DAILY]
    profile = None
    refused: list[str] = []
    registers: list[RegisterValue] = []
    if start is not None and (intervals or everything):
        profile = await dialogue.intervals(start, min(end or now, now))
        refused += [str(code) for code in intervals if code.interval_s != profile.interval_s]
    if daily or (everything and start is not None):
        registers += await dialogue.daily(start or now - LAST_DAY, end or now)
    breaker = None
    for code in [code for code in codes if not code.interval_s and code.macro_period != MACRO_DAILY]:
        if code == SWITCH_POSITION:
            breaker = await _position(dialogue, now)
        elif (obis := _register_obis(code)) is None:
            refused.append(str(code))
        else:
            try:
                registers.append(await dialogue.register(f"{obis}.255"))
            except AccessDeniedError:
                refused.append(str(code))
    if everything:
        registers.append(await dialogue.register("1-0:1.8.0.255"))
    return ReadResult(profile, tuple(registers), breaker, tuple(refused), now)


def _register_obis(code: field.ReadingTypeCode) -> str | None:
    """The register that a reading type is read from, by the contract's table."""
    text = str(code)
    found = next((row.obis for row in reading_type_table().values() if row.code == text and row.obis), None)
    return found if found and code.is_dial and found.startswith("1-") else None


async def _position(dialogue: Dialogue, now: datetime) -> field.Reading:
    state = await dialogue.breaker()
    return field.Reading(reading_type=SWITCH_POSITION, at=now, value=Decimal(int(state.output)))


class Answers:
    """Writes the results of orders; a command is answered when its last item is through."""

    def __init__(self, database: Database, clock: Clock, sender: Sender) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender

    async def read_done(self, transaction: AsyncConnection, item: Item, meter: Meter, result: ReadResult) -> None:
        """Keep what was read until the command is answered."""
        source = self._sender.source
        blocks: tuple[field.IntervalBlock, ...] = ()
        if result.profile is not None and len(result.profile.rows) + len(result.profile.missing_ends_s):
            blocks = reports.interval_blocks(result.profile, result.read_at, source=source)
        readings = [reports.register_reading(each, result.read_at, source=source) for each in result.registers]
        readings += [result.breaker] if result.breaker else []
        refused = [
            {"code": "2.9", "reason": f"{code} is not read here.", "name": item.serial} for code in result.refused
        ]
        reading = field.MeterReading(
            meter=reports.identity(meter.serial, meter.mrid),
            usage_point=reports.point(meter.usage_point),
            blocks=blocks,
            readings=tuple(readings),
        )
        await self._read_closed(transaction, item, reading if blocks or readings else None, refused)

    async def from_telegrams(self, item: Item) -> None:
        """Answer for a one-way meter with the newest reading that it sent up to the end of the period."""
        end = item.detail["end"]
        source = self._sender.source
        async with self._database.begin() as transaction:
            row = await store.meter_row(transaction, item.serial)
            assert row is not None
            limit = datetime.fromisoformat(end) if end else self._clock.now()
            telegram = await telegrams.last_reading(transaction, item.serial, at_or_before=limit)
            reading = None
            if telegram is not None:
                value = reports.dial_reading(Kind(row.kind), telegram, source=source)
                reading = field.MeterReading(
                    meter=reports.identity(row.serial, row.mrid),
                    usage_point=reports.point(row.usage_point),
                    readings=(value,) if value is not None else (),
                )
            await self._read_closed(transaction, item, reading, [])

    async def _read_closed(
        self,
        transaction: AsyncConnection,
        item: Item,
        reading: field.MeterReading | None,
        refused: list[dict[str, str]],
    ) -> None:
        now = self._clock.now()
        if reading is None and not refused:
            refused = [{"code": "7.3", "reason": "There are no data for the period.", "name": item.serial}]
        outcome: dict[str, object] = {"refused": refused}
        if reading is not None:
            kept = field.event(field.Verb.CREATED, field.MeterReadings((reading,)), source=self._sender.source, at=now)
            outcome["message"] = field.encode(kept).decode()
        if await self._close(transaction, item, DONE, outcome=outcome):
            await self._answer_if_through(transaction, item.command_id)

    async def switched(self, transaction: AsyncConnection, item: Item, meter: Meter, result: SwitchResult) -> None:
        """The breaker stands where it should: the proof, a reading at the moment, and the answer."""
        now = self._clock.now()
        state = {"before": result.before.state.value, "after": result.after.state.value, "output": result.after.output}
        if not await self._close(transaction, item, DONE, outcome=state):
            return
        await store.change_meter(transaction, item.serial, breaker=result.after.state.value)
        name = "switch.disconnected" if result.wanted is Switch.DISCONNECT else "switch.connected"
        facts = [("before", result.before.state.value), ("after", result.after.state.value)]
        event = self._event("switch.armed" if result.armed else name, item, meter, facts=facts)
        cause = _header(await command_store.lock_command(transaction, item.command_id))
        await self._sender.event(
            transaction, field.EndDeviceEvents((event,)), now, cause=cause, business_key=item.serial
        )
        if result.register is not None:
            value = reports.register_reading(result.register, now, source=self._sender.source)
            reading = field.MeterReading(
                meter=reports.identity(meter.serial, meter.mrid),
                usage_point=reports.point(meter.usage_point),
                readings=(value,),
            )
            payload = field.MeterReadings((reading,))
            await self._sender.event(transaction, payload, now, cause=cause, business_key=item.serial)
        await self._answer_if_through(transaction, item.command_id)

    async def function_done(self, transaction: AsyncConnection, item: Item, row: Row[Any], found: Found) -> None:
        """A function was carried out: what it found is kept, told as an event, and answered."""
        if not await self._close(transaction, item, DONE, outcome=found):
            return
        command = await command_store.lock_command(transaction, item.command_id)
        if not command.request.get("local"):
            facts = [("function", item.action), ("outcome", json.dumps(found)[:OUTCOME_MAX])]
            event = self._event(function_of(item.action).event, item, row, facts=facts)
            payload = field.EndDeviceEvents((event,))
            now = self._clock.now()
            await self._sender.event(transaction, payload, now, cause=_header(command), business_key=item.serial)
        await self._answer_if_through(transaction, item.command_id)

    async def failed(
        self, transaction: AsyncConnection, item: Item, meter: Meter | Row[Any], error: OpenAmiError
    ) -> None:
        """An item cannot be carried out, or not any more: say so once."""
        code = error_code(error)
        if not await self._close(transaction, item, FAILED, error_code=code, error=str(error)):
            return
        command = await command_store.lock_command(transaction, item.command_id)
        if item.kind != READ and not command.request.get("local"):
            name = "switch.failed" if item.kind == CONTROL else _FAILED.get(item.action, "order.failed")
            facts = [("function", item.action)] if item.kind == FUNCTION else []
            event = self._event(name, item, meter, reason=str(error), facts=facts)
            cause = _header(command)
            await self._sender.event(
                transaction,
                field.EndDeviceEvents((event,)),
                self._clock.now(),
                cause=cause,
                business_key=item.serial,
            )
        await self._stop_campaign(transaction, command)
        await self._answer_if_through(transaction, item.command_id)

    async def _stop_campaign(self, transaction: AsyncConnection, command: Row[Any]) -> None:
        """Spare the meters that were not told yet, if too many have failed."""
        limit = command.request.get("failures_percent_max", 100)
        progress = await command_store.progress(transaction, command.id)
        if not campaigns.must_stop(progress, limit):
            return
        reason = f"The campaign stopped: {progress[FAILED]} meters failed, {progress.get(DONE, 0)} succeeded."
        spared = await command_store.withdraw(transaction, command.id, reason=reason, at=self._clock.now())
        log.warning("campaign.stopped", command=str(command.id), spared=spared, reason=reason)

    def _event(
        self,
        name: str,
        item: Item,
        meter: Meter | Row[Any],
        *,
        reason: str | None = None,
        facts: Sequence[tuple[str, str]] = (),
    ) -> field.EndDeviceEvent:
        return reports.own_event(
            name,
            serial=meter.serial,
            mrid=meter.mrid,
            usage_point=meter.usage_point,
            at=self._clock.now(),
            control_mrid=item.control_mrid,
            tracking=(item.detail.get("issuer_id"), item.detail.get("issuer_tracking_id")),
            reason=reason,
            facts=facts,
        )

    async def _close(self, transaction: AsyncConnection, item: Item, state: str, **values: object) -> bool:
        now = self._clock.now()
        return await command_store.change_item(
            transaction, item, state=state, finished_at=now, next_due_at=None, attempts=item.attempts + 1, **values
        )

    async def _answer_if_through(self, transaction: AsyncConnection, command_id: UUID) -> None:
        """Send the real answer of a command when no item waits any more."""
        command = await command_store.lock_command(transaction, command_id)
        items = await command_store.items_of_command(transaction, command_id)
        if command.state != OPEN or any(item.state == WAITING for item in items):
            return
        now = self._clock.now()
        errors = [_error(each) for each in command.request["refused"]]
        errors += [
            field.FieldError.of(item.error_code, item.error, name=item.serial, kind="Meter")
            for item in items
            if item.state == FAILED
        ]
        outcomes = [item.outcome or {} for item in items]
        errors += [_error(each) for outcome in outcomes for each in outcome.get("refused", ())]
        done = any(item.state == DONE for item in items)
        if command.request.get("local"):
            result = field.Result.OK if not errors else field.Result.PARTIAL if done else field.Result.FAILED
            await command_store.close_command(transaction, command_id, result=result.value, at=now)
            return
        worst = any(error.level is not field.Level.INFORM for error in errors)
        result = field.Result.OK if not worst else field.Result.PARTIAL if done else field.Result.FAILED
        payload = _merged(outcomes) if command.kind == READ else None
        message = field.reply_to(
            _header(command), source=self._sender.source, at=now, result=result, errors=errors, payload=payload
        )
        await self._sender.reply(transaction, message, business_key=items[0].serial if len(items) == 1 else "")
        await command_store.close_command(transaction, command_id, result=result.value, at=now)


def error_code(error: OpenAmiError) -> str:
    """The Reply/Error code of a failure (61968-9 sheet, 2.3)."""
    if isinstance(error, NotProvenError | DlmsError | WrongMeterError):
        return "7.2"
    return "7.1" if isinstance(error, SessionError | LinkDownError | ExpiredError) else "9.9"


def _error(kept: Mapping[str, Any]) -> field.FieldError:
    return field.FieldError.of(kept["code"], kept["reason"], name=kept["name"], kind="Meter")


def _header(command: Row[Any]) -> field.Header:
    """The header of the request that a command came with, as far as an answer needs it."""
    return field.Header(
        verb=field.Verb(command.request["verb"]),
        noun=command.request["noun"],
        timestamp=command.received_at,
        source=command.request["source"],
        message_id=command.message_id,
        correlation_id=command.correlation_id,
    )


def _merged(outcomes: Sequence[Mapping[str, Any]]) -> field.MeterReadings | None:
    """The readings that the items kept, in one payload."""
    found: list[field.MeterReading] = []
    for outcome in outcomes:
        if "message" in outcome:
            payload = field.decode(outcome["message"].encode()).payload
            assert isinstance(payload, field.MeterReadings)
            found += payload.readings
    return field.MeterReadings(tuple(found)) if found else None
