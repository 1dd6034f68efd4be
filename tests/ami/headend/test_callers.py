"""Meters that dial in, and pushes over TCP: who is let in, what waits for them, and that nobody else stays."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.ami.headend.functions.test_carried_out import prepared
from tests.ami.headend.test_street import START, living  # noqa: F401 - a fixture

from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.data import array, integer8, octet_string, structure, unsigned16
from openami.ami.dlms.device import serve
from openami.ami.dlms.events import DataNotification
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.security import Ciphering, SendCounter
from openami.ami.dlms.security.envelopes import Envelope
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.times import CosemDateTime
from openami.ami.dlms.unsolicited import encode_data_notification
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFrame, WrapperFraming
from openami.ami.headend import callers as module
from openami.ami.headend import command_store, store
from openami.ami.headend.model import Link, Purpose
from openami.ami.meter.protection import factory_keys, system_title
from openami.shared.contract import field as contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


@asynccontextmanager
async def taking_calls(bench: Any) -> AsyncIterator[Any]:
    callers = bench.head_end.callers
    task = asyncio.create_task(callers.run())
    async with bench.running():
        while not callers.port:  # noqa: ASYNC110 - the port is the system's to choose
            await asyncio.sleep(0.01)
        yield callers
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert callers.on_the_line == 0


async def unreachable(bench: Any, street: Any) -> str:
    """A meter that only dials in."""
    serial = await prepared(bench, street)
    async with bench.database.begin() as transaction:
        await store.change_meter(transaction, serial, link=Link.DIAL_IN.value, host="", port=0, physical_address=b"")
    return serial


async def calls(street: Any, serial: str, callers: Any, **more: Any) -> None:
    order = {"serial": serial, "host": "127.0.0.1", "port": callers.port, **more}
    answer = await street.http.post("/api/call", json=order)
    assert answer.status_code == 200, answer.text


async def until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 - the other side of a socket
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("says_hello", [True, False])
async def test_a_meter_that_dials_in_is_read_and_switched_over_its_own_connection(
    living: Any,  # noqa: F811 - the fixture
    says_hello: bool,
) -> None:
    bench, street = living
    bench.head_end.callers._hello_s = 0.05
    serial = await unreachable(bench, street)
    async with taking_calls(bench) as callers:
        await street.live_until(START + timedelta(hours=2))
        async with bench.database.read() as connection:
            row = await store.meter_row(connection, serial)
        assert row is not None
        assert row.failures > 0
        assert "has not dialled in" in row.last_error
        control = contract.EndDeviceControl(
            mrid="off-1",
            code=contract.DISCONNECT,
            devices=(contract.ControlledDevice(names=(contract.Name.of(serial),)),),
        )
        await bench.tell(contract.Verb.CREATE, contract.EndDeviceControls((control,)))
        await bench.quiet()
        await calls(street, serial, callers, says_hello=says_hello)
        await until(lambda: bench.head_end.wires.on_the_line(serial))
        while len([value for value in (await bench.told_wh(serial)).values() if value is not None]) < 2:
            await bench.quiet()  # the call is noticed when the reading looks for who is due: one round or the next
        while (await street.get(f"/api/meters/{serial}"))["breaker"]["state"] != "disconnected":
            await bench.quiet()
        assert bench.head_end.wires.callers == [serial]
        await street.live_until(START + timedelta(days=1, hours=2))
        assert len(await bench.told_wh(serial)) >= 24, "and read again while it stays on the line"


async def test_a_meter_that_hangs_up_is_unreachable_again_and_may_call_again(living: Any) -> None:  # noqa: F811
    bench, street = living
    serial = await unreachable(bench, street)
    wires = bench.head_end.wires
    async with taking_calls(bench) as callers:
        await calls(street, serial, callers)
        await until(lambda: wires.on_the_line(serial))
        first = wires._dialled_in[serial]
        await calls(street, serial, callers)
        await until(lambda: wires._dialled_in.get(serial) is not first and wires.on_the_line(serial))
        assert first.lost, "a new call ends the one before"
        wires._dialled_in[serial].close()
        await until(lambda: not wires.on_the_line(serial))
        async with bench.database.read() as connection:
            meter = await store.load_meter(connection, serial, offset_s=1200)
        assert meter is not None
        visit = await bench.head_end.reader.visit(meter, Purpose.PERSON, lambda dialogue: dialogue.breaker())
        assert "has not dialled in" in str(visit.error)
        await calls(street, serial, callers)
        await until(lambda: wires.on_the_line(serial))


def hello_of(serial: str) -> bytes:
    """A push of a meter's clock, as its modem would send it."""
    setup = structure(unsigned16(40), octet_string(Obis.of("0-0:25.9.0")), integer8(2), unsigned16(0))
    clock = structure(unsigned16(8), octet_string(Obis.of("0-0:1.0.0")), integer8(2), unsigned16(0))
    body = structure(array([setup, clock]), octet_string(CosemDateTime.of(START)))
    ciphering = Ciphering(
        system_title(serial),
        factory_keys("secret", serial),
        sent=SendCounter(1000, 2000),
        envelope=Envelope.GENERAL_GLO_DED,
    )
    notification = encode_data_notification(DataNotification(Encoded(encode(body))))
    return WrapperFrame(1, 1, ciphering.protect(notification)).encode()


