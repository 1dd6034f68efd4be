from __future__ import annotations

import asyncio

import pytest

from openami.ami.headend.turns import Turns
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


async def test_who_reads_goes_on_in_its_turn_however_often_octets_come(plug: Plug):
    turns = Turns()
    log: list[tuple[str, bytes]] = []
    wires = {name: Wire() for name in "ABC"}

    async def session(name: str) -> None:
        with turns.of(name) as turn:
            while (octets := await wires[name].read(60, turn)) != b"end":
                log.append((name, octets))

    tasks = []
    for name, wire in wires.items():
        wire.connection_made(plug)
        tasks.append(asyncio.create_task(session(name)))
    await asyncio.sleep(0)
    for name in "CAB":
        wires[name].data_received(b"an ")
        wires[name].data_received(b"answer")
    await asyncio.sleep(0)
    assert log == [], "it is nobody's turn yet"
    for _ in range(10):
        await asyncio.sleep(0)
    assert log == [("A", b"an answer"), ("B", b"an answer"), ("C", b"an answer")], "the oldest first"
    for wire in wires.values():
        wire.data_received(b"end")
    await asyncio.gather(*tasks)


async def test_what_has_come_in_time_may_wait_longer_for_its_turn(wire: Wire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("openami.ami.headend.turns.PAUSE_S", 0.02)
    turns = Turns()
    with turns.of("first") as first, turns.of("second") as second, turns.urgent():
        other = asyncio.create_task(first.take())
        await asyncio.sleep(0)
        reading = asyncio.create_task(wire.read(0.001, second))
        await asyncio.sleep(0)
        wire.data_received(b"answer")
        await other
        assert not reading.done()
        assert await reading == b"answer"


async def test_a_connection_that_ends_is_heard_of_in_turn(wire: Wire):
    turns = Turns()
    with turns.of("A") as turn:
        reading = asyncio.create_task(wire.read(60, turn))
        await asyncio.sleep(0)
        wire.connection_lost(None)
        with pytest.raises(ConnectionLostError, match="the other side closed"):
            await reading
        with pytest.raises(ConnectionLostError, match="the other side closed"):
            await wire.read(60, turn)


async def test_a_hurried_session_takes_at_once_what_comes(wire: Wire):
    turns = Turns()
    waiting = [asyncio.create_task(wait_in(turns, str(number))) for number in range(20)]
    with turns.of("A") as turn:
        reading = asyncio.create_task(wire.read(60, turn))
        await asyncio.sleep(0)
        wire.data_received(b"answer")
        turns.hurry("A")
        assert await reading == b"answer"
        assert not all(each.done() for each in waiting)
        wire.data_received(b"more")
        assert await wire.read(60, turn) == b"more"
        assert not all(each.done() for each in waiting)
    await asyncio.gather(*waiting)


async def wait_in(turns: Turns, name: str) -> None:
    with turns.of(name) as turn:
        await turn.take()
