"""A small street of DLMS meters behind one gateway, and a head-end that reads it over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from openami.ami.dlms.data import (
    Data,
    array,
    boolean,
    enum,
    integer8,
    octet_string,
    structure,
    unsigned8,
    unsigned16,
    unsigned32,
)
from openami.ami.dlms.device import serve
from openami.ami.dlms.enums import ActionResult, DataAccessResult, Mechanism
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.selection import CaptureObject, RangeSelection
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.times import CosemDateTime
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.headend.area import HeadEnd, HeadEndSettings
from openami.ami.headend.tables import metadata, seam
from openami.ami.headend.wires import Wire
from openami.shared.contract import field as contract
from openami.shared.seam import Inbox, Outbox
from openami.shared.seam.field import FieldDoor
from openami.shared.secrets import Sealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from openami.ami.dlms.references import Selection
    from openami.ami.headend.turns import Turn
    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

ZONE = ZoneInfo("Europe/Amsterdam")
PASSWORD = b"12345678"
SEALER = Sealer(bytes(32))
CLOCK, STATUS = CaptureObject(8, Obis.of("0-0:1.0.0"), 2), CaptureObject(1, Obis.of("0-0:96.10.2"), 2)
ENERGY, REGISTER = CaptureObject(3, Obis.of("1-0:1.29.0"), 2), CaptureObject(3, Obis.of("1-0:1.8.0"), 2)
CODE = CaptureObject(1, Obis.of("0-0:96.11.0"), 2)


@dataclass
class StreetMeter:
    """An electricity meter: what it holds, and which faults it shows. It is a `LogicalDevice`."""

    serial: str
    clock: ManualClock
    password: bytes = PASSWORD
    interval_s: int = 1800
    drift: timedelta = timedelta()
    rows: dict[datetime, tuple[int, int]] = field(default_factory=dict)
    daily: dict[datetime, int] = field(default_factory=dict)
    log: list[tuple[datetime, int]] = field(default_factory=list)
    fraud: list[tuple[datetime, int]] | None = None
    register_wh: int = 0
    state: int = 1
    moves: bool = True
    refuses: bool = False
    reconnects_to: int = 1
    die_after_frames: int | None = None
    garbage: bool = False
    silent: bool = False
    frames: int = 0
    with_status: bool = True
    acts: list[int] = field(default_factory=list)
    ranges: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def fill(self, start: datetime, count: int, *, first_wh: int = 100) -> None:
        """Measure some intervals from `start` on."""
        for index in range(count):
            self.rows[start + timedelta(seconds=self.interval_s * (index + 1))] = (first_wh + index, 0)

    def end(self) -> ServerConnection:
        """A fresh end of a connection."""
        return ServerConnection(WrapperFraming.server())

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        return client_sap == 1 and mechanism is Mechanism.LOW and password == self.password

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data:
        if class_id == 7:
            return self.profile(str(obis), attribute, selection)
        plain = {
            ("0-0:96.1.0.255", 2): octet_string(self.serial.encode()),
            ("0-0:1.0.0.255", 2): octet_string(CosemDateTime.of(self.now(), zone=ZONE)),
            ("1-0:1.8.0.255", 2): unsigned32(self.register_wh),
            ("1-0:1.8.0.255", 3): structure(integer8(0), enum(30)),
            ("1-0:1.29.0.255", 3): structure(integer8(0), enum(30)),
            ("0-0:96.3.10.255", 2): boolean(self.state == 1),
            ("0-0:96.3.10.255", 3): enum(self.state),
        }
        if (str(obis), attribute) not in plain:
            raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
        return plain[str(obis), attribute]

    def profile(self, obis: str, attribute: int, selection: Selection | None) -> Data:
        columns, period_s, rows = self.content(obis)
        if attribute == 3:
            return array(column.data() for column in columns)
        if attribute == 4:
            return unsigned32(period_s)
        assert selection is not None
        first, last = RangeSelection.of(selection).instants()
        self.ranges.append((obis, first, last))
        return array(
            structure(octet_string(CosemDateTime.of(stamp, zone=ZONE)), *cells)
            for stamp, cells in sorted(rows, key=lambda row: row[0])
            if first <= stamp <= last
        )

    def content(self, obis: str) -> tuple[list[CaptureObject], int, list[tuple[datetime, list[Data]]]]:
        if obis == "1-0:99.1.0.255":
            rows = [(end, [unsigned8(status), unsigned32(wh)]) for end, (wh, status) in self.rows.items()]
            if not self.with_status:
                return [CLOCK, ENERGY], self.interval_s, [(end, cells[1:]) for end, cells in rows]
            return [CLOCK, STATUS, ENERGY], self.interval_s, rows
        if obis == "1-0:98.2.0.255":
            return [CLOCK, REGISTER], 86400, [(stamp, [unsigned32(wh)]) for stamp, wh in self.daily.items()]
        logs = {"0-0:99.98.0.255": self.log, "0-0:99.98.1.255": self.fraud}
        events = logs.get(obis)
        if events is None:
            raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
        return [CLOCK, CODE], 0, [(stamp, [unsigned16(code)]) for stamp, code in events]

    def set(self, class_id: int, obis: Obis, attribute: int, value: Data) -> None:
        if (class_id, str(obis), attribute) != (8, "0-0:1.0.0.255", 2):
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        self.drift = value.instant() - self.clock.now()

    def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
        assert (class_id, str(obis)) == (70, "0-0:96.3.10.255")
        self.acts.append(method)
        if self.refuses:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        if self.moves:
            self.state = 0 if method == 1 else self.reconnects_to
        return None

    def now(self) -> datetime:
        return self.clock.now() + self.drift


class Street:
    """Meters behind one gateway on one TCP port; it may be closed and opened again on the same port."""

    def __init__(self) -> None:
        self.meters: dict[bytes, StreetMeter] = {}
        self.port = 0
        self.connections = 0
        self.waiting: dict[Any, Wire] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def add(self, meter: StreetMeter) -> dict[str, object]:
        """A meter at the next address, and its line in the shipment file."""
        address = (len(self.meters) + 1).to_bytes(4, "big")
        self.meters[address] = meter
        return {
            "serial": meter.serial,
            "kind": "electricity",
            "concentrator_host": "127.0.0.1",
            "concentrator_port": self.port,
            "gateway_address": address.hex(),
            "lls_password": PASSWORD.decode(),
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        buffer = WrapperBuffer()
        meter_ends: dict[bytes, ServerConnection] = {}
        with suppress(OSError):
            while octets := await reader.read(65536):
                buffer.receive(octets)
                while (frame := buffer.next_frame()) is not None:
                    assert frame.gateway_address is not None
                    address = frame.gateway_address.physical_address
                    meter = self.meters[address]
                    if address not in meter_ends:
                        meter_ends[address] = meter.end()
                    end = meter_ends[address]
                    meter.frames += 1
                    if meter.die_after_frames is not None and meter.frames > meter.die_after_frames:
                        writer.close()
                        return
                    if meter.silent:
                        self._keep_silent(writer)
                        continue
                    writer.write(b"\xff" * 32 if meter.garbage else serve(end, meter, frame.encode()))
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _keep_silent(self, writer: asyncio.StreamWriter) -> None:
        wire = self.waiting.get(writer.get_extra_info("peername"))
        if wire is not None and wire._waiter is not None:
            wire._expire(wire._waiter)


class Bench:
    """A head-end on a street, with what a test needs to drive both."""

    def __init__(self, database: Database, clock: ManualClock, street: Street, **changes: Any) -> None:
        self.database, self.clock, self.street = database, clock, street
        self.outbox = Outbox(database, clock, seam)
        inbox = Inbox(database, clock, seam)
        self.door = FieldDoor(
            database=database, clock=clock, outbox=self.outbox, inbox=inbox, source="AMS1", passwords={"mdus": "secret"}
        )
        # so long that no busy machine is taken for a silent meter
        settings = HeadEndSettings(connect_s=30.0, answer_s=30.0, breaker_polls=3, breaker_poll_s=0.0, collector_port=0)
        settings = replace(settings, **changes)
        self.head_end = HeadEnd(database=database, clock=clock, settings=settings, door=self.door, sealer=SEALER)
        app = Starlette(routes=[*self.door.routes(), *self.head_end.routes()])
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://headend", auth=("mdus", "secret")
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loops of the head-end; leaving is like a kill: nothing is finished."""
        head_end = self.head_end
        loops = [head_end.wires.run, head_end.deliveries.run, head_end.schedule.run]
        loops += [head_end.commands.run, head_end.forwarding.run]
        tasks = [asyncio.create_task(loop()) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def quiet(self) -> None:
        """Wait until nothing is in hand."""
        head_end = self.head_end
        parts = [head_end.schedule.work, head_end.commands.work, head_end.forwarding.work]
        while sum([(await part()).pending for part in parts]):  # noqa: ASYNC110 - work is asked for, as the conductor does
            await asyncio.sleep(0.01)

    async def run_until(self, *instants: datetime) -> None:
        """Move the clock from instant to instant, each time until nothing is in hand."""
        for instant in instants:
            self.clock.advance_to(instant)
            await self.quiet()

    async def ship(self, *meters: StreetMeter, devices: tuple[dict[str, object], ...] = ()) -> None:
        lines = [self.street.add(meter) for meter in meters]
        answer = await self.http.post("/api/shipment", json={"devices": [*lines, *devices]})
        assert answer.status_code == 200, answer.text

    async def tell(self, verb: contract.Verb, payload: Any, **more: Any) -> contract.Envelope:
        """Say something as the MDUS does; the synchronous answer."""
        message = contract.request(verb, payload.NOUN, source="MDUS", at=self.clock.now(), payload=payload, **more)
        return await self.post(message)

    async def post(self, message: contract.Envelope) -> contract.Envelope:
        answer = await self.http.post(contract.path_of(message.header), content=contract.encode(message))
        assert answer.status_code in {200, 202}, answer.text
        return contract.decode(answer.content)

    async def provision(self, *serials: str, installed: datetime | None = None) -> None:
        """All steps of provisioning for some meters, each with a point of its own."""
        effective = contract.ConfigurationEvent(effective=installed or self.clock.now())
        for serial in serials:
            meter = contract.Meter(mrid=f"mrid-{serial}", serial_number=serial, names=(contract.Name.of(serial),))
            link = contract.MasterDataLinkageConfig(
                configuration=effective,
                meters=(meter.identity,),
                usage_points=(contract.Identity.named(f"POD-{serial}"),),
            )
            plan = contract.MeterReadSchedule(
                devices=(meter.identity,), schedules=(contract.TimeSchedule(offset_s=1200),)
            )
            for payload in (contract.MeterConfig(meters=(meter,)), link, plan):
                answer = await self.tell(contract.Verb.CREATE, payload)
                assert answer.reply is not None
                assert answer.reply.result is contract.Result.OK, answer.reply

    async def sent(self, verb: contract.Verb, noun: str) -> list[contract.Envelope]:
        """Every message of a kind that was put into the outbox, in order."""
        query = select(seam.outbox.c.body).order_by(seam.outbox.c.sequence)
        async with self.database.engine.connect() as connection:
            messages = [contract.decode(row.body) for row in await connection.execute(query)]
        return [message for message in messages if (message.header.verb, message.header.noun) == (verb, noun)]

    async def told_wh(self, serial: str) -> dict[datetime, int | None]:
        """Every interval that the MDUS was told of a meter, by its start; asserts that none was told twice."""
        told: dict[datetime, int | None] = {}
        for message in await self.sent(contract.Verb.CREATED, "MeterReadings"):
            for reading in message.payload.readings:  # type: ignore[union-attr]
                if reading.label != serial:
                    continue
                for block in reading.blocks:
                    for start, value, missing in zip(block.starts, block.values, block.missing, strict=True):
                        instant = datetime.fromtimestamp(int(start), UTC)
                        assert instant not in told, f"{instant} was told twice"
                        told[instant] = None if missing else int(value * 10**block.scale)
        return told


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    opened = Street()
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def impatient(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a silent meter gives up when it has kept silent, and not after a time that somebody must wait."""
    read = Wire.read

    async def known(self: Wire, within_s: float, turn: Turn | None = None) -> bytes:
        assert self._transport is not None
        street.waiting[self._transport.get_extra_info("sockname")] = self
        return await read(self, within_s, turn)

    monkeypatch.setattr(Wire, "read", known)


@pytest.fixture
async def make_bench(database: Database, clock: ManualClock, street: Street) -> AsyncIterator[Callable[[], Bench]]:
    """A head-end; made again on the same database it is the head-end after a restart."""
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with AsyncExitStack() as stack:

        def make(**changes: Any) -> Bench:
            bench = Bench(database, clock, street, **changes)
            stack.push_async_callback(bench.http.aclose)
            return bench

        yield make


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def make_meter(clock: ManualClock) -> Callable[..., StreetMeter]:
    def make(serial: str = "E0001", **facts: Any) -> StreetMeter:
        return StreetMeter(serial, clock, **facts)

    return make
