"""The middle, wired: desks, flow, commands and duties around one database, one clock and two doors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any, Final

from openami.mdus.ams import Ams, reading_types
from openami.mdus.channel_links import Judging
from openami.mdus.commands.handlers import Commands
from openami.mdus.commands.model import Command, Limits, State
from openami.mdus.duties import Duty
from openami.mdus.estimation import Estimation
from openami.mdus.events.rules import enterprise_table
from openami.mdus.field_side import FieldSide, transformers_of
from openami.mdus.flow import Flow
from openami.mdus.intake.drop import DropFolder
from openami.mdus.intake.handlers import Files
from openami.mdus.provisioning import Provisioner
from openami.mdus.registry.channel_store import channels_of_devices
from openami.mdus.sealing import Sealing
from openami.mdus.series import Series
from openami.mdus.services import door as enterprise
from openami.mdus.services.answers import Answers
from openami.mdus.services.calculation import Calculations
from openami.mdus.services.codes import EnterpriseCodes
from openami.mdus.services.connection import ConnectionPolicy, Connections
from openami.mdus.services.desk import Desk
from openami.mdus.services.gather import Gather
from openami.mdus.services.intake import Intake
from openami.mdus.services.master_data import MasterData
from openami.mdus.services.notices import Notices
from openami.mdus.services.order_model import OrderPolicy
from openami.mdus.services.orders import Orders
from openami.mdus.services.queries import Queries
from openami.mdus.services.remote import RemoteSeries
from openami.mdus.services.upkeep import Upkeep
from openami.mdus.services.upload import Uploads
from openami.mdus.tables import audit
from openami.mdus.unify.raw_objects import raw_store, spool_of
from openami.mdus.vee.editing import Editing
from openami.mdus.vee.handlers import Vee
from openami.mdus.vee.supply import supply_came_back, supply_went_off
from openami.shared.audit import AuditRecord, append
from openami.shared.capabilities import Capabilities
from openami.shared.database import after_commit
from openami.shared.seam.enterprise import Together
from openami.shared.spans import Span, local_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.events.model import EnterpriseCodes as EventCodes
    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device
    from openami.mdus.series.lake import Lake
    from openami.mdus.services.order_model import ReadingOrder
    from openami.shared.clock import Clock
    from openami.shared.contract import field as contract
    from openami.shared.database import Database
    from openami.shared.seam import Envelope
    from openami.shared.seam.enterprise import EnterpriseDoor
    from openami.shared.seam.field import FieldDoor


DAILY: Final = 11
"""Macro period of values at local midnight (IEC 61968-9)."""


@dataclass(frozen=True, slots=True)
class MdusSettings:
    """The choices of one installation."""

    zone: str = "Europe/Amsterdam"
    systems: Mapping[str, str] = field(default_factory=lambda: {"AMS1": "AMS1"})
    """AMS of the back office -> partner on the field seam."""
    read_offset_s: int = 1_200
    """When meters are read every day, after their local midnight."""
    reply_address: str = "/cim/reply"
    limits: Limits = field(default_factory=Limits)
    connection: ConnectionPolicy = field(default_factory=ConnectionPolicy)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    codes: EnterpriseCodes = field(default_factory=EnterpriseCodes)
    capabilities: Capabilities = field(default_factory=Capabilities)
    calculation_patience: timedelta = timedelta(days=5)
    """How long an order for quantities waits, after the end of its period, for values that have not come."""
    estimate_at: time = time(6)
    estimate_after: timedelta = timedelta(hours=30)
    seal_every: timedelta = timedelta(days=7)
    keep_hot: timedelta = timedelta(days=45)
    """How long the days of series stay in PostgreSQL before they move into the lake."""
    keep: timedelta | None = None
    """How long values are kept at all; None: for ever."""
    keep_deliveries: timedelta | None = None
    """How long the bytes of raw deliveries are kept; None: for ever."""
    upload_every: timedelta = timedelta(hours=4)
    """Intervals leave together: after an upload the next one waits for so long; nothing is lost meanwhile."""
    items_a_message: int = 5_000
    uploads_by_point: bool = False
    """Interval uploads name point of delivery and OBIS code instead of a profile number, and are not confirmed."""
    events_one_by_one: bool = False
    judging: Judging = field(default_factory=Judging)
    second_person: bool = False
    """Whether an edit of values needs somebody else's approval."""
    drop_folder: Path | None = None
    """A folder whose files are taken in as they come."""
    drop_registers: bool = False
    """Whether meters of dropped files that nobody knows are registered."""
    event_table: Mapping[str, EventCodes] = field(default_factory=enterprise_table)
    """Codes of every event in the back office, and whether it is forwarded."""


