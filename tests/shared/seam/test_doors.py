"""Both doors as a partner sees them: over HTTP, with duplicates, strangers and garbage."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import MetaData, select

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import codec, confirm, headers, logs
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.scan_records import SCAN_FROM_BYTES
from openami.shared.errors import OpenAmiError
from openami.shared.seam import Inbox, Outbox, Seam, SeamTables, enterprise, seam_tables
from openami.shared.seam.access import Rights
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.service import Area, create_app

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import ManualClock
    from openami.shared.contract.enterprise.model import HeadedMessage
    from openami.shared.database import Database
    from openami.shared.seam import Envelope

pytestmark = pytest.mark.postgres
CREATE = "UtilitiesDeviceERPSmartMeterCreateRequest"


@dataclass
class Middle:
    """An MDUS with two doors, its partner's ear, and what it was handed."""

    database: Database
    tables: SeamTables
    inbox: Inbox
    outbox: Outbox
    enterprise: EnterpriseDoor
    field_door: FieldDoor
    client: httpx.AsyncClient
    handled: list[Any] = field(default_factory=list)
    heard: list[Envelope] = field(default_factory=list)

    async def run_until(self, count: int) -> None:
        """Let inbox and outbox work until the partner has heard so many messages."""
        tasks = [asyncio.create_task(self.inbox.run()), asyncio.create_task(self.outbox.run())]
        for _ in range(1000):
            if len(self.heard) >= count:
                break
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(self.heard) == count


@pytest.fixture
async def middle(database: Database, clock: ManualClock) -> Middle:
    metadata = MetaData()
    tables = seam_tables(metadata)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    inbox, outbox = Inbox(database, clock, tables), Outbox(database, clock, tables)
    stores: dict[str, Any] = {"database": database, "clock": clock, "inbox": inbox, "outbox": outbox}
    passwords = {"sap": "secret", "AMS1": "secret"}
    enterprise = EnterpriseDoor(**stores, side=Side.MDUS, partner="office", passwords=passwords)
    rights = {"READER": Rights("secret", operations=("created Meter*",))}
    door = FieldDoor(**stores, source="MDUS", passwords=passwords, rights=rights)
    app = create_app(Area("mdus", clock, database, routes=[*enterprise.routes(), *door.routes()]), token="t")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mdus", auth=("sap", "secret"))
    made = Middle(database, tables, inbox, outbox, enterprise, door, client)

    async def hear(envelope: Envelope) -> bytes:
        made.heard.append(envelope)
        return b""

    async def create(transaction: AsyncConnection, message: Any) -> None:
        made.handled.append(message)
        if message.utilities_device.id == "REFUSE":
            raise OpenAmiError("this device is not for us")
        answer = confirm.confirmation_for(message, logs.success(), created=clock.now())
        await enterprise.send(transaction, answer)

    async def take_readings(_transaction: AsyncConnection, message: cim.Envelope) -> cim.Envelope:
        made.handled.append(message)
        return cim.reply_to(message.header, source="MDUS", at=clock.now())

    outbox.connect(Seam.ENTERPRISE, hear)
    enterprise.handlers[type(example(CREATE))] = create
    door.handlers[cim.Verb.CREATED, "MeterReadings"] = take_readings
    return made


def soap(root: str = CREATE) -> tuple[HeadedMessage, bytes]:
    message: Any = example(root)
    return message, codec.encode(message)


async def test_a_request_is_kept_acknowledged_handled_and_confirmed(middle: Middle) -> None:
    request, body = soap()
    answer = await middle.client.post(f"/services/{CREATE}_Out", content=body)
    assert answer.status_code == 202
    await middle.run_until(1)
    confirmation: Any = codec.decode(middle.heard[0].body)
    assert confirmation.message_header.reference_uuid == request.message_header.uuid
    assert confirmation.log.business_document_processing_result_code == "3"


async def test_a_repeat_is_handled_once_and_gets_the_stored_confirmation_again(middle: Middle) -> None:
    _, body = soap()
    await middle.client.post(f"/services/{CREATE}_Out", content=body)
    await middle.run_until(1)
    await middle.client.post(f"/services/{CREATE}_Out", content=body)
    await middle.run_until(2)
    assert len(middle.handled) == 1
    assert middle.heard[0] == middle.heard[1]


