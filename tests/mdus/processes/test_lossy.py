"""Office and middle over a bad line, from a seed: a fifth lost, doubled, late; in the end both have the same."""

from __future__ import annotations

import os
import random
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import create_engine, func, select, update
from tests.mdus.processes.conftest import played_field

from openami.mdus.tables import seam as mdus_seam
from openami.office.area import build
from openami.office.tables import metadata as office_metadata
from openami.office.tables import seam as office_seam
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.database import Database
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.outbox import Unreachable
from openami.shared.seam.store import PENDING
from openami.shared.service import create_app
from openami.shared.spans import local_day
from openami.testing.home import ZONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from openami.shared.clock import ManualClock
    from openami.shared.postgres import EmbeddedPostgres
    from openami.shared.seam import Envelope

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

DAY = date(2026, 3, 1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LOSS = 0.2
DOUBLING = 0.2
SEEDS = range(1, 41) if os.environ.get("OPENAMI_TEST_PROFILE") == "long" else range(1, 2)


class BadLine:
    """Loses requests and answers, doubles, and repeats old messages late; every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.lost = self.doubled = self.late = 0
        self.old: list[tuple[httpx.AsyncClient, Envelope]] = []

    def to(self, client: httpx.AsyncClient, user: str) -> Callable[[Envelope], Awaitable[bytes]]:
        """A way to a side."""

        async def carry(envelope: Envelope) -> bytes:
            fate = self.chance.random()
            if fate < LOSS / 2:
                self.lost += 1
                raise Unreachable("The request was lost.")
            await self._post(client, user, envelope)
            if self.chance.random() < DOUBLING:
                self.doubled += 1
                await self._post(client, user, envelope)
            if self.old and self.chance.random() < DOUBLING:
                self.late += 1
                there, late = self.chance.choice(self.old)
                await self._post(there, "OFFICE" if "mdus" in str(there.base_url) else "MDUS", late)
            self.old.append((client, envelope))
            if fate < LOSS:
                self.lost += 1
                raise Unreachable("The answer was lost.")
            return b""

        return carry

    @staticmethod
    async def _post(client: httpx.AsyncClient, user: str, envelope: Envelope) -> None:
        (await client.post(envelope.path, content=envelope.body, auth=(user, "secret"))).raise_for_status()


class Office:
    """The office of this test, and a person there."""

    def __init__(self, database: Database, outbox: Outbox, inbox: Inbox, client: httpx.AsyncClient) -> None:
        self.database, self.outbox, self.inbox, self.client = database, outbox, inbox, client

    async def do(self, path: str, **body: Any) -> Any:
        response = await self.client.post(path, json=body, headers={"authorization": "Bearer token"})
        assert response.status_code == 200, response.text
        return response.json()

    async def see(self, path: str) -> Any:
        return (await self.client.get(path, headers={"authorization": "Bearer token"})).json()


@pytest.fixture
async def office(postgres: EmbeddedPostgres, clock: ManualClock) -> AsyncIterator[Office]:
    name = f"lossy_office_{os.getpid()}"
    url = postgres.ensure_database(name)
    engine = create_engine(url)
    office_metadata.create_all(engine)
    engine.dispose()
    database = Database(url)
    outbox, inbox = Outbox(database, clock, office_seam), Inbox(database, clock, office_seam)
    stores: dict[str, Any] = {"database": database, "clock": clock, "outbox": outbox, "inbox": inbox}
    door = EnterpriseDoor(**stores, side=Side.OFFICE, partner="mdus", passwords={"MDUS": "secret"})
    area = build(database=database, clock=clock, door=door)
    area.routes += door.routes()
    transport = httpx.ASGITransport(app=create_app(area, token="token"))
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        yield Office(database, outbox, inbox, client)
    await database.close()
    postgres.drop_database(name)


async def settled(world: Any, office: Office) -> None:
    """Let both sides try until nothing waits to be sent; what was lost is tried again at once."""
    for _ in range(500):
        for database, table in ((world.database, mdus_seam.outbox), (office.database, office_seam.outbox)):
            async with database.begin() as tx:
                await tx.execute(update(table).where(table.c.state == PENDING).values(next_attempt_at=LONG_AGO))
        await world.settle()
        while await office.outbox._deliver_batch() or await office.inbox._handle_batch(retry_parked=True):
            pass
        await world.settle()
        left = 0
        for database, table in ((world.database, mdus_seam.outbox), (office.database, office_seam.outbox)):
            async with database.begin() as tx:
                query = select(func.count()).select_from(table).where(table.c.state == PENDING)
                left += int(await tx.scalar(query) or 0)
        if not left:
            return
    pytest.fail("messages wait for ever")


def meter(serial: str) -> Any:
    identity = cim.Identity.named(serial, "SerialNumber")
    return SimpleNamespace(serial=serial, identity=identity, interval_s=1800)


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_sides_agree_in_the_end(seed: int, world: Any, office: Office, clock: ManualClock):
    line = BadLine(seed)
    world.outbox.connect(Seam.ENTERPRISE, line.to(office.client, "MDUS"))
    office.outbox.connect(Seam.ENTERPRISE, line.to(world.client, "OFFICE"))
    field, serials = played_field(world), ["E1", "E2", "E3"]
    await office.do("/api/devices/receive", devices=[{"serial": one, "interval_s": 1800} for one in serials])
    for number, serial in enumerate(serials):
        await office.do(
            "/api/installations",
            device=serial,
            point_of_delivery=f"P{number}",
            installed_at="2026-02-27T10:00:00+01:00",
            customer={"id": f"K{number}", "name": "N", "address": "A"},
        )
    await settled(world, office)
    await field.discover(*(meter(one) for one in serials))
    clock.advance_to(datetime(2026, 3, 2, 1, tzinfo=UTC))
    for serial in serials:
        await office.do("/api/readings", device=serial, day=DAY.isoformat(), reason="10")
    await settled(world, office)
    for number, serial in enumerate(serials):
        await field.deliver(meter(serial), DAY, wh=100 + number, register_wh=1_000_000 + number)
    await settled(world, office)
    assert min(line.lost, line.doubled, line.late) > 0
    await compare(world, office, serials)


async def compare(world: Any, office: Office, serials: list[str]) -> None:
    """Devices, registers, orders, readings and intervals, one by one."""
    states = await world.states()
    orders = {one["document"].lstrip("0"): one for one in (await world.api("/api/orders"))["orders"]}
    for number, serial in enumerate(serials):
        here = await office.see(f"/api/devices/{serial}")
        assert here["stage"] == "registered"
        assert states[here["id"].lstrip("0")] == "registered"
        there = await world.api(f"/api/devices/{here['id']}")
        tasks = [
            {one["id" if "id" in one else "task"].lstrip("0") for one in page["registers"]} for page in (here, there)
        ]
        assert tasks[0] == tasks[1]
        (order,) = here["orders"]
        assert orders[order["id"].lstrip("0")]["state"] == "result confirmed"
        (reading,) = [one for one in here["readings"] if one["document_id"] == order["id"]]
        assert reading["value_milli"] == 1_000_000 + number
        shown = await office.see(f"/api/devices/{serial}/series?first={DAY}&past_last=2026-03-02")
        (day,) = shown["days"]
        channel = next(one["channel"] for one in there["channels"] if one["interval_s"])
        span = local_day(ZONE, DAY)
        series = await world.api(
            f"/api/series/{channel}", **{"from": span.start.isoformat(), "to": span.end.isoformat()}
        )
        assert day["values_milli"] == series["values"] == [100 + number] * 48
        assert day["version"] == 1, "a repeat makes no new version"


def _number(register: dict[str, Any]) -> str:
    """The number of a measurement task, as either side shows it."""
    return str(register.get("task") or register["id"]).lstrip("0")
