"""Pushes of the simulated street over UDP: a last gasp is told at once, an alarm makes its meter be read, once each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.ami.headend.functions.test_carried_out import done, prepared
from tests.ami.headend.test_street import START, living  # noqa: F401 - a fixture

from openami.ami.dlms.errors import DlmsError
from openami.shared.contract import field as contract

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def test_gasps_and_alarms_arrive_once(living: Any) -> None:  # noqa: F811 - the fixture
    bench, street = living
    serial = await prepared(bench, street)
    pushes = bench.head_end.pushes
    heard: list[bytes] = []
    receive = pushes.datagram_received

    def listen(data: bytes, addr: object) -> None:
        heard.append(data)
        receive(data, addr)

    pushes.datagram_received = listen
    task = asyncio.create_task(pushes.run())
    async with bench.running():
        while not pushes.port:  # noqa: ASYNC110 - the port is the system's to choose
            await asyncio.sleep(0.01)
        for function in ("set_alarm_push", "set_last_gasp_push"):
            await done(bench, function, serial, destination=f"127.0.0.1:{pushes.port}")
        await street.fault(kind="tamper_cover", serial=serial, at=(START + timedelta(hours=1)).isoformat())
        cut = {"kind": "power_cut", "serial": serial, "from": (START + timedelta(hours=2)).isoformat()}
        await street.fault(**cut, to=(START + timedelta(hours=3)).isoformat())
        for hours, expected in ((1.2, 1), (2.2, 2)):
            await street.live_until(START + timedelta(hours=hours))
            while pushes.taken < expected:  # noqa: ASYNC110 - datagrams come when they come
                await asyncio.sleep(0.01)
            await bench.quiet()
        assert not await pushes.take(heard[0]), "a copy changes nothing"
        with pytest.raises(DlmsError):
            await pushes.take(heard[1][:-1] + bytes([heard[1][-1] ^ 1]))
        shown = (await done(bench, "read_pushes", serial))["pushes"]
        assert [push["setup"] for push in shown] == ["0-3:25.9.0.255", "0-1:25.9.0.255"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = [
        event.name
        for message in await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
        for event in message.payload.events
    ]
    assert told.count("power.lastgasp") == 1
    assert told.count("tamper.cover_open") == 1, "the alarm made the meter be read hours before its time"


async def test_the_loop_outlives_a_push_that_cannot_be_kept(bench: Any) -> None:
    pushes = bench.head_end.pushes
    faults = [OSError("the database is away"), IndexError("a body without elements")]

    async def take(_datagram: bytes) -> bool:
        if faults:
            raise faults.pop()
        return True

    pushes.take = take
    for _ in range(3):
        pushes.datagram_received(b"push", None)
    task = asyncio.create_task(pushes.run())
    while not pushes.taken:  # noqa: ASYNC110 - the loop is what we wait for
        await asyncio.sleep(0.001)
    assert (pushes.taken, pushes.refused, task.done()) == (1, 2, False)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
