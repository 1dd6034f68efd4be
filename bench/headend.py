"""The head-end alone: meters fully read a second, orders while the schedule runs. Ciphered (suite 0), loopback.

The meters are a process of their own that answers from ready-made numbers: 96 rows of four values a day, registers,
logs, breaker. The head-end is the product's: sessions, marks, messages and PostgreSQL. QUICK=1 takes fewer meters;
LONG=1 takes 10,000 and reads them every hour as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import uvloop

from openami.ami.dlms import data as d
from openami.ami.dlms.device import respond, serve
from openami.ami.dlms.enums import DataAccessResult, Mechanism
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.events import GetRequest, GetResponse
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn, encode_profile
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.security import Ciphering, Keys, Prover, SendCounter
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject, RangeSelection
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.service_get import RESPONSE_TAG, decode_request, encode_response
from openami.ami.dlms.times import CosemDateTime
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.headend import command_store, store
from openami.ami.headend.area import HeadEnd, HeadEndSettings
from openami.ami.headend.command_handlers import Orders
from openami.ami.headend.shipment import rows_of
from openami.ami.headend.tables import metadata, seam
from openami.shared.clock import ManualClock
from openami.shared.contract import field as contract
from openami.shared.database import Database
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.seam import Inbox, Outbox
from openami.shared.seam.field import FieldDoor
from openami.shared.secrets import Sealer
from openami.shared.service import settle_memory

if TYPE_CHECKING:
    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.events import Event
    from openami.ami.dlms.framing import Delivery
    from openami.ami.dlms.references import Selection

START = datetime(2026, 3, 1, 23, tzinfo=UTC)
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
PORTS = 40  # concentrators
INTERVAL_S, ROUNDS = 900, 3
VALUES = tuple(Obis.of(f"1-0:{quantity}.29.0") for quantity in (1, 2, 3, 4))
DIALS = tuple(Obis.of(f"1-0:{quantity}.8.0") for quantity in (1, 2))
STATUS = CaptureObject(1, Obis.of("0-0:96.10.1"), 2)
LOAD, DAILY = Obis.of("1-0:99.1.0"), Obis.of("1-0:98.2.0")
LOGS = {Obis.of(f"0-0:99.98.{log}") for log in range(3)}
QUICK, LONG = os.environ.get("QUICK") == "1", os.environ.get("LONG") == "1"
METERS = 800 if QUICK else 10_000 if LONG else 4000
ORDERS = 15 if QUICK else 60
HOURS = 3
SEALED_GET = 0xC8  # glo-get-request
ANY_SERIAL = b"?" * 10


class CannedMeter:
    """A meter that answers quickly, so that the head-end is what is measured."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.state = 1

    def admit(self, client_sap: int, mechanism: Mechanism, _password: bytes) -> bool:
        """Whether a client may come in."""
        return client_sap == 1 and mechanism is Mechanism.HIGH_GMAC

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        """An attribute."""
        if class_id == 7:
            return self._profile(obis, attribute, selection)
        if class_id == 3:
            return d.unsigned32(123456) if attribute == 2 else d.structure(d.integer8(0), d.enum(30))
        if class_id == 8:
            return d.octet_string(CosemDateTime.of(CannedMeters.now))
        if class_id == 70:
            return d.boolean(self.state == 1) if attribute == 2 else d.enum(self.state)
        if class_id == 1 and str(obis) == "0-0:96.1.0.255":
            return d.octet_string(self.serial.encode())
        raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)

    def set(self, *_arguments: object) -> None:
        """Nothing can be written."""
        raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)

    def act(self, _class_id: int, _obis: Obis, method: int, _parameter: Data | None) -> None:
        """Move the breaker."""
        self.state = 0 if method == 1 else 1

    def _profile(self, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        columns = [CLOCK_COLUMN]
        if obis == LOAD:
            columns += [STATUS, *(CaptureObject(3, each, 2) for each in VALUES)]
        elif obis == DAILY:
            columns += [CaptureObject(3, each, 2) for each in DIALS]
        elif obis in LOGS:
            columns.append(CaptureObject(1, Obis.of("0-0:96.11.0"), 2))
        else:
            raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
        if attribute == 3:
            return d.array(each.data() for each in columns)
        if attribute == 4:
            return d.unsigned32({LOAD: INTERVAL_S, DAILY: 86400}.get(obis, 0))
        assert selection is not None
        first, last = RangeSelection.of(selection).instants()
        return CannedMeters.rows(obis, int(first.timestamp()), int(last.timestamp()), len(columns) - 1)


class CannedConnection(ServerConnection):
    """The end of one meter: what another has been asked is answered in the octets of its answer."""

    answers: ClassVar[dict[tuple[bytes, int], bytes]] = {}

    def __init__(self, meter: CannedMeter, sent: SendCounter) -> None:
        ciphering = Ciphering(title_of(meter.serial), KEYS, sent=sent)
        prover = Prover.of(ciphering, Mechanism.HIGH_GMAC)
        super().__init__(WrapperFraming.server(), protection=ciphering, prover=prover)
        self._meter = meter

    def _take(self, delivery: Delivery) -> Event | None:
        if delivery.apdu[0] != SEALED_GET:
            return super()._take(delivery)
        plain, _ = self._protection.unprotect(delivery.apdu)
        form, invoke, asked = plain[1:2], plain[2:3], plain[3:]
        key = form + asked, self._meter.state
        if key not in self.answers:
            self.answers[key] = self._answered(plain).replace(self._meter.serial.encode(), ANY_SERIAL)
        answer = self.answers[key].replace(ANY_SERIAL, self._meter.serial.encode())
        self._framing.send(self._protection.protect(bytes((RESPONSE_TAG,)) + form + invoke + answer))
        return None

    def _answered(self, plain: bytes) -> bytes:
        """What follows the tag, the form and the invoke-id in the answer to a request."""
        request = decode_request(plain)
        assert isinstance(request, GetRequest)
        response = respond(self, self._meter, request)
        assert isinstance(response, GetResponse)
        return encode_response(replace(response, listed=request.listed))[3:]


class CannedMeters(asyncio.Protocol):
    """One connection of the head-end to a concentrator of canned meters."""

    now = START
    meters: ClassVar[dict[bytes, CannedMeter]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head-end is on the line."""
        self._transport, self._buffer = transport, WrapperBuffer()
        self._ends: dict[bytes, ServerConnection] = {}

    def data_received(self, data: bytes) -> None:
        """Frames of the head-end."""
        self._buffer.receive(data)
        while (frame := self._buffer.next_frame()) is not None:
            assert frame.gateway_address is not None
            address = frame.gateway_address.physical_address
            meter = self.meters[address]
            if frame.apdu[:1] == b"\x60":
                self._ends[address] = CannedConnection(meter, SENT.setdefault(address, SendCounter()))
            self._transport.write(serve(self._ends[address], meter, frame.encode()))  # type: ignore[attr-defined]

    @classmethod
    def rows(cls, obis: Obis, first_s: int, last_s: int, columns: int) -> Encoded:
        """Rows of a span: the same for all meters."""
        period_s = {LOAD: INTERVAL_S, DAILY: 86400}.get(obis, 10**9)
        ends = np.arange(-(-first_s // period_s) * period_s, min(last_s, int(cls.now.timestamp())) + 1, period_s)
        stamps = StampColumn(utc_s_to_stamps(ends.astype(np.int64), zone=UTC))
        status = [NumberColumn(d.Tag.UNSIGNED8, np.zeros(len(ends), np.int64))] if obis == LOAD else []
        numbers = [
            NumberColumn(d.Tag.UNSIGNED32, 100 + np.arange(len(ends), dtype=np.int64))
            for _ in range(columns - len(status))
        ]
        return encode_profile([stamps, *status, *numbers])

    @classmethod
    def to(cls, instant: datetime) -> None:
        """Another instant, at which everything is answered anew."""
        cls.now = instant
        CannedConnection.answers.clear()


SENT: dict[bytes, SendCounter] = {}


def title_of(serial: str) -> bytes:
    """The system title of a canned meter."""
    return serial[:3].encode() + int(serial[3:]).to_bytes(5, "big")


async def serve_meters(count: int) -> None:
    """The process of the meters: prints its ports, takes instants on its standard input."""
    loop = asyncio.get_running_loop()
    for number in range(count):
        CannedMeters.meters[number.to_bytes(4, "big")] = CannedMeter(f"BEN{number:07d}")
    servers = [await loop.create_server(CannedMeters, "127.0.0.1", 0) for _ in range(PORTS)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        CannedMeters.to(datetime.fromisoformat(line.decode().strip()))
        print("ok", flush=True)


class Bench:
    """A head-end and its canned meters."""

    def __init__(self, database: Database, meters: subprocess.Popen[str], ports: list[int], count: int) -> None:
        self.database, self.meters, self.ports, self.count = database, meters, ports, count
        self.clock = ManualClock(START)
        self.sealer = Sealer(bytes(32))
        outbox, inbox = Outbox(database, self.clock, seam), Inbox(database, self.clock, seam)
        door = FieldDoor(
            database=database, clock=self.clock, outbox=outbox, inbox=inbox, source="AMS1", passwords={"mdus": "x"}
        )
        settings = HeadEndSettings(zone_name="UTC", collector_port=0, breaker_poll_s=0.01)
        self.head_end = HeadEnd(database=database, clock=self.clock, settings=settings, door=door, sealer=self.sealer)
        self.orders = Orders(self.clock, source="AMS1", wake=self.head_end.commands.wake)

    async def ship(self) -> None:
        """All meters, provisioned and installed."""
        devices = [
            {
                "serial": f"BEN{number:07d}",
                "kind": "electricity",
                "concentrator_host": "127.0.0.1",
                "concentrator_port": self.ports[number % PORTS],
                "gateway_address": number.to_bytes(4, "big").hex(),
                "encryption_key": KEYS.encryption.hex(),
                "authentication_key": KEYS.authentication.hex(),
                "system_title": title_of(f"BEN{number:07d}").hex(),
            }
            for number in range(self.count)
        ]
        async with self.database.begin() as transaction:
            await transaction.run_sync(metadata.create_all)
            for start in range(0, len(devices), 500):
                await store.upsert_shipped(
                    transaction, rows_of(devices[start : start + 500], self.sealer, self.clock.now())
                )
            await transaction.execute(
                store.meter_table.update().values(provisioned_at=START, linked_at=START, installed_at=START)
            )

    def to(self, instant: datetime) -> None:
        """Another instant, for the meters first."""
        assert self.meters.stdin is not None
        assert self.meters.stdout is not None
        self.meters.stdin.write(instant.isoformat() + "\n")
        self.meters.stdin.flush()
        self.meters.stdout.readline()
        self.clock.advance_to(instant)

    async def all_due(self) -> None:
        """Every meter is due now."""
        async with self.database.begin() as transaction:
            await transaction.execute(store.meter_table.update().values(next_due_at=self.clock.now()))
        self.head_end.schedule.wake.set()

    async def read_all(self) -> float:
        """Seconds until every meter was read and told."""
        await self.all_due()
        return await self.done()

    async def hourly(self) -> None:
        """From now on every meter is read every hour; what is due is read first, for it does not know that yet."""
        await self.done()
        async with self.database.begin() as transaction:
            await transaction.execute(store.meter_table.update().values(period_s=3600))
        await self.read_all()

    async def check(self) -> None:
        """Stop if a meter was not read at this instant: one that failed is not due any more, and would look read."""
        table = store.meter_table.c
        unread = (table.failures > 0) | table.last_success_at.is_distinct_from(self.clock.now())
        async with self.database.read() as connection:
            found = (await connection.execute(store.meter_table.select().where(unread))).all()
        if found:
            raise SystemExit(f"{len(found)} meters were not read: {found[0].last_error}")

    async def done(self, *, but: int = 0) -> float:
        """Seconds until all but some of the meters that are due were read and told."""
        started = time.perf_counter()
        while (await self.head_end.schedule.work()).pending > but:  # noqa: ASYNC110 - asked as the conductor does
            await asyncio.sleep(0.2)
        return time.perf_counter() - started

    async def hour(self) -> float:
        """Seconds that the hundredth part of the meters is read behind its time, after an hour has passed."""
        self.to(self.clock.now() + timedelta(hours=1))
        late = await self.done(but=self.count // 100)
        await self.done()
        await self.check()
        return late

    async def order(self, number: int, code: contract.ControlCode | None = None) -> float:
        """Seconds from an order (a reading, or a control) to its durable, proven answer."""
        name = f"BEN{number:07d}"
        started = time.perf_counter()
        async with self.database.begin() as transaction:
            if code is None:
                query = contract.GetMeterReadings(devices=(contract.Identity.named(name),))
                message = contract.request(
                    contract.Verb.GET,
                    "MeterReadings",
                    source="MDUS",
                    at=self.clock.now(),
                    parameters=contract.Request(query=query),
                )
                await self.orders.get_readings(transaction, message)
            else:
                device = contract.ControlledDevice(names=(contract.Name.of(name),))
                control = contract.EndDeviceControl(mrid=f"{code}-{number}", code=code, devices=(device,))
                payload = contract.EndDeviceControls((control,))
                message = contract.request(
                    contract.Verb.CREATE, payload.NOUN, source="MDUS", at=self.clock.now(), payload=payload
                )
                await self.orders.create_controls(transaction, message)
        while True:
            async with self.database.read() as connection:
                count, _ = await command_store.due_count(connection, self.clock.now())
            if not count:
                return time.perf_counter() - started
            await asyncio.sleep(0.002)


async def measure(bench: Bench) -> None:
    """All figures, one row each."""
    head_end = bench.head_end
    await bench.ship()
    settle_memory()
    loops = [head_end.wires.run, head_end.deliveries.run, head_end.schedule.run, head_end.commands.run]
    tasks = [asyncio.create_task(loop()) for loop in loops]
    rates, processor_ms = [], []
    for day in range(ROUNDS):
        bench.to(START + timedelta(days=day + 1, minutes=20))
        began = time.process_time()
        rates.append(bench.count / await bench.read_all())
        processor_ms.append((time.process_time() - began) * 1000 / bench.count)
    await bench.check()
    tell("head-end: ciphered meters fully read", max(rates[1:]), "meters/s", goal="400 meters/s", baseline=400)
    tell("head-end: its processor time a meter", min(processor_ms[1:]), "ms", goal="2.4 ms", baseline=2.4)
    reads: list[float] = []
    switches: list[float] = []
    bench.to(START + timedelta(days=ROUNDS + 1, minutes=20))
    await bench.all_due()
    for number in range(ORDERS):
        code = contract.DISCONNECT if number % 2 else None
        (switches if code else reads).append(await bench.order(number, code))
        if not (await head_end.schedule.work()).pending:
            await bench.all_due()
    tell("head-end: on-demand reading while the schedule runs, p95", p95(reads), "s", goal="0.1 s", baseline=0.1)
    tell("head-end: breaker proven while the schedule runs, p95", p95(switches), "s", goal="0.25 s", baseline=0.25)
    if LONG:
        await bench.hourly()
        late = [await bench.hour() for _ in range(HOURS)]
        tell(f"head-end: {bench.count} meters every hour, p99 behind time", max(late), "s", goal="60 s", baseline=60)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await bench.database.close()


def p95(seconds: list[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(seconds, 95))


def tell(name: str, value: float, unit: str, *, goal: str, baseline: float) -> None:
    """One row."""
    row = {"name": name, "value": value, "unit": unit, "goal": goal, "baseline": "the goal"}
    print(json.dumps(row | {"baseline_value": baseline, "ratio": value / baseline}), flush=True)


def main() -> None:
    """Measure in a folder of its own."""
    if sys.argv[1:2] == ["meters"]:
        uvloop.run(serve_meters(int(sys.argv[2])))
        return
    command = [sys.executable, "-m", "bench.headend", "meters", str(METERS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as meters,
    ):
        Path(folder).chmod(0o755)
        try:
            assert meters.stdout is not None
            ports = json.loads(meters.stdout.readline())
            with EmbeddedPostgres(Path(folder) / "postgres", "bench") as server:
                database = Database(server.ensure_database("headend"))
                uvloop.run(measure(Bench(database, meters, ports, METERS)))
        finally:
            meters.kill()


if __name__ == "__main__":
    main()
