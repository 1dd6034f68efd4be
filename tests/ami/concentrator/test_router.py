"""DLMS through a concentrator over real sockets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, SECRET, RunningField, running

from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.events import NEED_DATA
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.queries import act, opened, read, read_entries
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.street import lls_password
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from typing import TypeVar

    from tests.ami.concentrator.conftest import Collector

    from openami.ami.dlms.events import Event
    from openami.ami.dlms.queries import Query
    from openami.shared.database import Database

    T = TypeVar("T")

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SERIAL = "OAE0000001"


class HeadEnd:
    """One TCP connection to a concentrator, speaking with one meter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serial: str) -> None:
        self._reader, self._writer = reader, writer
        framing = WrapperFraming.client(address=GatewayAddress(0, serial.encode()))
        self._client = ClientConnection(framing, password=lls_password(SECRET, serial).encode())

    @classmethod
    async def connect(cls, field: RunningField, serial: str = SERIAL) -> HeadEnd:
        street = await field.get("/api/street")
        (device,) = [each for each in street["devices"] if each["serial"] == serial]
        assert bytes.fromhex(device["gateway_address"]) == serial.encode()
        assert device["lls_password"] == lls_password(SECRET, serial)
        return cls(*await asyncio.open_connection(device["concentrator_host"], device["concentrator_port"]), serial)

    async def open(self) -> HeadEnd:
        opened(await self.exchange(self._client.send(self._client.associate())))
        return self

    async def ask(self, query: Query[T]) -> T:
        return query.result(await self.exchange(self._client.send(query.request)))

    async def exchange(self, octets: bytes) -> Event:
        self._writer.write(octets)
        while True:
            received = await self._reader.read(65536)
            if not received:
                raise ConnectionResetError
            self._client.receive_data(received)
            while (event := self._client.next_event()) is NEED_DATA and (more := self._client.data_to_send()):
                self._writer.write(more)
            if event is not NEED_DATA:
                return event  # type: ignore[return-value]

    def close(self) -> None:
        self._writer.close()


async def test_two_clients_read_two_meters_at_once(field: RunningField):
    await field.advance(GENESIS + timedelta(days=3))
    first, second = await asyncio.gather(HeadEnd.connect(field, SERIAL), HeadEnd.connect(field, "OAE0000002"))
    await asyncio.gather(first.open(), second.open())
    registers = await asyncio.gather(first.ask(read("1-0:1.8.0", 3)), second.ask(read("1-0:1.8.0", 3)))
    truth = [await field.get(f"/api/meters/{serial}") for serial in (SERIAL, "OAE0000002")]
    assert [register.integer() for register in registers] == [view["register_wh"] for view in truth]
    profile = await first.ask(read_entries("1-0:99.1.0"))
    assert len(profile) == 144
    assert profile.columns[2].values.sum() == truth[0]["register_wh"] - truth[0]["start_register"]
    first.close()
    second.close()


async def test_one_connection_can_talk_to_many_meters(field: RunningField):
    head_end = await HeadEnd.connect(field)
    await head_end.open()
    other = HeadEnd(head_end._reader, head_end._writer, "OAE0000003")
    await other.open()
    assert (await head_end.ask(read("0-0:96.1.0", 1))).text() == SERIAL
    assert (await other.ask(read("0-0:96.1.0", 1))).text() == "OAE0000003"
    head_end.close()


async def test_garbage_closes_its_connection_and_no_other(field: RunningField):
    good, bad = await HeadEnd.connect(field), await HeadEnd.connect(field)
    await good.open()
    with pytest.raises(ConnectionResetError):
        await bad.exchange(b"GET / HTTP/1.1\r\n\r\n")
    bad.close()
    assert (await good.ask(read("0-0:96.1.0", 1))).text() == SERIAL
    good.close()


async def test_a_frame_for_nobody_is_not_answered(field: RunningField):
    head_end = await HeadEnd.connect(field)
    nobody = HeadEnd(head_end._reader, head_end._writer, "OAE9999999")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await nobody.open()
    await head_end.open()
    head_end.close()


async def test_a_switched_breaker_survives_the_process(tables: Database, collector: Collector):
    clock = ManualClock(GENESIS)
    async with running(tables, clock, collector) as field:
        await field.advance(GENESIS + timedelta(hours=10))
        head_end = await (await HeadEnd.connect(field)).open()
        await head_end.ask(act("0-0:96.3.10", 70, 1))
        before = await field.get(f"/api/meters/{SERIAL}")
        head_end.close()
    async with running(tables, clock, collector) as field:
        after = await field.get(f"/api/meters/{SERIAL}")
        assert after["breaker"] == before["breaker"] | {"closed": False}
        assert after["register_wh"] == before["register_wh"]
        assert [event["code"] for event in after["events"]] == [62, 1, 2]  # the kill was a power cut of no length
        await field.advance(GENESIS + timedelta(hours=20))
        assert (await field.get(f"/api/meters/{SERIAL}"))["register_wh"] == before["register_wh"]


async def test_a_link_that_is_down_drops_and_refuses(field: RunningField):
    head_end = await (await HeadEnd.connect(field)).open()
    span = {"from": (GENESIS + timedelta(hours=1)).isoformat(), "to": (GENESIS + timedelta(hours=5)).isoformat()}
    await field.post("/api/faults", {"kind": "link_down", "transformer": "T01", **span})
    assert (await field.work()).next_due == GENESIS + timedelta(hours=1)
    await field.advance(GENESIS + timedelta(hours=2))
    with pytest.raises(ConnectionError):
        await head_end.ask(read("1-0:1.8.0", 3))
    head_end.close()
    refused = await HeadEnd.connect(field)
    with pytest.raises(ConnectionError):
        await refused.open()
    refused.close()
    await field.advance(GENESIS + timedelta(hours=5))
    again = await (await HeadEnd.connect(field)).open()
    again.close()
