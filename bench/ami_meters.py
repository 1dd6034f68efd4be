"""Ten thousand simulated meters in one process on one core: what they weigh, what time costs, what reading costs.

All figures are processor seconds of this process and its resident memory, so that a busy machine does not blur them.
Meters are of every sort (three phases, roofs, cars, gas, water, heat). QUICK=1 takes a thousand.
"""

from __future__ import annotations

import gc
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench._rows import print_rows, row
from openami.ami.concentrator.router import Session
from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.events import NEED_DATA
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.queries import opened, read_entries, read_many, read_profile
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.security import Ciphering, Prover, ReceiveCounter, SendCounter
from openami.ami.dlms.times import CosemDate, CosemTime
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.protection import factory_keys
from openami.ami.meter.pushing import push_frame
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from openami.ami.dlms.events import Event
    from openami.ami.meter.model import Meter

QUICK: Final = os.environ.get("QUICK") == "1"
METERS: Final = 1_000 if QUICK else 10_000
READ: Final = 100 if QUICK else 400
ZONE: Final = "Europe/Amsterdam"
SECRET: Final = "bench"
GENESIS: Final = datetime(2026, 3, 1, 23, tzinfo=UTC)
STEP_S: Final = 5
CODES: Final = ("1.8.0", "1.8.1", "1.8.2", "1.7.0", "32.7.0")
REGISTERS: Final = [AttributeRef(3, Obis.of(f"1-0:{code}"), 2) for code in CODES]


class Read:
    """One full reading: association with proofs, a day of the load profile, registers, two logs."""

    def __init__(self, fleet: Fleet, meter: Meter) -> None:
        self._fleet = fleet
        self._session = Session(meter.device, SECRET, lambda: fleet.lived_s)
        ciphering = Ciphering(
            b"OAM00001",
            factory_keys(SECRET, meter.serial),
            sent=SendCounter(),
            received={"unicast": ReceiveCounter()},
        )
        self._client = ClientConnection(
            WrapperFraming.client(address=GatewayAddress(0, meter.serial.encode())),
            protection=ciphering,
            prover=Prover.of(ciphering, Mechanism.HIGH_GMAC),
        )
        self.meter_s = 0.0
        """Processor seconds on the side of the meter."""

    def run(self) -> int:
        """Read; how many rows the profile had."""
        opened(self._exchange(self._client.send(self._client.associate())))
        day = GENESIS + timedelta(days=1)
        profile = read_profile("1-0:99.1.0", GENESIS + timedelta(seconds=1), day)
        rows = len(profile.result(self._exchange(self._client.send(profile.request))))
        registers = read_many(REGISTERS)
        registers.result(self._exchange(self._client.send(registers.request)))
        for log in ("0-0:99.98.0", "0-0:99.98.1"):
            entries = read_entries(log)
            entries.result(self._exchange(self._client.send(entries.request)))
        return rows

    def _exchange(self, octets: bytes) -> Event:
        while octets:
            buffer = WrapperBuffer()
            buffer.receive(octets)
            frame = buffer.next_frame()
            assert frame is not None
            start = time.process_time()
            answer = self._session.serve(self._fleet, frame)
            self.meter_s += time.process_time() - start
            self._client.receive_data(answer)
            event = self._client.next_event()
            octets = self._client.data_to_send()
            if event is not NEED_DATA:
                return event  # type: ignore[return-value]
        raise AssertionError("the meter did not answer")


def main() -> None:
    """Measure and print the rows."""
    before = resident_mb()
    start = time.process_time()
    fleet = Fleet(build_street(METERS, 1, MODERN), ZONE, seconds_of(GENESIS))
    fleet.begin()
    facts, happenings = fleet.take_changes()
    electric = [meter for meter in fleet.meters.values() if meter.mains_fed and meter.home]
    tell("ami.meters.built", time.process_time() - start, "CPU s for all", goal=10)
    tell("ami.meters.memory", (resident_mb() - before) * 1000 / len(fleet.meters), "kB a meter", goal=50)

    start = time.process_time()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    tell("ami.meters.restarted", time.process_time() - start, "CPU s for all", goal=10)
    del again
    gc.collect()

    start = time.process_time()
    for _ in range(3600 // STEP_S):
        fleet.live_through(fleet.lived_s + STEP_S)
        fleet.take_changes()
    tell("ami.meters.an_hour_in_steps_of_5_s", time.process_time() - start, "CPU s an hour", goal=360)
    fleet.live_through(seconds_of(GENESIS) + 86400)
    fleet.take_changes()

    start = time.process_time()
    reads = [Read(fleet, meter) for meter in electric[:READ]]
    rows = sum(each.run() for each in reads)
    assert rows >= READ * 48
    served_s = sum(each.meter_s for each in reads) / READ
    tell("ami.meters.read", 1000 * served_s, "CPU ms a full reading, meter's side")
    tell("ami.meters.hourly_schedule", served_s * METERS / 3600, "of a core, all read every hour", goal=1)

    push_all(fleet, electric)


def push_all(fleet: Fleet, electric: list[Meter]) -> None:
    """All are told to push each morning; the frames of one morning."""
    at = d.structure(d.octet_string(CosemTime(6, 0, 0, 0)), d.octet_string(CosemDate()))
    to = d.structure(d.enum(0), d.octet_string(b"127.0.0.1:1"), d.enum(0))
    for meter in electric:
        for obis, attribute, value in (("0-0:25.9.0", 3, to), ("0-0:15.0.4", 4, d.array([at]))):
            meter.write_setting(fleet.lived_s, Obis.of(obis), attribute, encode(value))
    fleet.take_changes()
    start = time.process_time()
    fleet.live_through(fleet.lived_s + 86400)
    due = fleet.take_pushes()
    assert len(due) == len(electric)
    for meter, push in due[:READ]:
        push_frame(fleet, meter.serial, push, SECRET)
    tell("ami.meters.day_with_pushes", time.process_time() - start, f"CPU s, {len(due)} due, {READ} sealed", goal=600)


def resident_mb() -> float:
    """Memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def tell(name: str, value: float, unit: str, *, goal: float | None = None) -> None:
    """Print one figure."""
    found = row(name, value, unit, goal=goal)
    print_rows([found | {"machine": f"{found['machine']}, {METERS} homes"}])


if __name__ == "__main__":
    main()
