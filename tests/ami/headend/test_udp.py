"""Sessions over UDP: the same readings and orders, in packets that fit, though datagrams get lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.ami.headend.functions.test_carried_out import done, prepared
from tests.ami.headend.test_street import START, living  # noqa: F401 - a fixture

from openami.ami.dlms.wrapper import WrapperFrame
from openami.ami.headend import store
from openami.ami.headend.model import Link
from openami.ami.headend.sessions import DATAGRAM_OCTETS
from openami.ami.headend.wires import Wire

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def over_udp(bench: Any, street: Any) -> str:
    serial = await prepared(bench, street)
    async with bench.database.begin() as transaction:
        await store.change_meter(transaction, serial, link=Link.UDP.value)
    return serial


async def test_a_meter_is_read_and_ordered_over_udp_in_packets_that_fit(
    living: Any,  # noqa: F811 - the fixture
    monkeypatch: Any,
) -> None:
    bench, street = living
    serial = await over_udp(bench, street)
    longest: list[int] = []
    taken = Wire.datagram_received

    def measured(self: Any, data: bytes, addr: object) -> None:
        longest.append(len(WrapperFrame.decode(data).apdu))
        taken(self, data, addr)

    monkeypatch.setattr(Wire, "datagram_received", measured)
    async with bench.running():
        await street.live_until(START + timedelta(days=1, hours=1))
        assert await done(bench, "open_relay", serial) == {"relay": False}
    truth = await street.get(
        f"/api/meters/{serial}", **{"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat()}
    )
    told = await bench.told_wh(serial)
    instants = [START + timedelta(seconds=truth["interval_s"] * index) for index in range(len(truth["intervals"]))]
    assert [told[instant] for instant in instants] == truth["intervals"]
    assert 500 < max(longest) <= DATAGRAM_OCTETS


async def test_a_reading_whose_datagram_was_lost_is_asked_for_again(
    living: Any,  # noqa: F811 - the fixture
    monkeypatch: Any,
) -> None:
    bench, street = living
    serial = await over_udp(bench, street)
    received = Wire.datagram_received
    seen = 0

    def lossy(self: Any, data: bytes, addr: object) -> None:
        nonlocal seen
        seen += 1
        if seen != 3:  # the answers to the association and to the proof come, the first reading is lost
            received(self, data, addr)
        else:
            self._expire(self._waiter)  # the time to wait for it is over

    monkeypatch.setattr(Wire, "datagram_received", lossy)
    async with bench.running():
        await street.live_until(START + timedelta(hours=2))
    async with bench.database.read() as connection:
        row = await store.meter_row(connection, serial)
    assert row is not None
    assert row.last_success_at is not None
    assert row.failures == 0


async def test_nobody_at_the_port_is_an_error_that_says_so(bench: Any, make_meter: Any) -> None:
    meter = make_meter()
    await bench.ship(meter)
    await bench.provision("E0001")
    async with bench.database.begin() as transaction:
        await store.change_meter(transaction, "E0001", link=Link.UDP.value, port=1)
    async with bench.running():
        await bench.quiet()
    async with bench.database.read() as connection:
        row = await store.meter_row(connection, "E0001")
    assert row is not None
    assert row.failures == 1
    assert "refused" in row.last_error or "No answer" in row.last_error


async def test_a_datagram_that_is_no_frame_hurts_nobody(living: Any) -> None:  # noqa: F811
    bench, street = living
    serial = await over_udp(bench, street)
    port = (await street.get("/api/street"))["transformers"][0]["port"]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))
    for octets in (b"", b"hello", b"\x00\x01" * 8):
        transport.sendto(octets)
    async with bench.running():
        assert (await done(bench, "read_alarms", serial)) == {"alarms": 0}
    transport.close()
