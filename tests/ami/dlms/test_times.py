"""COSEM stamps: octets, instants, wildcards, the two clock changes of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms import profile_times
from openami.ami.dlms.errors import RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.profile_times import NO_TIME, stamps_to_utc_s, utc_s_to_stamps
from openami.ami.dlms.times import DEVIATION_NOT_SPECIFIED, CosemDate, CosemDateTime, CosemTime

if TYPE_CHECKING:
    from datetime import tzinfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
# hypothesis wants its bounds naive
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1971, 2190))
zones = st.sampled_from([UTC, AMSTERDAM, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")])
instants = st.datetimes(FIRST, LAST, timezones=st.just(UTC)).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 10_000 * 10_000)
)


@given(instants, zones)
def test_an_instant_survives_the_way_to_octets_and_back(instant: datetime, zone: ZoneInfo) -> None:
    stamp = CosemDateTime.decode(CosemDateTime.of(instant, zone=zone).encode())
    assert stamp.instant() == instant


@given(st.binary(min_size=12, max_size=12))
def test_any_twelve_octets_are_a_stamp_and_one_instant_or_none(octets: bytes) -> None:
    stamp = CosemDateTime.decode(octets)
    assert stamp.encode() == octets
    try:
        stamp.instant(zone=AMSTERDAM)
    except TypeMismatchError:
        return
    assert stamp.date.month <= 12


def test_the_example_of_the_standard() -> None:
    summer = datetime(2024, 7, 1, 12, 34, 56, tzinfo=timezone(timedelta(hours=2)))
    assert CosemDateTime.of(summer, zone=AMSTERDAM).encode().hex() == "07e80701010c223800ff8880"


def test_the_doubled_hour_is_told_apart_by_its_deviation() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    stamps = [CosemDateTime.of(first + timedelta(hours=hour), zone=AMSTERDAM) for hour in (0, 1)]
    assert stamps[0].time == stamps[1].time
    assert [stamp.deviation_min for stamp in stamps] == [-120, -60]
    assert stamps[1].instant() - stamps[0].instant() == timedelta(hours=1)


@pytest.mark.parametrize(("status", "hour_utc"), [(0x80, 0), (0x00, 1)])
def test_without_deviation_the_status_bit_tells_the_doubled_hour_apart(status: int, hour_utc: int) -> None:
    stamp = CosemDateTime(CosemDate(2026, 10, 25), CosemTime(2, 30, 0, 0), DEVIATION_NOT_SPECIFIED, status)
    assert stamp.instant(zone=AMSTERDAM) == datetime(2026, 10, 25, hour_utc, 30, tzinfo=UTC)


def test_wildcards_are_no_instant_and_a_missing_zone_is_said() -> None:
    with pytest.raises(TypeMismatchError, match="not one instant"):
        CosemDateTime().instant(zone=UTC)
    with pytest.raises(TypeMismatchError, match="zone of the meter"):
        CosemDateTime(CosemDate(2026, 1, 1), CosemTime(0, 0, 0, 0)).instant()
    with pytest.raises(TypeMismatchError):
        CosemDateTime.of(FIRST)
    unsure = CosemDateTime(CosemDate(2026, 1, 1), CosemTime(5, 6), 0)
    assert unsure.instant() == datetime(2026, 1, 1, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize("kind", [CosemDate, CosemTime, CosemDateTime])
def test_the_number_of_octets_is_fixed(kind: type[CosemDate | CosemTime | CosemDateTime]) -> None:
    for length in (0, 3, 6, 13):
        with pytest.raises(RemoteProtocolError):
            kind.decode(bytes(length))


@given(st.lists(instants, max_size=20), zones)
def test_many_stamps_agree_with_one_by_one(some: list[datetime], zone: ZoneInfo) -> None:
    times_s = np.array([int(instant.timestamp()) for instant in some], np.int64)
    stamps = utc_s_to_stamps(times_s, zone=zone)
    expected = [CosemDateTime.of(instant.replace(microsecond=0), zone=zone).encode() for instant in some]
    assert [stamp.tobytes() for stamp in stamps] == expected
    assert stamps_to_utc_s(stamps).tolist() == times_s.tolist()


@given(st.lists(st.binary(min_size=12, max_size=12), min_size=1, max_size=20))
def test_any_octets_as_many_stamps_agree_with_one_by_one(some: list[bytes]) -> None:
    stamps = np.frombuffer(b"".join(some), np.uint8).reshape(len(some), 12)
    for octets, time_s in zip(some, stamps_to_utc_s(stamps, AMSTERDAM).tolist(), strict=True):
        stamp = CosemDateTime.decode(octets)
        try:
            # hundredths are dropped, years beyond the table are no time
            whole = CosemDateTime(
                stamp.date, CosemTime(octets[5], octets[6], octets[7], 0), stamp.deviation_min, stamp.status
            )
            expected = int(whole.instant(zone=AMSTERDAM).timestamp())
        except TypeMismatchError:
            expected = NO_TIME
        if 1970 <= stamp.date.year <= 2199 and abs(stamp.deviation_min) < 1440:
            assert time_s == expected


@given(st.lists(instants, min_size=1, max_size=5), st.sampled_from([AMSTERDAM, UTC]))
def test_stamps_that_were_read_before_mean_the_same_again(some: list[datetime], zone: tzinfo) -> None:
    octets = b"".join(CosemDateTime.of(each, zone=AMSTERDAM).encode()[:8] + b"\x00\x80\x00\x00" for each in some)
    stamps = np.frombuffer(octets, np.uint8).reshape(-1, 12)
    first = stamps_to_utc_s(stamps, zone)
    again = stamps_to_utc_s(stamps.copy(), zone)
    assert again.tolist() == [CosemDateTime.decode(row.tobytes()).instant(zone=zone).timestamp() for row in stamps]
    assert first.tolist() == again.tolist()
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 0  # it is another meter's as well


def test_more_stamps_than_a_month_has_are_read_alike_and_not_kept() -> None:
    times_s = 1_770_000_000 + 900 * np.arange(4000)
    stamps = utc_s_to_stamps(times_s)
    known = profile_times._known.cache_info().currsize
    assert stamps_to_utc_s(stamps).tolist() == times_s.tolist()
    assert profile_times._known.cache_info().currsize == known


def test_the_short_and_the_long_day_of_the_year() -> None:
    for first, hours in ((datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)):
        times_s = int(first.timestamp()) + 3600 * np.arange(hours + 1)
        stamps = utc_s_to_stamps(times_s, zone=AMSTERDAM)
        assert stamps[0, 5:8].tolist() == stamps[-1, 5:8].tolist() == [0, 0, 0]
        assert stamps_to_utc_s(stamps).tolist() == times_s.tolist()
