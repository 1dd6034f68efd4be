from __future__ import annotations

import asyncio

import pytest

from openami.ami.headend.wires import RECEIVED_MAX, ConnectionLostError, Wire


class Plug(asyncio.Transport):
    """The other end of a wire: counts how often it was pulled."""

    pulled = 0

    def abort(self) -> None:
        self.pulled += 1


@pytest.fixture
def plug() -> Plug:
    return Plug()


@pytest.fixture
def wire(plug: Plug) -> Wire:
    wire = Wire()
    wire.connection_made(plug)
    return wire


async def test_a_peer_that_floods_a_wire_loses_it(wire: Wire, plug: Plug):
    for _ in range(4):
        wire.data_received(bytes(RECEIVED_MAX // 4))
    assert plug.pulled == 0
    wire.data_received(b"\x00")
    assert plug.pulled == 1
    assert len(wire._received) == 0, "nothing of it is kept"
    with pytest.raises(ConnectionLostError, match="more than 1048576 octets that nobody asked for"):
        await wire.read(60)
    with pytest.raises(ConnectionLostError):
        wire.write(b"?")


async def test_who_waits_hears_of_a_flood(wire: Wire):
    waiting = asyncio.create_task(wire.read(60))
    await asyncio.sleep(0)
    wire.datagram_received(bytes(RECEIVED_MAX + 1), None)
    with pytest.raises(ConnectionLostError, match="nobody asked for"):
        await waiting


async def test_a_wire_gives_what_has_come_and_is_not_kept_with_a_rest(wire: Wire):
    wire.data_received(b"an ")
    wire.data_received(b"answer")
    assert await wire.read(60) == b"an answer"
    assert wire.alive
    wire.data_received(b"unasked")
    assert not wire.alive


async def test_what_does_not_come_in_time_is_not_waited_for(wire: Wire):
    with pytest.raises(TimeoutError):
        await wire.read(0)
    wire.data_received(b"late")
    assert await wire.read(60) == b"late", "and the wire itself is as good as before"


async def test_an_answer_that_comes_together_with_the_end_of_its_time_is_taken(wire: Wire):
    waiting = asyncio.create_task(wire.read(0))
    await asyncio.sleep(0)
    wire.data_received(b"answer")
    assert await waiting == b"answer"
