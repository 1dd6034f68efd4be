from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.ami.dlms import axdr
from openami.ami.dlms.data import NULL, Data, array, octet_string, structure, unsigned8, unsigned32, visible_string
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile import Profile, decode_profile
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import CosemDateTime
from openami.ami.headend import profiles, reports
from openami.ami.headend.model import Address, Collected, Column, IntervalRows, LoadProfile, Meter, Stream
from openami.ami.headend.profiles import Layout, UnfitLayoutError, layout_of
from openami.shared.contract import field as contract

ZONE = ZoneInfo("Europe/Amsterdam")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUS = CaptureObject(1, Obis.of("0-0:96.10.1"), 2)
ENERGY = CaptureObject(3, Obis.of("1-0:1.29.0"), 2)
CODE = CaptureObject(1, Obis.of("0-0:96.11.0"), 2)
LAYOUT = Layout(900, 3, 0, 1, (2,), (Column("1-0:1.29.0.255", 0, 30),))


def stamp(instant: datetime) -> Data:
    return octet_string(CosemDateTime.of(instant, zone=ZONE))


def profile(*rows: Data) -> Profile:
    return decode_profile(axdr.encode(array(rows)), zone=ZONE, capture_period_s=900)


def test_columns_are_found_by_their_capture_objects_not_by_their_place() -> None:
    layout = layout_of([ENERGY, CLOCK_COLUMN, STATUS], 900)
    assert (layout.clock, layout.status, layout.values, layout.width) == (1, 2, (0,), 3)
    assert layout.measured == (Column("1-0:1.29.0.255", 0, 255),)
    log = layout_of([CLOCK_COLUMN, CODE], 0, is_log=True)
    assert (log.clock, log.values, log.measured) == (0, (1,), ())


@pytest.mark.parametrize(("captures", "found"), [([ENERGY], "none is a clock"), ([CLOCK_COLUMN, STATUS], "a value")])
def test_a_profile_without_clock_or_value_cannot_be_used(captures: list[CaptureObject], found: str) -> None:
    with pytest.raises(RemoteProtocolError, match=found):
        layout_of(captures, 900)


def test_a_layout_survives_being_kept() -> None:
    assert Layout.from_json(LAYOUT.to_json()) == LAYOUT
    log = layout_of([CLOCK_COLUMN, CODE], 0, is_log=True)
    assert Layout.from_json(log.to_json()) == log


def test_rows_become_columns_and_a_null_clock_continues_by_the_period() -> None:
    rows = profiles.interval_rows(
        profile(
            structure(stamp(NOON), unsigned8(0), unsigned32(5)),
            structure(NULL, unsigned8(0x80), unsigned32(6)),
        ),
        LAYOUT,
    )
    assert rows.ends_s.tolist() == [int(NOON.timestamp()), int(NOON.timestamp()) + 900]
    assert (rows.values.tolist(), rows.status.tolist()) == ([[5], [6]], [0, 0x80])


def test_an_empty_profile_is_no_rows() -> None:
    assert len(profiles.interval_rows(profile(), LAYOUT)) == 0
    assert profiles.daily_values(profile(), LAYOUT) == []
    assert profiles.logged_events(profile(), LAYOUT, Stream.FRAUD_LOG) == []


@pytest.mark.parametrize(
    "row",
    [
        structure(stamp(NOON), unsigned32(5)),
        structure(stamp(NOON), unsigned8(0), visible_string("kaput")),
        structure(unsigned8(0), unsigned8(0), unsigned32(1), unsigned32(2)),
    ],
)
def test_rows_that_do_not_fit_their_layout_are_refused(row: Data) -> None:
    with pytest.raises(UnfitLayoutError):
        profiles.interval_rows(profile(row), LAYOUT)


def test_daily_values_are_in_their_unit() -> None:
    layout = Layout(86400, 2, 0, None, (1,), (Column("1-0:1.8.0.255", 1, 30),))
    (value,) = profiles.daily_values(profile(structure(stamp(NOON), unsigned32(1234))), layout)
    assert (value.value, value.at, value.daily) == (Decimal(12340), NOON, True)


