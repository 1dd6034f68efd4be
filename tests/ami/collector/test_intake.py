"""Telegrams from TCP lines, folders and a real MQTT broker end in the database, once, and in front of the MDUS."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
from sqlalchemy import select

from openami.ami.collector import topics
from openami.ami.collector.folders import sweep
from openami.ami.collector.intake import Intake, identifier_of
from openami.ami.collector.lines import connect, listen
from openami.ami.collector.model import heard_of
from openami.ami.collector.sources import Source, source_of
from openami.ami.collector.store import telegram_table
from openami.ami.headend.tables import seam
from openami.ami.telegrams.model import DecodedReading, DecodedTelegram
from openami.shared.contract import field as contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.ami.collector.conftest import Station

VECTORS = Path(__file__).parents[2] / "vectors"
P1 = (VECTORS / "p1" / "telegram_v5.txt").read_bytes()
RADIO = "2E44A5119870659930037A060020052F2F0C933E842784060A3B00000A5A5901C4016D3B37DF2CCC01933E24032606"
ZONE = "Europe/Amsterdam"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.enable_socket


def intake_of(station: Station, *urls: str, **more: Any) -> Intake:
    sources = [source_of(url) for url in urls]
    return Intake(station.database, station.clock, sources, zone_name=ZONE, arrived=station.listener.arrived, **more)


async def kept(station: Station) -> list[Any]:
    async with station.database.engine.connect() as connection:
        return list(await connection.execute(select(telegram_table).order_by(telegram_table.c.id)))


async def many(station: Station, count: int) -> None:
    async def reached() -> bool:
        return len(await kept(station)) >= count

    await station.eventually(reached)


@asynccontextmanager
async def running(loop: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(loop)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_gateway_connects_and_sends(station: Station):
    intake = intake_of(station, "listen://127.0.0.1:1?language=p1")
    source = intake.sources[0]
    here = Source("listen", source.name, "127.0.0.1", 0, language="p1")
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def take(octets: bytes, /) -> None:
        await intake.keep(source, octets)

    async with running(listen(here, take, started)):
        _, writer = await asyncio.open_connection("127.0.0.1", await started)
        writer.write(P1[:100])
        writer.write(P1[100:] + P1)
        await writer.drain()
        await many(station, 1)
        writer.close()
        await writer.wait_closed()
    (row,) = await kept(station)
    assert (row.language, row.mbus_id, row.source, row.error) == ("p1", "K8EG004046395507", source.name, None)
    assert (row.energy_wh, row.measured_at) == (4426 + 2399, datetime(2017, 1, 2, 18, 20, 2, tzinfo=UTC))
    assert {"obis": "1-0:1.8.1", "value": 4.426, "unit": "kWh", "time": None} in row.readings


async def test_we_connect_to_a_receiver_until_it_hangs_up(station: Station):
    intake = intake_of(station, "tcp://127.0.0.1:1?language=wmbus")

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"T1;1;1;2026-03-01 11:00:00.000;97;148;99657098;0x{RADIO}\n".encode())
        await writer.drain()
        writer.close()

    async def take(octets: bytes, /) -> None:
        await intake.keep(intake.sources[0], octets)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await connect(Source("tcp", "x", "127.0.0.1", port, language="wmbus"), take)
    (row,) = await kept(station)
    assert (row.language, row.mbus_id, row.volume_litres) == ("wmbus", "99657098", None), "at base conditions: another"


async def test_files_are_read_when_they_are_whole_and_moved_when_they_are_kept(station: Station, tmp_path: Path):
    intake = intake_of(station, f"file://{tmp_path}")
    (tmp_path / "b.hex").write_text(RADIO)
    (tmp_path / "a.p1").write_bytes(P1)
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden").write_text("x")

    async def take(octets: bytes, /) -> None:
        await intake.keep(intake.sources[0], octets)

    sizes: dict[Path, int] = {}
    assert await sweep(tmp_path, take, sizes) == 0, "they may still be written"
    (tmp_path / "b.hex").write_text(f"{RADIO}\n{RADIO}")
    assert await sweep(tmp_path, take, sizes) == 2
    assert await sweep(tmp_path, take, sizes) == 1
    assert [row.language for row in await kept(station)] == ["p1", "wmbus", "wmbus"]
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["a.p1", "b.hex", "empty"]
    (tmp_path / "a.p1").write_bytes(P1)
    await sweep(tmp_path, take, sizes)
    await sweep(tmp_path, take, sizes)
    assert len(await kept(station)) == 3, "a repeat is kept once"
    assert intake.counters[f"file://{tmp_path}"].repeats == 1


async def test_what_is_not_understood_is_kept_with_its_reason(station: Station):
    intake = intake_of(station, "tcp://127.0.0.1:1", keys={"12345678": "00" * 16})
    await intake.keep(intake.sources[0], b"hello")
    (row,) = await kept(station)
    assert (row.language, row.measured_at) == ("unknown", None)
    assert "Nothing was understood" in row.error
    assert intake.counters["tcp://127.0.0.1:1"].not_understood == 1
    assert intake.key_of("12345678") == bytes(16)
    assert intake.key_of("1") is None


async def test_one_telegram_in_a_period_is_enough(station: Station):
    intake = intake_of(station, "tcp://127.0.0.1:1?every=900")
    for second in range(3):
        await intake.keep(intake.sources[0], P1.replace(b"170102192002W", b"17010219200%dW" % second).split(b"!")[0])
    assert len(await kept(station)) == 1
    assert intake.counters["tcp://127.0.0.1:1"].left_out == 2


async def test_the_mdus_is_told_of_energy_and_volume(station: Station, make_telegram: Callable[..., bytes]):
    await station.ship("E1", "electricity", "K8EG004046395507", provisioned_at=station.clock.now())
    await station.ship("G1", "gas", "12345678", provisioned_at=station.clock.now())
    intake = intake_of(station, "tcp://127.0.0.1:1")
    await intake.keep(intake.sources[0], P1)
    await intake.keep(intake.sources[0], make_telegram(1_234, NOON))
    assert await station.forwarding.tell_all() == 2
    async with station.database.engine.connect() as connection:
        bodies = await connection.execute(select(seam.outbox.c.body).order_by(seam.outbox.c.sequence))
        payloads = [contract.decode(row.body).payload for row in bodies]
    readings = [
        (meter.label, reading.in_unit)
        for payload in payloads
        if isinstance(payload, contract.MeterReadings)
        for meter in payload.readings
        for reading in meter.readings
    ]
    assert readings == [("E1", Decimal(6825)), ("G1", Decimal("1.234"))]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def amqtt_broker() -> AsyncIterator[int]:
    """A real broker of another make, in this process."""
    from amqtt.broker import Broker  # noqa: PLC0415 - slow to import

    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    port = free_port()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    made = Broker(config)
    await made.start()
    try:
        yield port
    finally:
        await made.shutdown()


async def reachable(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        return


@asynccontextmanager
async def mosquitto_broker() -> AsyncIterator[int]:
    """The broker that most installations have, where it is installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    process = await asyncio.create_subprocess_exec(program, "-p", str(port), stderr=asyncio.subprocess.DEVNULL)
    try:
        await reachable(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("broker", [amqtt_broker, mosquitto_broker])
async def test_messages_of_a_broker_are_kept(station: Station, broker: Callable[[], Any]):
    async with broker() as port:
        intake = intake_of(station, f"mqtt://127.0.0.1:{port}/meters/+/raw")
        source = intake.sources[0]
        subscribed = asyncio.Event()

        async def take(octets: bytes, /) -> None:
            await intake.keep(source, octets)

        loop = topics.subscribe(source, take, identifier=identifier_of(source), subscribed=subscribed.set)
        async with running(loop), aiomqtt.Client("127.0.0.1", port) as gateway:
            await subscribed.wait()
            await gateway.publish("meters/1/other", b"not ours", qos=1)
            await gateway.publish("meters/1/raw", RADIO, qos=1)
            await gateway.publish("meters/2/raw", b"", qos=1)
            await gateway.publish("meters/2/raw", P1, qos=0)
            await many(station, 2)
    assert [row.language for row in await kept(station)] == ["wmbus", "p1"]
    assert {row.source for row in await kept(station)} == {source.name}


async def test_a_message_is_sent_again_until_it_is_kept(station: Station):
    """Against mosquitto: amqtt forgets what was not acknowledged when the line breaks."""
    async with mosquitto_broker() as port:
        intake = intake_of(station, f"mqtt://127.0.0.1:{port}/meters/#")
        source = intake.sources[0]
        subscribed, refused = asyncio.Event(), []

        async def refuse(octets: bytes, /) -> None:
            refused.append(octets)
            msg = "the disk is full"
            raise OSError(msg)

        name = identifier_of(source)
        failing = asyncio.create_task(topics.subscribe(source, refuse, identifier=name, subscribed=subscribed.set))
        async with aiomqtt.Client("127.0.0.1", port) as gateway:
            await subscribed.wait()
            await gateway.publish("meters/1", RADIO, qos=1)
            with pytest.raises(OSError, match="the disk is full"):
                await failing
            await gateway.publish("meters/2", P1, qos=1)
            assert refused == [RADIO.encode()]
            async with running(intake.run()):
                await many(station, 2)
    assert [row.language for row in await kept(station)] == ["wmbus", "p1"]


async def test_a_source_that_fails_is_opened_again(station: Station, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("openami.ami.collector.intake.RETRY_FIRST_S", 0.001)
    port = free_port()
    intake = intake_of(station, f"tcp://127.0.0.1:{port}?language=p1")

    async def failed() -> bool:
        return intake.counters[f"tcp://127.0.0.1:{port}"].failures > 1

    async with running(intake.run()):
        await station.eventually(failed)


def test_parts_of_a_payload_are_told_apart_and_dials_are_found():
    def heard(part: int, *readings: DecodedReading) -> Any:
        return heard_of(DecodedTelegram("sml", "X", readings=readings), b"raw", part, NOON, "s")

    assert heard(0).digest != heard(1).digest
    assert heard(0).measured_at is None, "it says nothing that is forwarded"
    total = DecodedReading(Decimal("1.5"), "kWh", obis="1-0:1.8.0")
    rate = DecodedReading(700, "Wh", obis="1-1:1.8.2")
    assert heard(0, rate, total).energy_wh == 1500
    assert heard(0, rate, rate).energy_wh == 1400
    assert heard(0, DecodedReading(5, "W", obis="1-0:1.8.0")).energy_wh is None
    assert heard(0, rate).measured_at == NOON
    heat = DecodedReading(Decimal(3_600_000), "J", quantity="energy")
    assert heard(0, DecodedReading(7, "Wh", quantity="energy, storage 1"), heat).energy_wh == 1000
    assert heard(0, DecodedReading(Decimal("1.2345"), "m3", quantity="volume")).volume_litres == 1234
