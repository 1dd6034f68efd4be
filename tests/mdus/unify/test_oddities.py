"""What is odd about a delivery beside its values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.mdus.unify import ChannelDescription, Directory, patterns_of, unify
from openami.shared.contract import field as cim
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.mdus.unify.oddities import Oddity

TYPES = cim.reading_type_table()
HALF_HOUR = cim.ReadingTypeCode.parse(TYPES["electricity.delivered.1800s"].code)
QUARTER = cim.ReadingTypeCode.parse(TYPES["electricity.delivered.900s"].code)
OPEN = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
START = datetime(2026, 2, 28, 23, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 2, tzinfo=UTC)


def channel(number: int = 1, device: str = "1", serial: str = "SN1") -> ChannelDescription:
    return ChannelDescription(
        channel=number, device=device, names=(("mRID", f"m{device}"), ("SerialNumber", f"SN{device}")),
        patterns=patterns_of("1-0:1.29.0", 1800), unit="Wh", scale=0, interval_s=1800, zone="Europe/Amsterdam",
        span=OPEN, serial=serial,
    )  # fmt: skip


def odd(meter: cim.Identity | None = None, *blocks: cim.IntervalBlock, **changes: Any) -> dict[str, Oddity]:
    made = blocks or (block(**changes),)
    reading = cim.MeterReading(meter=meter or cim.Identity.named("SN1", "SerialNumber"), blocks=made)
    directory = Directory([channel(), channel(2, "2", "SN2")])
    return {one.rule: one for one in unify(cim.MeterReadings((reading,)), directory, received_at=RECEIVED).oddities}


def block(code: cim.ReadingTypeCode = HALF_HOUR, count: int = 48, step: int = 1800, **changes: Any) -> Any:
    starts = int(START.timestamp()) + np.arange(count, dtype=np.int64) * step
    return replace(cim.IntervalBlock.of(code, starts, step, np.ones(count, np.int64)), **changes)


def test_a_usual_delivery_has_none() -> None:
    assert odd(reported=RECEIVED) == {}


@pytest.mark.parametrize(
    "meter",
    [
        cim.Identity.named("SN9", "SerialNumber", mrid="m1"),
        cim.Identity(None, (cim.Name.of("SN1", "SerialNumber"), cim.Name.of("m2", "mRID"))),
        cim.Identity.named("SN2", mrid="m1"),
    ],
    ids=["another plate", "another device's mRID", "another device's number"],
)
def test_v01(meter: cim.Identity) -> None:
    found = odd(meter)["V01"]
    assert (found.channel, found.expected, len(found.start_s)) == (1, "SN1", 48)


def test_a_device_that_only_a_file_has_named_has_no_plate() -> None:
    meter = cim.Identity.named("SN9", "SerialNumber", mrid="m1")
    reading = cim.MeterReading(meter=meter, blocks=(block(),))
    found = unify(cim.MeterReadings((reading,)), Directory([channel(serial="")]), received_at=RECEIVED)
    assert found.oddities == ()


def test_v02_and_v03_are_told_apart_by_who_is_ahead() -> None:
    ahead = odd(reported=RECEIVED + timedelta(seconds=7))
    assert (set(ahead), ahead["V02"].value[0]) == ({"V02"}, 7)
    early = odd(reported=START + timedelta(hours=23))
    assert (set(early), early["V03"].value[0]) == ({"V03"}, 3600)


def test_v06_names_the_interval_once() -> None:
    twice = block(count=2)
    found = odd(None, block(), replace(twice, values=np.array([5, 1])))
    assert found["V06"].start_s.tolist() == [int(START.timestamp())]


def test_v08_is_about_the_channels_own_intervals() -> None:
    found = odd(code=QUARTER, count=3, step=900)["V08"]
    assert (found.start_s - int(START.timestamp())).tolist() == [0, 1800]
    assert found.value.tolist() == [900, 900]


def test_v09_and_v10() -> None:
    parts = str(HALF_HOUR).split(".")
    parts[16] = "73"
    unit = odd(code=cim.ReadingTypeCode.parse(".".join(parts)))["V09"]
    assert (unit.told, unit.expected, len(unit.start_s)) == ("varh", "Wh", 48)
    assert odd(pending_calculation="times 40")["V10"].told == "times 40"


def test_another_quantity_is_no_mistaken_unit() -> None:
    reactive = cim.ReadingTypeCode.parse(TYPES["electricity.received.1800s"].code)
    assert odd(code=reactive) == {}


def test_v35_is_about_the_intervals_that_have_not_ended() -> None:
    late = block()
    late = replace(late, starts=late.starts + 24 * 3600)
    assert len(odd(None, late)["V35"].start_s) == 46, "two half-hours are over"