async def test_a_refusal_is_a_negative_confirmation_that_says_why(middle: Middle) -> None:
    request: Any = example(CREATE)
    body = codec.encode(request).replace(f"<ID>{request.utilities_device.id}</ID>".encode(), b"<ID>REFUSE</ID>")
    await middle.client.post(f"/services/{CREATE}_Out", content=body)
    await middle.run_until(1)
    confirmation: Any = codec.decode(middle.heard[0].body)
    assert confirmation.log.business_document_processing_result_code == "5"
    assert "not for us" in confirmation.log.item[0].note


async def test_an_operation_without_a_handler_is_refused_too(middle: Middle) -> None:
    _, body = soap("UtilitiesDeviceERPSmartMeterRegisterCreateRequest")
    await middle.client.post("/services/anything", content=body)
    await middle.run_until(1)
    confirmation: Any = codec.decode(middle.heard[0].body)
    assert "not offered" in confirmation.log.item[0].note


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
    ],
)
async def test_garbage_gets_a_fault_and_is_set_aside_and_the_door_stays_open(middle: Middle, body: bytes) -> None:
    answer = await middle.client.post("/services/anything", content=body)
    assert answer.status_code == 500
    assert b"Fault" in answer.content
    async with middle.database.begin() as transaction:
        kept = (await transaction.execute(select(middle.tables.quarantine))).one()
    assert (kept.body, kept.partner) == (body, "sap")
    assert (await middle.client.post("/services/anything", content=soap()[1])).status_code == 202


async def test_a_message_that_breaks_its_schema_is_set_aside_and_refused_by_a_confirmation(middle: Middle) -> None:
    request, body = soap()
    broken = body.replace(b"<SerialID>", b"<Serial>").replace(b"</SerialID>", b"</Serial>")
    assert (await middle.client.post("/services/anything", content=broken)).status_code == 202
    await middle.run_until(1)
    confirmation: Any = codec.decode(middle.heard[0].body)
    assert confirmation.message_header.reference_uuid == request.message_header.uuid
    assert confirmation.log.business_document_processing_result_code == "5"
    assert "SerialID" in confirmation.log.item[0].note
    async with middle.database.begin() as transaction:
        assert (await transaction.execute(select(middle.tables.quarantine))).one().body == broken
    assert middle.handled == []


async def test_strangers_are_asked_who_they_are(middle: Middle) -> None:
    for auth in (("sap", "wrong"), ("nobody", "secret"), ("sap", "")):
        assert (await middle.client.post("/services/x", content=soap()[1], auth=auth)).status_code == 401
        assert (await middle.client.post("/cim/send", content=b"", auth=auth)).status_code == 401


async def test_each_interface_describes_itself(middle: Middle) -> None:
    assert b"definitions" in (await middle.client.get(f"/services/{CREATE}_Out?wsdl")).content
    assert b"definitions" in (await middle.client.get("/services?wsdl")).content
    assert (await middle.client.get("/services/Nothing?wsdl")).status_code == 404


def readings(message_id: str) -> bytes:
    payload = cim.MeterReadings((cim.MeterReading(meter=cim.Identity.named("M1")),))
    return cim.encode(cim.event(cim.Verb.CREATED, payload, source="AMS1", at=_at(), message_id=message_id))


def _at() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


