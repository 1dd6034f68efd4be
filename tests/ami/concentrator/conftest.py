"""A whole field area on real sockets, and a collector to send to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from openami.ami.concentrator import store as _telegrams  # noqa: F401 - its table belongs to the metadata
from openami.ami.concentrator.cache import Mode
from openami.ami.concentrator.segment import PERFECT, Line
from openami.ami.mbus import FrameSplitter, LongFrame, decode_telegram, reading_of
from openami.ami.meter.area import build
from openami.ami.meter.tables import metadata
from openami.shared.clock import ManualClock
from openami.shared.service import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.ami.mbus.readings import Reading
    from openami.shared.database import Database
    from openami.shared.service import Area, Work

ZONE = "Europe/Amsterdam"
GENESIS = datetime(2026, 2, 27, 23, tzinfo=UTC)  # a local midnight
SECRET = "a secret of the factory"


class Collector:
    """The head-end's end of the uplink: takes telegrams, acknowledges each, unless told to misbehave."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._heard = asyncio.Event()
        self.port = 0
        self.acknowledge_next: int | None = None
        self.answer = b"\xe5"
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = FrameSplitter()
        while octets := await reader.read(65536):
            for frame in splitter.feed(octets):
                assert isinstance(frame, LongFrame)
                if self.acknowledge_next == 0:
                    writer.transport.abort()
                    return
                if self.acknowledge_next is not None:
                    self.acknowledge_next -= 1
                self.readings.append(reading_of(decode_telegram(frame), ZONE))
                self._heard.set()
                writer.write(self.answer)
        writer.close()

    async def heard(self, count: int) -> None:
        while len(self.readings) < count:
            self._heard.clear()
            await self._heard.wait()

    def distinct(self) -> set[tuple[str, datetime, int | None]]:
        return {(each.identification, each.instant, each.volume_litres) for each in self.readings}


class RunningField:
    """The area with its loops, and a client of its JSON interface."""

    def __init__(self, area: Area, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.area = area
        self.clock = clock
        self.client = client

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def post(self, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
        response = await self.client.post(path, json=body)
        assert response.status_code == status, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def advance(self, to: datetime) -> None:
        """What the conductor does."""
        await self.post("/api/advance", {"to": to.isoformat()})
        self.clock.advance_to(to)

    async def work(self) -> Work:
        return await self.area.work[0]()

    async def quiet(self) -> None:
        while (await self.work()).pending:  # noqa: ASYNC110 - the loops of the area are what we wait for
            await asyncio.sleep(0.005)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    await collector.start()
    yield collector
    await collector.stop()


@pytest.fixture
async def tables(database: Database) -> Database:
    async with database.begin() as tx:
        await tx.run_sync(metadata.create_all)
    return database


@asynccontextmanager
async def running(
    database: Database, clock: ManualClock, collector: Collector, mode: Mode = Mode.ROUTER, line: Line = PERFECT
) -> AsyncIterator[RunningField]:
    """Start the process; leaving the block is what SIGKILL does to it: nothing is written on the way out."""
    area = build(
        database=database,
        clock=clock,
        zone=ZONE,
        homes=10,
        seed=1,
        fleet_secret=SECRET,
        host="127.0.0.1",
        first_concentrator_port=0,
        collector_host="127.0.0.1",
        collector_port=collector.port,
        mode=mode,
        line=line,
    )
    app = create_app(area, token="token")
    area.database = None  # the fixture closes it
    headers = {"authorization": "Bearer token"}
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://field", headers=headers) as client,
    ):
        yield RunningField(area, clock, client)


@pytest.fixture
async def field(tables: Database, collector: Collector) -> AsyncIterator[RunningField]:
    async with running(tables, ManualClock(GENESIS), collector) as field:
        yield field
