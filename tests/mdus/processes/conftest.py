"""A fake SAP before the real middle, and a field that is played: what the scripts of the test kit need."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.zeep_client import ZeepWriter

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.spans import local_day
from openami.testing.home import ZONE, Home
from openami.testing.party import Party
from openami.testing.scripts import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime, timedelta
    from pathlib import Path

HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
DAILY = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.daily"].code)
NOW_TYPE = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.register"].code)
POSITION = cim.ReadingTypeCode.parse(cim.reading_type_table()["switch.position"].code)


@dataclass
class PlayedField:
    """An AMS and its meters, as a script wants them."""

    world: Any
    events: int = 0
    present: bool = True

    async def discover(self, *homes: Home) -> None:
        meters = tuple(
            cim.Meter(serial_number=home.serial, names=(cim.Name.of(home.serial, "SerialNumber"),), amr_system="AMS1")
            for home in homes
        )
        await self._tell(cim.MeterConfig(meters=meters))

    async def deliver(self, home: Home, day: date, *, wh: int = 100, register_wh: int | None = None) -> None:
        await self._tell(cim.MeterReadings((self._reading(home, day, wh, register_wh),)))

    async def deliver_all(self, homes: Sequence[Home], day: date, *, wh: int = 100, register_wh: int) -> None:
        await self._tell(cim.MeterReadings(tuple(self._reading(home, day, wh, register_wh) for home in homes)))

    async def read(self, home: Home, at: datetime, register_wh: int) -> None:
        value = cim.Reading(reading_type=NOW_TYPE, at=at, value=Decimal(register_wh).scaleb(-3))
        await self._tell(cim.MeterReadings((cim.MeterReading(meter=home.identity, readings=(value,)),)))

    async def switched(self, home: Home, *, closed: bool) -> None:
        await self.event(home, "switch.connected" if closed else "switch.disconnected")
        question = self.world.told(cim.Verb.GET, "MeterReadings")[-1]
        value = cim.Reading(reading_type=POSITION, at=self.world.clock.now(), value=Decimal(int(closed)))
        payload = cim.MeterReadings((cim.MeterReading(meter=home.identity, readings=(value,)),))
        now = self.world.clock.now()
        await self.world.ams(cim.reply_to(question.header, source="AMS1", at=now, payload=payload))

    async def event(self, home: Home, name: str) -> None:
        self.events += 1
        event = cim.EndDeviceEvent(
            mrid=f"E{self.events}",
            created=self.world.clock.now(),
            device=home.identity,
            code=cim.event_code(name),
        )
        await self._tell(cim.EndDeviceEvents((event,)))

    async def wait(self, by: timedelta) -> None:
        await self.world.until(self.world.clock.now() + by)

    async def _tell(self, payload: Any) -> None:
        await self.world.ams(cim.event(cim.Verb.CREATED, payload, source="AMS1", at=self.world.clock.now()))

    def _reading(self, home: Home, day: date, wh: int, register_wh: int | None) -> cim.MeterReading:
        span = local_day(ZONE, day)
        count = span.duration_s // home.interval_s
        starts = int(span.start.timestamp()) + np.arange(count, dtype=np.int64) * home.interval_s
        block = cim.IntervalBlock.of(HALF_HOUR, starts, home.interval_s, np.full(count, wh, np.int64))
        dials = []
        if register_wh is not None:
            at_start = register_wh - wh * count
            dials = [
                cim.Reading(reading_type=DAILY, at=span.start, value=Decimal(at_start).scaleb(-3)),
                cim.Reading(reading_type=DAILY, at=span.end, value=Decimal(register_wh).scaleb(-3)),
            ]
        return cim.MeterReading(meter=home.identity, blocks=(block,), readings=tuple(dials))


@pytest.fixture(scope="session")
def writers() -> dict[bytes, ZeepWriter]:
    """zeep's reading of each WSDL, made once."""
    return {}


@pytest.fixture
async def sap(world: Any, writers: dict[bytes, ZeepWriter], tmp_path: Path) -> Party:
    """A fake SAP whose messages are written by zeep, from the WSDL that the running middle hands out."""
    document = (await world.client.get("/services?wsdl")).content
    if document not in writers:
        writers[document] = ZeepWriter(document, tmp_path)

    async def post(operation: str, body: bytes) -> tuple[int, bytes]:
        response = await world.client.post(f"/services/{operation}", content=body, auth=("OFFICE", "secret"))
        return response.status_code, response.content

    made = Party(Side.OFFICE, world.clock, post, settle=world.settle, encode=writers[document])
    world.listeners.append(made.hear)
    return made


@pytest.fixture
def stage(world: Any, sap: Party, homes: Callable[..., Home]) -> Stage:
    numbers = iter(range(1, 100))
    return Stage(sap, PlayedField(world), lambda: homes(next(numbers)))
