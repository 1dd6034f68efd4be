"""Who plays the meters of the fake SAP's scripts: nobody, a person, a program, or a fake AMS over HTTP."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.certificates import free_port

from openami.shared.clock import ManualClock, SharedClock
from openami.shared.contract import field as cim
from openami.testing.field import (
    AskedField,
    FakeAms,
    FieldFailedError,
    FieldNeededError,
    NoField,
    PlayedField,
    ProgramField,
)
from openami.testing.home import Home
from openami.testing.run import Endpoint, Peer, listening, played_field

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from openami.testing.processes import Field

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = date(2026, 3, 1)
HOME = Home(ManualClock(NOW), 7)
STEPS: list[tuple[Callable[[Any], Awaitable[None]], str, list[str]]] = [
    (lambda one: one.discover(HOME), "The AMS has to report SN7.", ["discover", "SN7"]),
    (
        lambda one: one.deliver(HOME, DAY, wh=5, register_wh=9),
        "The AMS has to deliver 2026-03-01 of SN7: 5 Wh each 1800 s, and the register at its end, 9 Wh.",
        ["deliver", "SN7", "2026-03-01", "5", "9"],
    ),
    (
        lambda one: one.deliver_all([HOME], DAY, wh=5, register_wh=9),
        "The AMS has to deliver 2026-03-01 of SN7: 5 Wh each 1800 s, and the register at its end, 9 Wh.",
        ["deliver", "SN7", "2026-03-01", "5", "9"],
    ),
    (
        lambda one: one.read(HOME, NOW, 9),
        "The AMS has to read SN7 at 2026-03-02 09:00:00+00:00: 9 Wh.",
        ["read", "SN7", "2026-03-02T09:00:00+00:00", "9"],
    ),
    (lambda one: one.switched(HOME, closed=False), "SN7 has to open its breaker.", ["switched", "SN7", "open"]),
    (lambda one: one.event(HOME, "power.off"), "SN7 has to tell power.off.", ["event", "SN7", "power.off"]),
    (lambda one: one.wait(timedelta(hours=2)), "2:00:00 have to pass.", ["wait", "7200"]),
]


@pytest.mark.parametrize(("step", "sentence", "words"), STEPS)
async def test_each_step_is_told(
    step: Callable[[Field], Awaitable[None]], sentence: str, words: list[str], tmp_path: Path
):
    with pytest.raises(FieldNeededError) as nobody:
        await step(NoField())
    assert nobody.value.found == sentence
    asked: list[str] = []
    await step(AskedField(lambda text: bool(asked.append(text) or True)))  # type: ignore[func-returns-value]
    assert asked == [sentence]
    with pytest.raises(FieldNeededError):
        await step(AskedField(lambda _text: False))
    program = tmp_path / "meters.py"
    program.write_text("import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]))")
    await step(ProgramField(f"{sys.executable} {program} {tmp_path / 'told'}"))
    assert (tmp_path / "told").read_text().split() == words


async def test_a_program_that_fails_is_told_with_its_words():
    with pytest.raises(FieldFailedError, match="ended with 3: no such meter"):
        await ProgramField(f"{sys.executable} -c \"print('no such meter'); exit(3)\"").discover(HOME)


def about(*homes: Home) -> cim.Request:
    """What the MDUS asks of the meters of homes."""
    return cim.Request(query=cim.GetMeterReadings(devices=tuple(home.identity for home in homes)))


@pytest.mark.enable_socket
async def test_a_fake_ams_speaks_the_field_seam_over_http(tmp_path: Path):
    clock = SharedClock.create(tmp_path / "clock", NOW)
    mdus, ours = Endpoint("127.0.0.1", free_port()), Endpoint("127.0.0.1", free_port())
    heard: list[cim.Envelope] = []

    def hear(body: bytes) -> tuple[int, bytes]:
        heard.append(cim.decode(body))
        return 200, b""

    peer = Peer(f"http://{mdus.host}:{mdus.port}", "AMS1", "secret")
    async with listening(hear, mdus), played_field(peer, ours, clock, "AMS1") as field:
        await field.discover(HOME)
        await field.deliver(HOME, DAY, wh=100, register_wh=10_000)
        asked = cim.request(cim.Verb.GET, "MeterReadings", source="MDUS", at=NOW, parameters=about(HOME))
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"http://{ours.host}:{ours.port}/cim", content=cim.encode(asked))
        await field.read(HOME, NOW, 42_000)
        await field.event(HOME, "tamper.cover_open")
        await field.wait(timedelta(hours=3))
    assert clock.now() == NOW + timedelta(hours=3)
    assert [one.header.noun for one in heard] == ["MeterConfig", "MeterReadings", "MeterReadings", "EndDeviceEvents"]
    day: Any = heard[1].payload
    (reading,) = day.readings
    assert reading.meter == HOME.identity
    assert [one.value for one in reading.readings] == [Decimal("5.2"), Decimal(10)]
    assert int(reading.blocks[0].values.sum()) == 4800


async def test_a_switch_is_proven_when_the_mdus_asks_for_the_position():
    clock, sent = ManualClock(NOW), list[cim.Envelope]()

    async def post(_path: str, body: bytes) -> tuple[int, bytes]:
        sent.append(cim.decode(body))
        return 200, b""

    ams = FakeAms(clock, post)
    field = PlayedField(ams, clock, lambda _by: asyncio.sleep(0))
    moving = asyncio.create_task(field.switched(HOME, closed=False))
    await asyncio.sleep(0)
    assert not sent, "it does what it is told, not before"
    other = Home(ManualClock(NOW), 8)
    for home in (HOME, other):
        control = cim.EndDeviceControl(
            code=cim.control_code("disconnect"), devices=(cim.ControlledDevice(names=home.identity.names),)
        )
        order = cim.EndDeviceControls((control,))
        ams.hear(cim.encode(cim.request(cim.Verb.CREATE, "EndDeviceControls", source="MDUS", at=NOW, payload=order)))
    question, others = (
        cim.request(
            cim.Verb.GET,
            "MeterReadings",
            source="MDUS",
            at=NOW,
            parameters=about(home),
            reply_address="http://mdus/cim/reply",
        )
        for home in (HOME, other)
    )
    ams.hear(cim.encode(others))
    status, answer = ams.hear(cim.encode(question))
    assert (status, cim.decode(answer).header.correlation_id) == (200, question.header.correlation_id)
    await moving
    event, reply = sent
    assert event.header.noun == "EndDeviceEvents"
    assert reply.header.correlation_id == question.header.correlation_id
    position: Any = reply.payload
    assert [one.value for one in position.readings[0].readings] == [Decimal(0)]


async def test_an_mdus_that_takes_nothing_of_the_ams_is_told():
    async def refuse(_path: str, _body: bytes) -> tuple[int, bytes]:
        return 401, b"stranger"

    with pytest.raises(FieldFailedError, match="HTTP 401"):
        await PlayedField(FakeAms(ManualClock(NOW), refuse), ManualClock(NOW), lambda _by: asyncio.sleep(0)).discover(
            HOME
        )
