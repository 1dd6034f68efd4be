"""Pushes on their way out: when they are tried, when again, and when they are given up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, SECRET, ZONE

from openami.ami.concentrator import pushes as module
from openami.ami.concentrator.pushes import Pushes
from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.meter.field import Field
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.pushing import TCP, UDP, Destination
from openami.ami.meter.settings import PUSH_ALARM, PUSH_INTERVAL, PUSH_LAST_GASP
from openami.ami.meter.street import build_street
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.ami.dlms.obis import Obis
    from openami.ami.meter.model import Meter
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres
SERIAL = "OAE0000001"
MINUTE = timedelta(minutes=1)


class Wire:
    """Where pushes go; it fails as often as a test wants."""

    def __init__(self) -> None:
        self.failures = 0
        self.heard: list[bytes] = []
        self.tried = 0

    async def send(self, destination: Destination, frame: bytes) -> None:
        assert (destination.host, destination.port) == ("127.0.0.1", 4059)
        self.tried += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionRefusedError("nobody is there")
        self.heard.append(frame)


class Out:
    """The pushes of a street, in the hands of a test."""

    def __init__(self, field: Field, pushes: Pushes, wire: Wire, clock: ManualClock) -> None:
        self.field, self.pushes, self.wire, self.clock = field, pushes, wire, clock

    @property
    def meter(self) -> Meter:
        return self.field.fleet.meters[SERIAL]

    async def set_up(self, setup: Obis, *, retries: int = 3, pause_s: int = 60, spread_s: int = 0) -> None:
        destination = d.structure(d.enum(0), d.octet_string(b"127.0.0.1:4059"), d.enum(0))
        values = {3: destination, 5: d.unsigned16(spread_s), 6: d.unsigned8(retries), 7: d.unsigned16(pause_s)}
        async with self.field.step() as fleet:
            for attribute, value in values.items():
                fleet.meters[SERIAL].write_setting(fleet.lived_s, setup, attribute, encode(value))

    async def push(self, setup: Obis) -> None:
        async with self.field.step() as fleet:
            fleet.meters[SERIAL].push(fleet.lived_s, setup)
        await self.settle()

    async def pass_time(self, minutes: float) -> None:
        to = self.clock.now() + minutes * MINUTE
        await self.field.advance(to)
        self.clock.advance_to(to)
        await self.settle()

    async def settle(self) -> None:
        """Until the loop waits for time again."""
        self.field.pushes_due.set()
        while self.field.pushes_due.is_set() or self.pushes.busy:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0)


@asynccontextmanager
async def pushing(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Out]:
    clock, wire = ManualClock(GENESIS), Wire()
    monkeypatch.setattr(module, "_send", wire.send)
    field = Field(database, clock, build_street(10, 1), ZONE)
    pushes = Pushes(field, SECRET)
    field.listeners.append(pushes)
    await field.start()
    task = asyncio.create_task(pushes.run())
    yield Out(field, pushes, wire, clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def out(tables: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Out]:
    async with pushing(tables, monkeypatch) as out:
        yield out


async def test_a_push_that_finds_nobody_is_sent_again_after_its_pause(out: Out):
    await out.set_up(PUSH_ALARM, pause_s=90)
    out.wire.failures = 2
    await out.push(PUSH_ALARM)
    assert (out.wire.tried, out.pushes.pending) == (1, 1)
    await out.pass_time(1)
    assert out.wire.tried == 1, "its pause is not over"
    await out.pass_time(1)
    assert out.wire.tried == 2
    await out.pass_time(2)
    assert (out.wire.tried, len(out.wire.heard)) == (3, 1)
    assert (out.pushes.sent, out.pushes.lost, out.pushes.pending) == (1, 0, 0)


async def test_it_is_given_up_after_the_last_try(out: Out):
    await out.set_up(PUSH_ALARM, retries=2, pause_s=60)
    out.wire.failures = 10
    await out.push(PUSH_ALARM)
    for _ in range(6):
        await out.pass_time(1.1)
    assert (out.wire.tried, out.pushes.lost, out.pushes.pending) == (3, 1, 0)


async def test_a_last_gasp_has_one_try(out: Out):
    await out.set_up(PUSH_LAST_GASP, retries=5)
    out.wire.failures = 1
    await out.push(PUSH_LAST_GASP)
    await out.pass_time(10)
    assert (out.wire.tried, out.pushes.lost) == (1, 1)


async def test_an_alarm_waits_its_while_before_the_first_try(out: Out):
    await out.set_up(PUSH_ALARM, spread_s=3600)
    await out.push(PUSH_ALARM)
    assert (out.wire.tried, out.pushes.pending) == (0, 1)
    await out.pass_time(61)
    assert len(out.wire.heard) == 1


async def test_behind_a_link_that_is_down_a_push_waits_for_its_next_try(out: Out):
    await out.set_up(PUSH_INTERVAL, pause_s=1800)
    span = {"from": GENESIS.isoformat(), "to": (GENESIS + 20 * MINUTE).isoformat()}
    body = {"kind": "link_down", "transformer": "T01"} | span
    await out.field.order(happening_of(body, out.field.street, ZONE))
    await out.push(PUSH_INTERVAL)
    assert (out.wire.tried, out.pushes.pending) == (0, 1)
    await out.pass_time(31)
    assert len(out.wire.heard) == 1


async def test_the_next_try_sends_the_same_octets_and_another_push_another_counter(
    out: Out, monkeypatch: pytest.MonkeyPatch
):
    await out.set_up(PUSH_INTERVAL, pause_s=60)
    frames = []

    async def fails_once(_destination: Destination, frame: bytes) -> None:
        frames.append(frame)
        if len(frames) == 1:
            raise TimeoutError

    monkeypatch.setattr(module, "_send", fails_once)
    await out.push(PUSH_INTERVAL)
    await out.pass_time(2)
    await out.push(PUSH_INTERVAL)
    assert len(frames) == 3
    assert frames[0] == frames[1]
    assert frames[1] != frames[2]


async def test_more_than_can_wait_are_lost(out: Out, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    await out.set_up(PUSH_ALARM, spread_s=3600)
    for _ in range(4):
        await out.push(PUSH_ALARM)
    assert (out.pushes.pending, out.pushes.lost) == (2, 2)


async def test_a_push_whose_destination_was_taken_away_while_it_waited_is_told_nobody(out: Out):
    await out.set_up(PUSH_ALARM, spread_s=3600)
    await out.push(PUSH_ALARM)
    nowhere = d.structure(d.enum(0), d.octet_string(b""), d.enum(0))
    async with out.field.step() as fleet:
        out.meter.write_setting(fleet.lived_s, PUSH_ALARM, 3, encode(nowhere))
    await out.pass_time(61)
    assert (out.wire.tried, out.pushes.sent, out.pushes.lost, out.pushes.pending) == (0, 0, 0, 0)


async def test_a_meter_without_a_destination_tells_nothing(out: Out):
    await out.push(PUSH_ALARM)
    assert (out.wire.tried, out.pushes.sent, out.pushes.lost, out.pushes.pending) == (0, 0, 0, 0)


@pytest.mark.enable_socket
async def test_over_tcp_a_push_is_a_connection_with_one_frame():
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard.put(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await module._send(Destination(TCP, "127.0.0.1", port), b"a frame")
    assert await heard.get() == b"a frame"
    server.close()
    await server.wait_closed()
    with pytest.raises(OSError, match="Connect call failed"):
        await module._send(Destination(TCP, "127.0.0.1", port), b"another")


@pytest.mark.enable_socket
async def test_over_udp_a_push_is_one_datagram():
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: object) -> None:
            heard.put_nowait(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    await module._send(Destination(UDP, "127.0.0.1", port), b"a frame")
    assert await heard.get() == b"a frame"
    transport.close()
