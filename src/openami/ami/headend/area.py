"""The head-end as an area: its parts wired, its doors, its loops, its truthful word on what is in hand."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.ami.collector.forwarding import Forwarding
from openami.ami.collector.intake import Intake
from openami.ami.collector.listener import Listener
from openami.ami.collector.sources import source_of
from openami.ami.headend import shipment, stages, store, views
from openami.ami.headend.answers import Answers
from openami.ami.headend.callers import Callers
from openami.ami.headend.command_handlers import Orders
from openami.ami.headend.commands import Commands
from openami.ami.headend.counter import OrderDoor
from openami.ami.headend.deliveries import Deliveries, Sender
from openami.ami.headend.dialogues import Manners
from openami.ami.headend.functions.keys import KeyChange
from openami.ami.headend.handlers import Provisioning
from openami.ami.headend.lease import Lease
from openami.ami.headend.links import Links
from openami.ami.headend.model import Kind
from openami.ami.headend.protections import Protections
from openami.ami.headend.pushes import PushIntake
from openami.ami.headend.reader import MeterReader
from openami.ami.headend.schedule import Schedule
from openami.ami.headend.sessions import Sessions, Timing
from openami.ami.headend.turns import Turns
from openami.ami.headend.wires import Wires
from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError
from openami.shared.service import Area, Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from openami.ami.headend.shipment import Seals
    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.field import FieldDoor

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class HeadEndSettings:
    """How one head-end runs; the defaults fit a Dutch street.

    `source` is the name of this AMS at the seam, `partner` the name of the MDUS in the outbox.
    """

    source: str = "AMS1"
    partner: str = "mdus"
    zone_name: str = "Europe/Amsterdam"
    read_offset_s: int = 20 * 60
    permits_per_segment: int = 4
    connect_s: float = 5.0
    answer_s: float = 5.0
    repeats: int = 1
    system_title: bytes = b"OAM\x00\x00\x00\x00\x01"
    clock_tolerance_s: float = 10.0
    breaker_polls: int = 20
    breaker_poll_s: float = 0.25
    instance: str = field(default_factory=socket.gethostname)
    """Who this is among the head-ends of one database: a restarted one goes on at once, another waits for its lease."""
    collector_host: str = "127.0.0.1"
    collector_port: int = 4061
    callers_port: int = 0
    """Where meters dial in and bring pushes over TCP; 0: the system chooses."""
    collect: tuple[str, ...] = ()
    collect_keys: Mapping[str, str] = field(default_factory=dict, repr=False)


class UnknownMeterError(OpenAmiError):
    """No shipment brought a meter of this serial."""


class HeadEnd:
    """The parts of a head-end, for its area and for tests."""

    def __init__(
        self, *, database: Database, clock: Clock, settings: HeadEndSettings, door: FieldDoor, sealer: Seals
    ) -> None:
        self.database, self.clock, self.settings, self.sealer = database, clock, settings, sealer
        sender = Sender(door, settings.partner, settings.source)
        zone_name, offset_s = settings.zone_name, settings.read_offset_s
        manners = Manners(zone_name, settings.clock_tolerance_s, settings.breaker_polls, settings.breaker_poll_s)
        timing = Timing(settings.connect_s, settings.answer_s, settings.repeats)
        self.protections = Protections(database, sealer, title=settings.system_title)
        self.wires = Wires()
        self.lease = Lease(database, holder=settings.instance)
        turns = Turns()
        self.links = Links(clock, permits_per_segment=settings.permits_per_segment, turns=turns)
        sessions = Sessions(self.wires, self.protections, sealer, timing, turns)
        self.reader = MeterReader(self.links, clock, sessions, manners=manners)
        self.deliveries = Deliveries(database, clock, sender, zone_name=zone_name)
        self.schedule = Schedule(database, clock, self.reader, self.deliveries, self.protections, offset_s=offset_s)
        self.commands = Commands(
            database,
            clock,
            self.reader,
            Answers(database, clock, sender),
            keys=KeyChange(database, clock, sealer, self.protections, self.reader),
            sealer=sealer,
            turns=turns,
            offset_s=offset_s,
        )
        self.listener = Listener(
            database, clock, host=settings.collector_host, port=settings.collector_port, zone_name=zone_name
        )
        self.intake = Intake(
            database,
            clock,
            [source_of(url) for url in settings.collect],
            zone_name=zone_name,
            keys=settings.collect_keys,
            arrived=self.listener.arrived,
        )
        self.forwarding = Forwarding(
            database, clock, sender, zone_name=zone_name, offset_s=offset_s, arrived=self.listener.arrived
        )
        self.pushes = PushIntake(
            *(database, clock, sealer, sender, self.schedule.wake),
            host=settings.collector_host,
            port=settings.collector_port,
        )
        self.callers = Callers(
            *(database, clock, self.wires, self.links, self.pushes),
            waiting=(self.schedule, self.commands),
            timing=timing,
            host=settings.collector_host,
            port=settings.callers_port,
        )
        provisioning = Provisioning(
            clock, source=settings.source, zone_name=zone_name, schedule_wake=self.schedule.wake
        )
        orders = Orders(clock, source=settings.source, wake=self.commands.wake)
        door.handlers.update(provisioning.handlers())
        door.handlers.update(orders.handlers())

    def routes(self) -> list[Route]:
        """The JSON interface."""
        return [
            Route("/api/status", self._status),
            Route("/api/meters", self._meters),
            Route("/api/meters/{serial}", self._meter),
            Route("/api/shipment", self._shipment, methods=["POST"]),
            *OrderDoor(self.database, self.clock, self.commands.wake).routes(),
            Route("/api/read/{serial}", self._read, methods=["POST"]),
        ]

    async def work_while_leased(self) -> None:
        """A loop: read, order and tell, as long as this is the head-end that holds the lease."""
        parts = (self.wires, self.callers, self.deliveries, self.schedule, self.commands, self.forwarding)
        await self.lease.run([part.run for part in parts])

    async def receiving(self) -> Work:
        """Telegrams that have come in and are not durable yet."""
        return Work("receiving", self.listener.in_hand + self.intake.in_hand)

    def activity(self) -> int:
        """Grows whenever anything was done."""
        counters = self.listener.counters
        return self.reader.visits + counters.telegrams + counters.repeats + self.forwarding.told

    async def _status(self, _request: Request) -> Response:
        async with self.database.engine.connect() as connection:
            now = self.clock.now()
            shown = await views.status(connection, now)
            shown["stages"] = await stages.stages(connection, now)
            shown["retries"] = await stages.retries(connection)
            shown["invocation_counters"] = await stages.counters(connection)
        shown["permits"] = self.links.permits()
        shown["callers"] = {
            "port": self.callers.port,
            "on_the_line": len(self.wires.callers),
            "connections": self.callers.on_the_line,
            "refused": self.callers.refused,
        }
        shown["pushes"] = {"port": self.pushes.port, "taken": self.pushes.taken, "refused": self.pushes.refused}
        counters = self.listener.counters
        shown["sessions"] = {
            "open": self.links.open,
            "since_start": self.reader.visits,
            "failed_since_start": self.reader.failures,
            "links_down": self.links.down_segments(),
        }
        shown["lease"] = {"instance": self.lease.holder, "held": self.lease.held, "holder": await self.lease.who()}
        shown["collector"] = {
            "port": self.listener.port,
            "connections": counters.connections,
            "noise_octets": counters.noise_octets,
            "failed_commits": counters.failed_commits,
            "sources": {name: asdict(each) for name, each in self.intake.counters.items()},
        }
        return JSONResponse(shown)

    async def _meters(self, request: Request) -> Response:
        async with self.database.engine.connect() as connection:
            shown = await views.meters(connection, after=request.query_params.get("after", ""), limit=_PAGE)
        return JSONResponse(shown)

    async def _meter(self, request: Request) -> Response:
        serial = request.path_params["serial"]
        async with self.database.engine.connect() as connection:
            shown = await views.meter(connection, serial)
        if shown is None:
            return JSONResponse(
                {"error": "UnknownMeterError", "found": f"There is no meter {serial}.", "hint": "See /api/meters."},
                status_code=404,
            )
        return JSONResponse(shown)

    async def _shipment(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError as error:
            raise shipment.BadShipmentError(
                f"The body is not JSON: {error}.", hint="Send the file as it is."
            ) from error
        rows = shipment.rows_of(body, self.sealer, self.clock.now())
        async with self.database.begin() as transaction:
            await store.upsert_shipped(transaction, rows)
        return JSONResponse({"taken": len(rows)})

    async def _read(self, request: Request) -> Response:
        """A person asks for a reading now: the regular one, by the same path, just earlier."""
        serial = request.path_params["serial"]
        async with self.database.begin() as transaction:
            row = await store.meter_row(transaction, serial, lock=True)
            if row is None or row.kind != Kind.ELECTRICITY or row.provisioned_at is None:
                raise UnknownMeterError(
                    f"There is no provisioned electricity meter {serial}.",
                    hint="Gas and water meters send by themselves.",
                )
            await store.change_meter(transaction, serial, next_due_at=self.clock.now())
            after_commit(transaction, self.schedule.wake)
        return JSONResponse({"serial": serial, "due": self.clock.now().isoformat()}, status_code=202)


def build(*, database: Database, clock: Clock, settings: HeadEndSettings, door: FieldDoor, sealer: Seals) -> Area:
    """Wire a head-end; the caller adds the seam's own routes, loops and work (door, inbox, outbox)."""
    head_end = HeadEnd(database=database, clock=clock, settings=settings, door=door, sealer=sealer)
    return Area(
        name="headend",
        clock=clock,
        database=database,
        routes=[*head_end.routes()],
        loops=[
            head_end.listener.run,
            head_end.pushes.run,
            *([head_end.intake.run] if head_end.intake.sources else []),
            head_end.work_while_leased,
        ],
        work=[head_end.schedule.work, head_end.commands.work, head_end.forwarding.work, head_end.receiving],
        activity=head_end.activity,
    )