async def sent(callers: Any, *parts: bytes) -> bytes:
    """What a stranger gets for its octets until the head-end hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", callers.port)
    writer.writelines(parts)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_strangers_copies_and_floods_are_hung_up_on(living: Any, monkeypatch: Any) -> None:  # noqa: F811
    bench, street = living
    serial = await prepared(bench, street)
    async with taking_calls(bench) as callers:
        assert await sent(callers, b"GET / HTTP/1.1\r\n\r\n") == b""
        assert await sent(callers, WrapperFrame(1, 1, b"\xdb\x08OAM\x00\x00\x00\x00\x09\x05\x00").encode()) == b""
        hello = hello_of(serial)
        forged = hello[:-1] + bytes([hello[-1] ^ 1])
        assert await sent(callers, forged) == b""
        _, writer = await asyncio.open_connection("127.0.0.1", callers.port)
        writer.write(hello)
        await until(lambda: callers.strangers == 0 and callers.on_the_line == 1)
        assert await sent(callers, hello) == b"", "a copy of a push opens no door"
        writer.close()
        await until(lambda: callers.on_the_line == 0)
        assert callers.refused == 4
        monkeypatch.setattr(module, "PUSHES_WAITING_MAX", 4)
        assert await sent(callers, *[forged] * 6) == b""
        monkeypatch.setattr(module, "STRANGERS_MAX", 0)
        assert await sent(callers) == b""
    async with bench.database.read() as connection:
        found = (await connection.execute(store.push_table.select())).all()
    assert [each.serial for each in found] == [serial], "the push over TCP was kept, once"
    assert not bench.head_end.wires.callers, "it is read by being called: its connection is for pushes only"


async def impostor(callers: Any, meter: Any) -> bytes:
    """Somebody who answers whoever asks with another's serial number; what is left when the head-end hangs up."""
    meter.admit = lambda *_arguments: True
    reader, writer = await asyncio.open_connection("127.0.0.1", callers.port)
    buffer, end = WrapperBuffer(), ServerConnection(WrapperFraming.server())
    while octets := await reader.read(65536):
        buffer.receive(octets)
        while (frame := buffer.next_frame()) is not None:
            writer.write(serve(end, meter, frame.encode()))
    writer.close()
    return octets


async def test_a_claim_does_not_take_the_place_of_a_meter_on_the_line(
    living: Any,  # noqa: F811 - the fixture
    make_meter: Any,
) -> None:
    bench, street = living
    serial = await unreachable(bench, street)
    bench.head_end.callers._hello_s = 0.05
    async with taking_calls(bench) as callers:
        await calls(street, serial, callers, says_hello=False)
        await until(lambda: bench.head_end.wires.on_the_line(serial))
        first = bench.head_end.wires._dialled_in[serial]
        assert await impostor(callers, make_meter(serial)) == b""
        assert bench.head_end.wires._dialled_in[serial] is first
        first.close()
        await until(lambda: not bench.head_end.wires.on_the_line(serial))
        claiming = asyncio.create_task(impostor(callers, make_meter(serial)))
        await until(lambda: bench.head_end.wires.on_the_line(serial))
        async with bench.database.read() as connection:
            meter = await store.load_meter(connection, serial, offset_s=1200)
        visit = await bench.head_end.reader.visit(meter, Purpose.PERSON, lambda dialogue: dialogue.breaker())
        assert visit.error is not None, "it cannot prove the secrets of the meter"
        assert await claiming == b"", "and is hung up on"
        assert not bench.head_end.wires.on_the_line(serial)


async def test_only_what_was_put_off_is_hurried(bench: Any) -> None:
    at = START + timedelta(hours=1)
    table = command_store.item_table
    key = uuid.uuid4()
    command = {"id": key, "kind": "function", "correlation_id": "c", "message_id": "m", "received_at": START}
    base = {"command_id": key, "serial": "E1", "kind": "function", "action": "read_alarms", "detail": {}, "digest": ""}
    base |= {"state": command_store.WAITING, "deadline_at": at + timedelta(days=9)}
    items = [
        base | {"control_mrid": "tried", "next_due_at": at, "attempts": 2},
        base | {"control_mrid": "for later", "next_due_at": at, "attempts": 0},
        base | {"control_mrid": "another's", "serial": "E2", "next_due_at": at, "attempts": 2},
    ]
    async with bench.database.begin() as transaction:
        await command_store.add(transaction, command | {"state": command_store.OPEN, "request": {}}, items)
        await command_store.hurry(transaction, "E1", START)
        rows = (await transaction.execute(table.select())).all()
    assert [row.control_mrid for row in rows if row.next_due_at == START] == ["tried"]