class Middle:
    """All parts of one MDUS. Handlers wake the duties when their transaction has committed."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        settings: MdusSettings,
        enterprise_door: EnterpriseDoor,
        field_door: FieldDoor,
        folder: Path | str,
        lake: Lake | None = None,
    ) -> None:
        """Take the stores, the clock, the choices, the doors, the folder of raw deliveries, the lake of sealed days."""
        self.database, self.clock, self.settings = database, clock, settings
        self._enterprise_door, self._field_door = enterprise_door, field_door
        self.lake, self.series = lake, Series(lake)
        self.vee = Vee(self.series, rule_set_folder=settings.judging.folder)
        self.editing = Editing(self.series, self.vee, second_person=settings.second_person)
        self.ams = Ams(field_door, clock, settings.systems, reply_address=settings.reply_address)
        self.provisioner = Provisioner(self.ams, clock, offset_s=settings.read_offset_s)
        self._open_desks(lake)
        self._open_field_side(folder)
        self.sealing = Sealing(
            clock,
            database,
            lake,
            self.raw,
            settings.zone,
            settings.seal_every,
            settings.keep_hot,
            settings.keep,
            settings.keep_deliveries,
        )
        self.duties = self._duties()
        self._connect()

    def _open_desks(self, lake: Lake | None) -> None:
        """What the back office deals with."""
        clock, settings = self.clock, self.settings
        self.desk = Desk(self._enterprise_door.send_many, clock)
        self.notices = Notices(self.desk, clock, settings.event_table, one_by_one=settings.events_one_by_one)
        self.desk.tell = self.notices.refused
        self._enterprise_door.unanswerable = self.desk.refused
        self.uploads = Uploads(
            self.desk,
            clock,
            settings.codes,
            self.series,
            lake,
            every=settings.upload_every,
            items_a_message=settings.items_a_message,
            by_point=settings.uploads_by_point,
        )
        self.master_data = MasterData(
            desk=self.desk,
            clock=clock,
            codes=settings.codes,
            zone=settings.zone,
            series=self.series,
            provisioner=self.provisioner,
            assigned=self.uploads.assigned,
            judging=settings.judging,
            capabilities=settings.capabilities,
        )
        self.commands = Commands(self.ams, clock, settings.limits)
        self.connections = Connections(
            self.desk,
            clock,
            self.commands,
            transformers_of,
            Gather(self.desk),
            settings.connection,
            settings.capabilities,
        )
        self.commands.finish = self._finished
        self.orders = Orders(
            desk=self.desk,
            clock=clock,
            codes=settings.codes,
            series=self.series,
            source=self,
            failed=self.notices.reading_failed,
            policy=settings.orders,
            capabilities=settings.capabilities,
            rules_folder=settings.judging.folder,
        )
        remote = RemoteSeries(self.series, settings.codes)
        self.upkeep = Upkeep(clock, settings.codes, self.master_data, settings.capabilities, self.ams)
        self.calculations = Calculations(
            self.desk, clock, settings.codes, settings.zone, remote, settings.calculation_patience
        )
        self.intake = Intake(clock, settings.codes, self.vee)
        self.queries = Queries(clock, settings.codes, settings.zone, remote, settings.capabilities)

    def _open_field_side(self, folder: Path | str) -> None:
        """What the AMS deals with, and the morning's estimation."""
        clock, settings = self.clock, self.settings
        self.raw = raw_store(folder)
        self.spool = spool_of(folder)
        self.flow = Flow(
            clock, self.series, self.vee, self.raw, self.orders.touched, self.master_data.reported, settings.judging
        )
        self.field_side = FieldSide(
            clock=clock,
            flow=self.flow,
            master_data=self.master_data,
            provisioner=self.provisioner,
            commands=self.commands,
            notices=self.notices,
        )
        self.files = Files(clock, self.raw, self.field_side, self.master_data)
        self.estimation = Estimation(
            clock, self.vee, settings.zone, at=settings.estimate_at, patience=settings.estimate_after
        )

    async def start(self) -> None:
        """What has to be there before the first message."""
        async with self.database.begin() as tx:
            await self.estimation.start(tx)
            await self.sealing.start(tx)

    def drop_folder(self) -> DropFolder | None:
        """The folder whose files are taken in as they come, if there is to be one."""
        folder = self.settings.drop_folder
        if folder is None:
            return None
        registers = self.settings.drop_registers
        return DropFolder(folder, self.spool, self.database, self.files, registers, self.wake_all)

    def wake_all(self) -> None:
        """Let every duty look: something was committed."""
        for duty in self.duties:
            duty.wake.set()

    async def release(self, tx: AsyncConnection, command: UUID, person: str) -> Command:
        """A second person lets a held command go; the audit chain keeps who it was.

        Raises:
            NotHeldError: there is no such command, or nobody holds it.
            SamePersonError: it is the one who ordered it.
        """
        held = await self.commands.release(tx, command, person)
        record = AuditRecord(
            at=self.clock.now(),
            actor=held.released_by,
            action="release command",
            subject=f"{held.kind} of device {held.device}",
            reason=f"request {held.request} of {held.ordered_by}",
            before={"state": State.HELD.value},
            after={"state": held.state.value},
        )
        await append(tx, audit, record)
        self._wake_after(tx)
        return held

    async def replay(self, tx: AsyncConnection, digest: str) -> tuple[contract.Refusal, ...]:
        """Take a kept delivery once more; returns what is still refused."""
        left = await self.field_side.replay(tx, digest)
        self._wake_after(tx)
        return left

    async def read_register(self, tx: AsyncConnection, order: ReadingOrder, device: Device, channel: Channel) -> None:
        """Ask the AMS for the register of a reading order: now, or for the days around its scheduled one."""
        types = reading_types(channel)
        day = local_day(order.zone, order.scheduled_on)
        now = self.clock.now()
        macro = 0 if order.on_demand else DAILY
        wanted = [code for code in types if code.macro_period == macro] or list(types)
        span = None if order.on_demand else Span(day.start, max(day.end, min(now, day.end + timedelta(days=3))))
        source = "device" if order.on_demand else "auto"
        await self.ams.read(tx, device, wanted, key=f"order:{order.document}", span=span, source=source)

    def _connect(self) -> None:
        desks = enterprise.Desks(
            desk=self.desk,
            master_data=self.master_data,
            upkeep=self.upkeep,
            orders=self.orders,
            connections=self.connections,
            calculations=self.calculations,
            intake=self.intake,
            queries=self.queries,
            answers=Answers(self.orders, self.uploads, self.notices),
        )
        for kind, handler in enterprise.handlers(desks).items():
            self._enterprise_door.handlers[kind] = self._waking(handler)
        self._enterprise_door.queries.update(enterprise.queries(desks))
        for key, handle in self.field_side.handlers().items():
            self._field_door.handlers[key] = self._waking(handle)
        self._field_door.on_answer = self._answered

    def _waking(self, handler: Callable[[AsyncConnection, Any], Awaitable[Any]]) -> Callable[..., Any]:
        if isinstance(handler, Together):
            return Together(self._waking(handler.many))

        async def handle(tx: AsyncConnection, message: Any) -> Any:  # noqa: ANN401 - any handler
            result = await handler(tx, message)
            self._wake_after(tx)
            return result

        return handle

    def _wake_after(self, tx: AsyncConnection) -> None:
        for duty in self.duties:
            after_commit(tx, duty.wake)

    async def _answered(self, tx: AsyncConnection, sent: Envelope, answer: contract.Envelope) -> None:
        await self.field_side.answered(tx, sent, answer)
        self._wake_after(tx)

    async def _finished(self, tx: AsyncConnection, number: str, commands: list[Command]) -> None:
        """Confirm a connection request, and tell VEE since when there is (no) supply."""
        await self.connections.finished(tx, number, commands)
        for command in commands:
            if command.state is not State.PROVEN or command.event_at is None:
                continue
            channels = await channels_of_devices(tx, [command.device])
            ids = [one.id for one in channels if one.interval_s]
            if command.kind.closes:
                await supply_came_back(tx, ids, command.event_at)
            else:
                await supply_went_off(tx, ids, command.event_at, f"disconnected by order {command.request}")

    def _duties(self) -> list[Duty]:
        async def retry_provisioning(tx: AsyncConnection) -> int:
            keys = await self.provisioner.due_devices(tx)
            await self.master_data.provision_next(tx, keys, again=True)
            return len(keys)

        def duty(name: str, due: Any, act: Any) -> Duty:  # noqa: ANN401 - typed by Duty
            return Duty(name, self.database, self.clock, due, act, after=self.wake_all)

        return [
            duty("uploads", self.uploads.due, self.uploads.act),
            duty("reading orders", self.orders.next_due, self.orders.act),
            duty("calculations", self.calculations.next_due, self.calculations.act),
            duty("commands", self.commands.next_due, self.commands.act),
            duty("estimation", self.estimation.due, self.estimation.act),
            duty("provisioning", self.provisioner.due, retry_provisioning),
            duty("files", self.files.due, self.files.act),
            duty("sealing", self.sealing.due, self.sealing.act),
        ]