async def test_a_delivery_is_answered_at_once_and_a_repeat_gets_the_same_bytes(middle: Middle) -> None:
    body = readings(str(uuid4()))
    first, second = [await middle.client.post("/cim/send", content=body, auth=("AMS1", "secret")) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert len(middle.handled) == 1
    reply = cim.decode(first.content).reply
    assert reply is not None
    assert reply.result is cim.Result.OK


async def test_what_a_door_does_not_take_is_refused_with_a_code(middle: Middle) -> None:
    payload = cim.MeterReadings((cim.MeterReading(meter=cim.Identity.named("M1")),))
    body = cim.encode(cim.event(cim.Verb.CHANGED, payload, source="AMS1", at=_at()))
    answer = await middle.client.post("/cim/send", content=body)
    reply = cim.decode(answer.content).reply
    assert reply is not None
    assert (reply.result, reply.errors[0].code) == (cim.Result.FAILED, "2.12")


async def test_a_partner_of_the_field_seam_sends_what_it_may_and_is_told_what_it_may_not(middle: Middle) -> None:
    reader = ("READER", "secret")
    taken = await middle.client.post("/cim/send", content=readings(str(uuid4())), auth=reader)
    assert _result(taken) is cim.Result.OK
    payload = cim.UsagePointConfig()
    event = cim.encode(cim.event(cim.Verb.CREATED, payload, source="AMS1", at=_at()))
    refused = await middle.client.post("/cim/send", content=event, auth=reader)
    assert refused.status_code == 200
    reply = cim.decode(refused.content).reply
    assert reply is not None
    assert (reply.result, reply.errors[0].code) == (cim.Result.FAILED, "3.1")
    assert reply.errors[0].reason == (
        "READER may not send created UsagePointConfig. "
        'If it is to: "created UsagePointConfig" in the operations of [field_partners.READER].'
    )
    assert len(middle.handled) == 1
    async with middle.database.begin() as transaction:
        aside = (await transaction.execute(select(middle.tables.quarantine))).one()
    assert (aside.partner, aside.body) == ("READER", event)
    assert (await middle.client.post("/cim/send", content=event, auth=("READER", "wrong"))).status_code == 401


def _result(answer: httpx.Response) -> cim.Result | None:
    reply = cim.decode(answer.content).reply
    return reply.result if reply is not None else None


@pytest.mark.parametrize("body", [b"", b"<x/>", b"\xff\xfe", readings("00000000-0000-4000-8000-000000000001")[:200]])
async def test_a_broken_field_message_is_a_400_with_a_code_and_is_set_aside(middle: Middle, body: bytes) -> None:
    answer = await middle.client.post("/cim/send", content=body)
    assert answer.status_code == 400
    reply = cim.decode(answer.content).reply
    assert reply is not None
    assert reply.errors[0].code.startswith("1.")
    assert (await middle.client.post("/cim/send", content=readings(str(uuid4())))).status_code == 200


BULK = "UtilitiesDeviceERPSmartMeterBulkCreateRequest"


def bulk_of(root: str, count: int) -> Any:
    """A bulk message of so many items, each with an id of its own."""
    message: Any = example(root)
    item = message.items[0]
    items = [replace(item, message_header=headers.header(item.message_header.creation_date_time)) for _ in range(count)]
    return replace(message, items=tuple(items))


async def sent_in_parts(middle: Middle, message: Any, limit_bytes: int) -> list[Any]:
    """What the partner hears of a message when bulk messages may have so many bytes."""
    door = middle.enterprise
    door._bulk_bytes_max = limit_bytes
    async with middle.database.begin() as transaction:
        await door.send(transaction, message, business_key="devices")
    while await middle.outbox._deliver_batch():
        pass
    assert all(one.business_key == "devices" for one in middle.heard)
    return [codec.decode(one.body) for one in middle.heard]


@pytest.mark.parametrize("count", [2, 7, 50])
async def test_a_large_bulk_leaves_in_parts_that_are_small_enough(middle: Middle, count: int) -> None:
    message = bulk_of(BULK, count)
    limit_bytes = len(codec.encode(message)) * 2 // 5
    parts = await sent_in_parts(middle, message, limit_bytes)
    assert [item for part in parts for item in part.items] == list(message.items)
    assert len({part.message_header.uuid for part in parts}) == len(parts) >= 2
    assert all(
        len(one.body) <= limit_bytes or len(part.items) == 1 for one, part in zip(middle.heard, parts, strict=True)
    )


async def test_what_fits_leaves_whole_under_its_own_id(middle: Middle) -> None:
    message = bulk_of(BULK, 7)
    assert await sent_in_parts(middle, message, len(codec.encode(message))) == [message]


async def test_one_item_that_is_too_large_leaves_all_the_same(middle: Middle) -> None:
    parts = await sent_in_parts(middle, bulk_of(BULK, 3), 1)
    assert [len(part.items) for part in parts] == [1, 1, 1]


async def test_a_confirmation_is_never_split_as_a_request_gets_exactly_one(middle: Middle) -> None:
    answer = confirm.confirmation_for(bulk_of(BULK, 7), logs.success(), created=middle.enterprise._clock.now())
    assert await sent_in_parts(middle, answer, 1) == [answer]


async def test_a_message_that_takes_long_to_read_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[int, int] = {}
    monkeypatch.setattr(
        enterprise, "decode_in_columns", lambda body: threads.setdefault(len(body), threading.get_ident())
    )
    for size in (SCAN_FROM_BYTES - 1, SCAN_FROM_BYTES, SCAN_FROM_BYTES + 1):
        await enterprise._read(b"x" * size)
    beside = [size for size, thread in threads.items() if thread != threading.get_ident()]
    assert beside == [SCAN_FROM_BYTES, SCAN_FROM_BYTES + 1], "all that may load compiled loops"
