from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import MetaData

from openami.shared.seam import Arrival, Envelope, Inbox, Outbox, Seam, seam_tables
from openami.shared.seam.views import MessageViews
from openami.shared.service import Area, create_app

if TYPE_CHECKING:
    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
async def client(database: Database, clock: ManualClock) -> httpx.AsyncClient:
    metadata = MetaData()
    tables = seam_tables(metadata)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
        await Outbox(database, clock, tables).put(
            transaction, Envelope(uuid4(), Seam.FIELD, "mdus", "created MeterReadings", "/cim/send", b"<readings/>")
        )
        await Inbox(database, clock, tables).keep(
            transaction, Arrival(Seam.ENTERPRISE, "sap", uuid4(), "Ask", b"\xff\x00")
        )
    await Inbox(database, clock, tables).set_aside(seam=Seam.FIELD, partner="mdus", body=b"junk", reason="not XML")
    area = Area("test", clock, database, routes=[*MessageViews(database, tables).routes()])
    app = create_app(area, token="token")
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://area", headers={"authorization": "Bearer token"}
    )


async def test_messages_of_both_directions_are_listed_and_filtered(client: httpx.AsyncClient) -> None:
    everything = (await client.get("/api/messages")).json()["messages"]
    assert {message["direction"] for message in everything} == {"in", "out"}
    only = (await client.get("/api/messages", params={"seam": "field"})).json()["messages"]
    assert [message["operation"] for message in only] == ["created MeterReadings"]


async def test_one_message_shows_its_payload(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/messages/out/1")).json()["body"] == "<readings/>"
    assert (await client.get("/api/messages/in/1")).json()["body"] == "/wA=", "what is no text is base64"


async def test_a_message_that_is_not_there_is_an_error_with_a_hint(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/messages/out/99")
    assert answer.status_code == 422
    assert answer.json()["error"] == "NoSuchMessageError"


async def test_only_dead_letters_are_sent_again(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/messages/out/1/resend")
    assert answer.json()["error"] == "NotDeadError"


async def test_counts_and_quarantine(client: httpx.AsyncClient) -> None:
    counts = (await client.get("/api/messages/counts")).json()
    assert {(row["seam"], row["direction"], row["count"]) for row in counts} == {
        ("field", "out", 1),
        ("enterprise", "in", 1),
    }
    assert [row["reason"] for row in (await client.get("/api/messages/quarantine")).json()] == ["not XML"]


async def test_strangers_see_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/messages", headers={"authorization": "Bearer wrong"})).status_code == 401
    assert (await client.get("/healthz", headers={"authorization": ""})).status_code == 200


async def test_messages_are_found_by_object_and_time(client: httpx.AsyncClient) -> None:
    async def count(**asked: str) -> int:
        return len((await client.get("/api/messages", params=asked)).json()["messages"])

    assert await count(object="Utilities Device") == 0
    assert await count(partner="sap") == 1
    assert (await count(until="2026-03-01T00:00:00Z"), await count(**{"from": "2026-03-01T00:00:00Z"})) == (0, 2)
    assert await count(about="4711") == 0
    assert (await client.get("/api/messages", params={"object": "Odd"})).json()["error"] == "BadFilterError"
    assert (await client.get("/api/messages", params={"from": "odd"})).json()["error"] == "BadFilterError"


async def test_a_message_that_waits_can_be_withdrawn_and_sent_after_all(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/messages/out/1/cancel", json={"person": "ann"})).json()["state"] == "dead"
    assert (await client.get("/api/messages/out/1")).json()["error"] == "Cancelled by ann."
    assert (await client.post("/api/messages/out/1/cancel")).json()["error"] == "NotPendingError"
    assert (await client.post("/api/messages/out/1/resend")).json()["state"] == "pending"
    again = (await client.get("/api/messages/out/1")).json()
    assert (again["attempts"], again["error"]) == (0, None)


async def test_what_cannot_be_asked_is_told(client: httpx.AsyncClient) -> None:
    for query in (
        "limit=-1", "limit=all", "limit=1e3", "offset=-1", "offset=99999999999999999999", "offset=\u0663",
        "reference=7", "reference=%00", "from=yesterday", "until=2026-13-01", "object=Moon",
    ):  # fmt: skip
        answer = await client.get(f"/api/messages?{query}")
        assert (answer.status_code, answer.json()["error"]) == (422, "BadFilterError"), query
        assert answer.json()["hint"]
    huge = "9" * 40
    assert (await client.get(f"/api/messages/out/{huge}")).json()["error"] == "NoSuchMessageError"
    assert (await client.get("/api/messages/sideways/1")).json()["error"] == "NoSuchMessageError"
    assert (await client.post(f"/api/messages/out/{huge}/resend")).json()["error"] == "NotDeadError"
    assert (await client.post(f"/api/messages/out/{huge}/cancel")).json()["error"] == "NotPendingError"
    for body in (b"{", b"[]", b'{"person": "\\u0000"}'):
        assert (await client.post("/api/messages/out/1/cancel", content=body)).status_code == 422
    assert (await client.get("/api/messages/out/1")).json()["state"] == "pending"


async def test_a_page_has_as_many_messages_as_are_allowed(client: httpx.AsyncClient) -> None:
    page = (await client.get("/api/messages?limit=1&offset=1")).json()
    assert (len(page["messages"]), page["limit"], page["offset"]) == (1, 1, 1)
    assert (await client.get("/api/messages?limit=99999")).json()["limit"] == 500
    assert (await client.get("/api/messages?limit=0")).json()["messages"] == []
