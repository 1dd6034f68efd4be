"""A collector with its database, and concentrators that speak to it over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from openami.ami.collector.forwarding import Forwarding
from openami.ami.collector.listener import Listener
from openami.ami.collector.store import telegram_table
from openami.ami.headend import store
from openami.ami.headend.deliveries import Sender
from openami.ami.headend.tables import metadata, seam
from openami.ami.mbus import Header, LocalTime, Medium, encode, encode_telegram
from openami.ami.mbus.build import date_time, error_flags, volume_litres
from openami.shared.contract import field as contract
from openami.shared.seam import Inbox, Outbox
from openami.shared.seam.field import FieldDoor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

ZONE = "Europe/Amsterdam"


class Concentrator:
    """One connection to the collector."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, octets: bytes) -> None:
        self._writer.write(octets)
        await self._writer.drain()

    async def acknowledgements(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    async def the_end(self) -> bytes:
        """Whatever comes until the collector hangs up."""
        return await self._reader.read()

    def hang_up(self) -> None:
        self._writer.close()


class Station:
    """A collector and what a test needs to look into it."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        outbox, inbox = Outbox(database, clock, seam), Inbox(database, clock, seam)
        door = FieldDoor(database=database, clock=clock, outbox=outbox, inbox=inbox, source="AMS1", passwords={})
        self.listener = Listener(database, clock, host="127.0.0.1", port=0, zone_name=ZONE)
        self.forwarding = Forwarding(
            database,
            clock,
            Sender(door, "mdus", "AMS1"),
            zone_name=ZONE,
            offset_s=1200,
            arrived=self.listener.arrived,
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Concentrator]:
        await self.listener.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        try:
            yield Concentrator(reader, writer)
        finally:
            writer.close()

    async def ship(self, serial: str, kind: str, mbus_id: str, **facts: Any) -> None:
        row = {
            "serial": serial,
            "kind": kind,
            "host": "127.0.0.1",
            "port": 1,
            "network_id": 0,
            "physical_address": b"",
            "mbus_id": mbus_id,
            "sealed_password": None,
            "shipped_at": self.clock.now(),
        }
        async with self.database.begin() as transaction:
            await store.upsert_shipped(transaction, [row])
            if facts:
                await store.change_meter(transaction, serial, **facts)

    async def kept(self) -> list[Any]:
        async with self.database.engine.connect() as connection:
            return list(await connection.execute(select(telegram_table).order_by(telegram_table.c.id)))

    async def eventually(self, reached: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a loop of the collector has done what is asked."""
        while not await reached():  # noqa: ASYNC110 - the database is what is watched
            await asyncio.sleep(0.01)

    async def told(self) -> list[tuple[str, datetime, int]]:
        """Serial, instant and litres of every reading that the MDUS was told of, in order."""
        query = select(seam.outbox.c.body).order_by(seam.outbox.c.sequence)
        async with self.database.engine.connect() as connection:
            messages = [contract.decode(row.body) for row in await connection.execute(query)]
        found = []
        for message in messages:
            if isinstance(message.payload, contract.MeterReadings):
                for meter in message.payload.readings:
                    for reading in meter.readings:
                        assert reading.in_unit is not None
                        found.append((meter.label, reading.at, int(reading.in_unit * 1000)))
        return found


@pytest.fixture
async def station(database: Database, clock: ManualClock) -> AsyncIterator[Station]:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    made = Station(database, clock)
    yield made
    if made.listener._server is not None:
        made.listener._server.close()


@pytest.fixture
def make_telegram() -> Callable[..., bytes]:
    def make(
        litres: int,
        at: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC),
        *,
        mbus_id: str = "12345678",
        medium: int = Medium.GAS,
        access: int = 1,
        status: int = 0,
    ) -> bytes:
        header = Header(mbus_id, "OAM", 1, medium, access, status)
        records = [volume_litres(litres), date_time(LocalTime.of(at, ZONE)), error_flags(0)]
        return encode(encode_telegram(header, records, address=1))

    return make