def test_equal_codes_in_one_second_are_told_apart() -> None:
    layout = layout_of([CLOCK_COLUMN, CODE], 0, is_log=True)
    later = NOON + timedelta(seconds=1)
    rows = [(later, 2), (NOON, 1), (NOON, 1), (NOON, 3)]
    events = profiles.logged_events(
        profile(*(structure(stamp(at), unsigned8(code)) for at, code in rows)), layout, Stream.STANDARD_LOG
    )
    assert [(each.at, each.code, each.position) for each in events] == [
        (NOON, 1, 0),
        (NOON, 1, 1),
        (NOON, 3, 0),
        (later, 2, 0),
    ]


def seconds(*minutes: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([int(NOON.timestamp()) + 60 * minute for minute in minutes], np.int64)


def test_a_block_stands_in_order_with_its_missing_intervals_and_qualities() -> None:
    rows = IntervalRows(seconds(15, 37, 60), np.array([[5], [6], [7]], np.int64), np.array([0, 0, 0x84], np.uint8))
    (block,) = reports.interval_blocks(LoadProfile(LAYOUT.measured, 900, rows, seconds(30)), NOON, source="AMS1")
    assert (block.starts - seconds(0)).tolist() == [0, 900, 1800, 2700]
    assert block.values.tolist() == [5, 0, 6, 7]
    assert block.missing.tolist() == [False, True, False, False]
    qualities = [[str(code) for code in block.quality_sets[index]] for index in block.quality_index]
    assert qualities == [["1.0.0"], ["2.5.259"], ["1.4.2"], ["1.5.257", "1.2.32"]]
    assert (block.scale, block.reading_type.interval_s) == (0, 900)


def test_a_block_without_gaps_is_what_it_would_be_with_its_rows_alone() -> None:
    rows = IntervalRows(seconds(15, 30), np.array([[5, 8], [6, 9]], np.int64), np.zeros(2, np.uint8))
    columns = (Column("1-0:1.29.0.255", 0, 30), Column("1-0:2.29.0.255", 1, 30))
    first, second = reports.interval_blocks(LoadProfile(columns, 900, rows, seconds()), NOON, source="AMS1")
    assert [each.values.tolist() for each in (first, second)] == [[5, 6], [8, 9]]
    assert (first.scale, second.scale) == (0, 1)
    assert not first.missing.any()
    assert [list(map(str, first.quality_sets[index])) for index in first.quality_index] == [["1.0.0"], ["1.0.0"]]


def test_a_block_of_gaps_alone_says_so_of_each() -> None:
    nothing = IntervalRows.none(1)
    (block,) = reports.interval_blocks(LoadProfile(LAYOUT.measured, 900, nothing, seconds(15, 30)), NOON, source="A")
    assert block.missing.tolist() == [True, True]
    assert [list(map(str, block.quality_sets[index])) for index in block.quality_index] == [["2.5.259"]] * 2


def test_the_block_survives_the_wire() -> None:
    rows = IntervalRows(seconds(15, 30), np.array([[412], [0]], np.int64), np.zeros(2, np.uint8))
    meter = Meter("E1", Address("h", 1), b"", mrid="m", usage_point="P")
    load = LoadProfile((Column("1-0:1.29.0.255", 0, 30),), 900, rows, seconds(45))
    reading = reports.meter_reading(meter, Collected("E1", NOON, profile=load), source="AMS1")
    assert reading is not None
    event = contract.event(contract.Verb.CREATED, contract.MeterReadings((reading,)), source="AMS1", at=NOON)
    body = contract.encode(event)
    assert b"<value>0.412</value>" in body or b">0.412<" in body
    payload = contract.decode(body).payload
    assert isinstance(payload, contract.MeterReadings)
    (block,) = payload.readings[0].blocks
    assert (block.values * 10.0**block.scale).tolist() == [412, 0, 0]
    assert block.missing.tolist() == [False, False, True]


def test_a_session_that_brought_nothing_has_nothing_to_tell() -> None:
    meter = Meter("E1", Address("h", 1), b"")
    assert reports.meter_reading(meter, Collected("E1", NOON), source="AMS1") is None
