"""The fake MDUS of the test kit as it runs from the command line, over HTTP, against the real office: every role."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from tests.certificates import free_port

from openami.office.area import build
from openami.office.context import OfficeSettings
from openami.office.tables import seam
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import CONTENT_TYPE, EnterpriseDoor
from openami.shared.seam.transport import HttpTransport, Partner
from openami.shared.service import create_app
from openami.testing.faults import Faults
from openami.testing.report import Outcome
from openami.testing.roles import ROLES
from openami.testing.run import Endpoint, Peer, play_mdus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MDUS = Endpoint("127.0.0.1", free_port())


class Person:
    """Somebody at an office that runs with all its loops."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url, self.client = url, client

    async def do(self, path: str, **body: Any) -> Any:
        response = await self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def until(self, path: str, holds: Any) -> Any:
        """Look again and again until something holds; the time limit of the test ends it."""
        while True:
            found = (await self.client.get(path)).json()
            if holds(found):
                return found
            await asyncio.sleep(0.02)


@pytest.fixture
async def person(database: Database, clock: ManualClock) -> AsyncIterator[Person]:
    clock._now = datetime(2026, 4, 2, 8, tzinfo=UTC)
    outbox, inbox = Outbox(database, clock, seam), Inbox(database, clock, seam)
    stores: dict[str, Any] = {"database": database, "clock": clock, "outbox": outbox, "inbox": inbox}
    door = EnterpriseDoor(**stores, side=Side.OFFICE, partner="mdus", passwords={"MDUS": "secret"})
    way = HttpTransport({"mdus": Partner(f"http://{MDUS.host}:{MDUS.port}", "OFFICE", "x")}, content_type=CONTENT_TYPE)
    outbox.connect(Seam.ENTERPRISE, way.deliver)
    door.carry = way.deliver
    area = build(database=database, clock=clock, door=door, settings=OfficeSettings())
    area.routes += door.routes()
    area.loops += [outbox.run, inbox.run]
    port = free_port()
    config = uvicorn.Config(create_app(area, token="token"), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    url = f"http://127.0.0.1:{port}"
    headers = {"authorization": "Bearer token"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        yield Person(url, client)
    server.should_exit = True
    await running
    await way.close()


async def installed(person: Person, number: int, **more: Any) -> None:
    await person.do(
        "/api/installations",
        device=f"E{number}",
        point_of_delivery=f"P{number}",
        installed_at="2026-02-28T10:00:00+01:00",
        customer={"id": f"K{number}", "name": "N", "address": "A"},
        **more,
    )
    await person.until(f"/api/devices/E{number}", lambda page: page["stage"] == "registered")


async def everything(person: Person) -> None:
    """What the roles want of a back office."""
    await person.do("/api/devices/receive", devices=[{"serial": f"E{n}", "interval_s": 1800} for n in (1, 2, 3)])
    await installed(person, 1, reading="100")
    await installed(person, 2)
    await person.do("/api/devices/change", device="E1", material="SM-NEW")
    await person.do("/api/replications", devices=["E1"])
    await person.do("/api/texts", devices=["E1"], text="Hello.")
    await person.do("/api/device-states/ask", device="E1")
    await person.do("/api/series/ask", device="E1", start="2026-03-01T00:00:00Z", end="2026-03-01T06:00:00Z")
    ordered = await person.do("/api/readings", device="E1")
    await person.do("/api/usage-requests", device="E1", first_day="2026-03-01", past_last_day="2026-03-02")
    await person.do("/api/disconnections", point_of_delivery="P1", reason="customer request")
    await person.until("/api/orders", lambda rows: any(one["id"] == ordered["order"] for one in rows))
    await person.do("/api/replacements", old="E2", new="E3", at="2026-04-02T09:00:00+02:00", final_reading="9000")


WITHDRAWALS = {"cancelled reading orders", "withdrawn switching"}
"""An office withdraws what is still open; the others answer at once."""


@pytest.mark.parametrize("kinds", [(), ("late", "duplicate", "reordered", "malformed")])
async def test_every_role_passes_against_the_office(person: Person, clock: ManualClock, kinds: tuple[str, ...]):
    names = sorted(set(ROLES) - WITHDRAWALS)
    faults = Faults.of(kinds, share=0.4, seed=7, late_s=0.01)
    playing = asyncio.create_task(
        play_mdus(Peer(person.url, "MDUS", "secret"), MDUS, names, faults=faults, clock=clock, for_s=40)
    )
    await everything(person)
    told = await playing
    assert {one.name: one.note for one in told if one.outcome is not Outcome.PASSED} == {}
    assert len(told) == len(names)


@pytest.mark.parametrize("kinds", [(), ("late", "duplicate", "reordered", "malformed")])
async def test_withdrawals_pass_as_nothing_is_carried_out_before(
    person: Person, clock: ManualClock, kinds: tuple[str, ...]
):
    faults = Faults.of(kinds, share=0.4, seed=7, late_s=0.01)
    playing = asyncio.create_task(
        play_mdus(Peer(person.url, "MDUS", "secret"), MDUS, sorted(WITHDRAWALS), faults=faults, clock=clock, for_s=40)
    )
    await person.do("/api/devices/receive", devices=[{"serial": "E1", "interval_s": 1800}])
    await installed(person, 1)
    reading = await person.do("/api/readings", device="E1")
    switching = await person.do("/api/disconnections", point_of_delivery="P1", reason="customer request")
    await person.until("/api/orders", lambda rows: state_of(rows, reading) == "accepted")
    await person.do("/api/reading-orders/cancel", order=reading["order"])
    await person.until("/api/orders", lambda rows: state_of(rows, reading) == "cancelled")
    await person.do("/api/connections/cancel", order=switching["order"])
    told = await playing
    assert [(one.name, one.outcome) for one in told] == [(name, Outcome.PASSED) for name in sorted(WITHDRAWALS)]
    page = await person.until("/api/connections", lambda rows: state_of(rows, switching) not in {"sent", "cancelling"})
    assert state_of(page, switching) in {"cancelled", "failed"}, "whichever confirmation comes first"


def state_of(rows: list[dict[str, Any]], ordered: dict[str, Any]) -> str | None:
    """The state of an order on a page of them."""
    return next((one["state"] for one in rows if one["id"] == ordered["order"]), None)


def test_only_withdrawals_hold_back():
    assert {name for name, one in ROLES.items() if one.holds_back} == WITHDRAWALS


async def test_what_the_fake_mdus_refuses_is_seen_at_the_office(person: Person, clock: ManualClock):
    playing = asyncio.create_task(
        play_mdus(Peer(person.url, "MDUS", "secret"), MDUS, faults=Faults.of(["refused"], share=1), clock=clock)
    )
    await person.do("/api/devices/receive", devices=[{"serial": "E1"}])
    page = await person.until("/api/devices/E1", lambda found: found["stage"] != "received")
    assert page["stage"] == "refused"
    playing.cancel()
    await playing


async def test_a_wrong_password_is_told_in_the_report(person: Person, clock: ManualClock):
    playing = asyncio.create_task(
        play_mdus(Peer(person.url, "MDUS", "wrong"), MDUS, ["device initialization"], clock=clock, for_s=2)
    )
    await person.do("/api/devices/receive", devices=[{"serial": "E1"}])
    told = await playing
    assert any(one.name == "delivery" and "HTTP 401" in one.note for one in told), told
