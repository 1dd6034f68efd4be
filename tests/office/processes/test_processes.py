"""The office's side of every operation, against the fake MDUS of the test kit: each message alone, and in bulk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.office.conftest import Middle
from tests.zeep_client import ZeepSender, ZeepWriter, served

from openami.office.area import build
from openami.office.context import OfficeSettings
from openami.office.tables import seam
from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.service import create_app
from openami.testing.mdus import FakeMdus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import date
    from pathlib import Path

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database
    from openami.shared.seam import Envelope

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


class World:
    """An office, a fake MDUS that zeep writes for, and a person at the office."""

    def __init__(self, mdus: FakeMdus, client: httpx.AsyncClient, clock: ManualClock) -> None:
        self.mdus, self.client, self.clock = mdus, client, clock

    async def do(self, path: str, **body: Any) -> Any:
        response = await self.client.post(path, json=body, headers={"authorization": "Bearer token"})
        assert response.status_code == 200, response.text
        await self.mdus.flush()
        return response.json()

    async def see(self, path: str) -> Any:
        return (await self.client.get(path, headers={"authorization": "Bearer token"})).json()


async def world_of(database: Database, clock: ManualClock, folder: Path, form: str) -> AsyncIterator[World]:
    clock._now = datetime(2026, 2, 28, 7, tzinfo=UTC)
    outbox, inbox = Outbox(database, clock, seam), Inbox(database, clock, seam)
    stores: dict[str, Any] = {"database": database, "clock": clock, "outbox": outbox, "inbox": inbox}
    door = EnterpriseDoor(**stores, side=Side.OFFICE, partner="mdus", passwords={"MDUS": "secret"})
    area = build(database=database, clock=clock, door=door, settings=OfficeSettings(form=form))
    area.routes += door.routes()
    app = create_app(area, token="token")
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://office") as client,
        served(app) as url,
    ):
        writer = ZeepWriter((await client.get("/services?wsdl")).content, folder)
        post = ZeepSender(writer, url, "MDUS", "secret")

        async def settle() -> None:
            while await outbox._deliver_batch() or await inbox._handle_batch(retry_parked=True):
                pass

        async def deliver(envelope: Envelope) -> bytes:
            status, answer = mdus.hear(envelope.body)
            assert status in (200, 202), answer
            return answer

        mdus = FakeMdus(clock, post, settle=settle, encode=writer)
        mdus.in_bulk = form != "single"
        outbox.connect(Seam.ENTERPRISE, deliver)
        door.carry = deliver
        yield World(mdus, client, clock)
        post.close()


async def life_of_two_homes(world: World) -> None:
    """Everything that an office does with devices, customers and meters, from goods receipt to removal."""
    serials = ["E1", "E2", "E3", "E4"]
    await world.do("/api/devices/receive", devices=[{"serial": one, "interval_s": 1800} for one in serials])
    for number in (1, 2):
        await world.do(
            "/api/installations",
            device=f"E{number}",
            point_of_delivery=f"P{number}",
            installed_at="2026-02-28T10:00:00+01:00",
            feeder="T1",
            customer={"id": f"K{number}", "name": "N", "address": "A"},
            reading="100",
        )
    await world.do("/api/devices/change", device="E1", material="SM-NEW")
    await world.do("/api/devices/withdraw", devices=["E4"])
    await world.do("/api/texts", devices=["E1", "E2"], text="Hello.")
    await world.do("/api/replications", devices=["E1"])
    await world.do("/api/measurement-tasks/change", device="E1", time_of_use="PEAK")
    await world.do("/api/transformers", device="E1", transformer="CT1", factor="40")
    notice = await world.do("/api/switch-notices", device="E2", what="disconnect")
    await world.do("/api/switch-notices/undo", notice=notice["notice"], what="disconnect")
    assert (await world.do("/api/device-states/ask", device="E1"))["state"] == "on"
    told = await world.do("/api/series/ask", device="E1", start="2026-02-28T00:00:00Z", end="2026-02-28T06:00:00Z")
    assert len(told["items"]) == 6
    await world.do("/api/own-values", device="E1", start="2026-03-01T00:00:00Z", values_milli=[100, 200])


async def march(world: World) -> None:
    """Uploads, orders, quantities, switches, events: the month of the two homes."""
    first, second = [await world.see(f"/api/devices/{serial}") for serial in ("E1", "E2")]
    profile = next(one["profile_id"] for one in first["registers"] if one["profile_id"])
    register = next(one for one in second["registers"] if not one["profile_id"])
    channel = next(one for one in second["registers"] if one["profile_id"])
    march_1 = datetime(2026, 3, 1, tzinfo=UTC).date()
    await world.mdus.upload(profile, Middle.day_items(march_1, 100), change=False)
    await world.mdus.upload(profile, Middle.day_items(march_1, 150), change=True)
    await world.mdus.upload_by_point("P2", channel["obis"], Middle.day_items(march_1, 70))
    await world.mdus.flush()
    world.clock.advance_to(datetime(2026, 4, 2, 8, tzinfo=UTC))
    orders = await world.do("/api/reading-orders", month="2026-03")
    assert orders
    world.mdus.refuse = lambda _message: None
    await world.do("/api/readings", device="E1", on_demand=True)
    await world.mdus.read_unasked(second["id"], register["id"], world.clock.now() - timedelta(hours=2))
    await world.mdus.flush()
    usage = await world.do(
        "/api/usage-requests",
        device="E1",
        first_day="2026-03-01",
        past_last_day="2026-03-02",
        times_of_use=["PEAK", "OFFPEAK"],
    )
    (kept,) = await world.see("/api/usage-requests")
    assert (kept["state"], sorted(kept["quantities"])) == ("received", ["OFFPEAK", "PEAK"])
    assert kept["id"] == usage["usage_request"]
    await world.do("/api/usage-requests/cancel", usage_request=usage["usage_request"])
    await world.do("/api/disconnections", point_of_delivery="P1", reason="customer request")
    await world.do("/api/reconnections", point_of_delivery="P1")
    assert [one["state"] for one in await world.see("/api/connections")] == ["executed", "executed"]
    await world.mdus.tell((first["id"], "3002"))
    await world.mdus.flush()


async def uploaded(world: World, serial: str, day: date) -> list[int]:
    path = f"/api/devices/{serial}/series?first={day.isoformat()}&past_last={(day + timedelta(days=1)).isoformat()}"
    (shown,) = (await world.see(path))["days"]
    return list(shown["values_milli"])


async def second_thoughts(world: World) -> None:
    """What is withdrawn, corrected, replaced and reversed."""
    world.mdus.holds_back = True
    ordered = await world.do("/api/readings", device="E1")
    await world.do("/api/reading-orders/cancel", order=ordered["order"])
    off = await world.do("/api/disconnections", point_of_delivery="P2", reason="customer request")
    await world.do("/api/connections/cancel", order=off["order"])
    world.mdus.holds_back = False
    now = world.clock.now()
    await world.do("/api/replacements", old="E2", new="E3", at=now.isoformat(), final_reading="2200", start_reading="0")
    reading = next(one for one in (await world.see("/api/devices/E3"))["readings"])
    await world.do("/api/readings/correct", document=reading["document_id"], value="1", why="digits were swapped")
    states = {one["id"]: one["state"] for one in await world.see("/api/connections")}
    assert states[off["order"]] == "cancelled"


@pytest.mark.parametrize("form", ["single", "bulk"])
async def test_the_office_moves_every_operation_of_its_form(
    form: str, database: Database, clock: ManualClock, tmp_path: Path
):
    """Both forms together are the whole catalogue: what is in bulk here stands alone there."""
    async for world in world_of(database, clock, tmp_path, form):
        await life_of_two_homes(world)
        await march(world)
        day = datetime(2026, 3, 1, tzinfo=UTC).date()
        assert set(await uploaded(world, "E1", day)) == {150}, "the replaced values"
        assert set(await uploaded(world, "E2", day)) == {70}, "named by point of delivery"
        await second_thoughts(world)
        assert (await world.see("/api/status"))["requests_open"] == 0, "each request has its confirmation"
        assert sorted(expected(form) - set(world.mdus.crossed)) == []


def expected(form: str) -> set[str]:
    """The operations of a form: those in bulk or those that stand alone, and those that have no other form."""
    pairs = {one.name: twin(one.name) for one in catalogue().operations}
    return {name for name, other in pairs.items() if other is None or is_bulk(name) == (form == "bulk")}


def is_bulk(name: str) -> bool:
    return "Bulk" in name or "Bundle" in name


def twin(name: str) -> str | None:
    """The same operation in the other form, None if the catalogue has none."""
    names = {one.name for one in catalogue().operations}
    same = {other for other in names if other != name and other.replace("Bulk", "") == name.replace("Bulk", "")}
    return next(iter(same), None)
