"""A seeded bad field: lost and doubled frames, outages, drifting clocks, a swap; everything comes home, once.

The short form runs with every change; `make test-long` lives longer on more seeds.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.ami.headend.test_street import START, street_of

from openami.ami.dlms.wrapper import WrapperBuffer
from openami.shared.contract import field as contract

LONG = os.environ.get("OPENAMI_TEST_PROFILE") == "long"
SEEDS = (20260301, 7, 11) if LONG else (20260301,)
DAYS = 6 if LONG else 2
LOSS, DOUBLING = 0.1, 0.05
REGULAR_HOUR = 25
"""The hour of the second day in which meters are read: the line is down then, so that it refuses somebody."""
ANSWER_S = 0.25
"""What a lost frame costs. Meter and head-end share this process: less is no loss of a frame but a busy machine."""
_SEALED = re.compile(rb"[\xc8\xc9\xcb\x21].{1,3}?\x30(.{4})", re.DOTALL)

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket, pytest.mark.timeout(600)]


class LossyLine:
    """A relay before a concentrator that loses and doubles DLMS frames, and is down now and then."""

    def __init__(self, port: int, seed: int) -> None:
        self._target = port
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.down = False
        self.counts: Counter[str] = Counter()
        self.counters: Counter[tuple[bytes, int]] = Counter()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            self.counts["refused"] += 1
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        for one, other, outward in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._pump(one, other, outward=outward))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, outward: bool) -> None:
        buffer = WrapperBuffer()
        with suppress(OSError):
            while octets := await reader.read(65536):
                buffer.receive(octets)
                while (frame := buffer.next_frame()) is not None:
                    self.counts["frames"] += 1
                    if outward:
                        self._note(frame)
                    if self._chance.random() < LOSS:
                        self.counts["lost"] += 1
                        continue
                    writer.write(frame.encode())
                    if self._chance.random() < DOUBLING:
                        self.counts["doubled"] += 1
                        writer.write(frame.encode())
                await writer.drain()
        writer.close()

    def _note(self, frame: Any) -> None:
        """The invocation counter under which the head-end sealed a frame for a meter."""
        found = _SEALED.search(frame.apdu)
        if found is not None:
            address = frame.gateway_address.physical_address
            self.counters[address, int.from_bytes(found.group(1), "big")] += 1


@pytest.fixture
async def bad_field(make_bench: Any, clock: Any, postgres: Any) -> Any:
    clock.advance_to(START)
    bench = make_bench(answer_s=ANSWER_S, repeats=3)
    async with street_of(bench, postgres) as street:
        yield bench, street


async def events_told(bench: Any) -> Counter[str]:
    messages = await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
    return Counter(event.mrid for message in messages for event in message.payload.events)


async def ship_through(bench: Any, street: Any, line: LossyLine) -> tuple[list[str], dict[str, Any]]:
    layout = await street.get("/api/street")
    for device in layout["devices"]:
        device["concentrator_port"] = line.port
    answer = await bench.http.post("/api/shipment", json={"devices": layout["devices"]})
    assert answer.status_code == 200, answer.text
    hanging = {serial for home in layout["homes"] for serial in home["meters"]}
    kinds = {device["serial"]: device["kind"] for device in layout["devices"]}
    return [serial for serial in sorted(hanging) if kinds[serial] == "electricity"], layout


@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_that_meters_hold_comes_home_once_and_no_counter_is_used_twice(
    bad_field: Any, seed: int
) -> None:
    bench, street = bad_field
    port = (await street.get("/api/street"))["transformers"][0]["port"]
    line = LossyLine(port, seed)
    await line.start()
    serials, layout = await ship_through(bench, street, line)
    spares = [each["serial"] for each in layout["devices"] if each["home"] is None]
    old, new = serials[0], spares[0]
    swapped_at = START + timedelta(hours=26)
    await street.fault(kind="clock_drift", serial=serials[1], at=(START + timedelta(hours=3)).isoformat(), seconds=40)
    await street.fault(kind="tamper_cover", serial=serials[2], at=(START + timedelta(hours=5)).isoformat())
    cut = {"kind": "power_cut", "serial": serials[3], "from": (START + timedelta(hours=7)).isoformat()}
    await street.fault(**cut, to=(START + timedelta(hours=9)).isoformat())
    order = {"old_serial": old, "new_serial": new, "at": swapped_at.isoformat()}
    await street.http.post("/api/swap", json=order)
    async with bench.running():
        await bench.provision(*serials)
        for hour in range(1, 24 * DAYS + 40):
            line.down = hour % 9 == 0 or hour % 72 == REGULAR_HOUR
            if line.down:
                line.cut()
            await street.live_until(START + timedelta(hours=hour))
            if START + timedelta(hours=hour) == swapped_at:
                await bench.provision(new, installed=swapped_at)
    await line.stop()
    end = START + timedelta(days=DAYS)
    for serial in (*serials, new):
        detail = await street.get(f"/api/meters/{serial}", **{"from": START.isoformat(), "to": end.isoformat()})
        told = await bench.told_wh(serial)
        instants = [
            START + timedelta(seconds=detail["interval_s"] * number) for number in range(len(detail["intervals"]))
        ]
        installed, removed = (
            datetime.fromisoformat(detail[name] or end.isoformat()) for name in ("installed_at", "removed_at")
        )
        held = {
            instant: value
            for instant, value in zip(instants, detail["intervals"], strict=True)
            if max(installed, START) <= instant and instant + timedelta(seconds=detail["interval_s"]) <= removed
        }
        missing = [instant for instant in held if told.get(instant) is None]
        dark = serial == serials[3]
        known = (await bench.http.get(f"/api/meters/{serial}")).json()
        why = serial, missing, known["failures"], [each["error"] for each in known["sessions"]]
        assert len(missing) <= (2 * 3600 // detail["interval_s"] if dark else 0), why
        assert all(told[instant] == value for instant, value in held.items() if instant not in missing)
    events = await events_told(bench)
    assert set(events.values()) == {1}, "no event is told twice"
    assert max(line.counters.values()) == 1, "no invocation counter is ever used twice"
    assert min(line.counts[name] for name in ("lost", "doubled", "refused")) > 0, line.counts
    assert line.counts["lost"] > line.counts["frames"] * LOSS / 2
