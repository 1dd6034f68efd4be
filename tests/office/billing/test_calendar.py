from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.office.billing.calendar import bucket_of
from openami.office.billing.tariff import Bucket, Division, Tariff, Tier, Window, shipped_tariffs
from openami.office.localtime import interval_starts, local_dates, local_seconds
from openami.shared.spans import Span, local_day, local_month, zone

ZONE = "Europe/Amsterdam"


@pytest.mark.parametrize(("day", "count"), [((2026, 3, 28), 96), ((2026, 3, 29), 92), ((2026, 10, 25), 100)])
def test_local_days_have_92_96_or_100_quarter_hours(day: tuple[int, int, int], count: int) -> None:
    starts = interval_starts(local_day(ZONE, date(*day)), 900)
    assert starts.size == count
    assert np.unique(local_dates(starts, ZONE)).size == 1


def test_a_span_that_begins_inside_an_interval_takes_all_of_it() -> None:
    begin = datetime(2026, 3, 16, 10, 17, tzinfo=UTC)
    starts = interval_starts(Span(begin, begin + timedelta(hours=1)), 1800)
    assert datetime.fromtimestamp(int(starts[0]), UTC) == datetime(2026, 3, 16, 10, 0, tzinfo=UTC)
    assert starts.size == 3


def test_an_empty_span_has_no_intervals() -> None:
    now = datetime(2026, 3, 16, tzinfo=UTC)
    assert interval_starts(Span(now, now), 900).size == 0
    assert local_seconds(np.array([], dtype=np.int64), ZONE).size == 0


@given(
    st.integers(788_918_400, 2_114_380_800).map(lambda epoch_s: datetime.fromtimestamp(epoch_s, UTC)),
    st.sampled_from([ZONE, "Australia/Lord_Howe", "Asia/Kathmandu", "America/New_York", "UTC"]),
)
def test_local_time_equals_what_the_zone_says(instant: datetime, zone_name: str) -> None:
    start = int(instant.timestamp()) // 900 * 900
    local = local_seconds(np.array([start], dtype=np.int64), zone_name)[0]
    expected = datetime.fromtimestamp(start, UTC).astimezone(zone(zone_name)).replace(tzinfo=UTC)
    assert local == int(expected.timestamp())


def _slow_bucket(tariff: Tariff, local: datetime) -> int:
    weekday = 6 if local.date() in tariff.holidays else local.weekday()
    minute = local.hour * 60 + local.minute
    for index, bucket in enumerate(tariff.buckets):
        for window in bucket.windows:
            if (
                weekday in window.weekdays
                and local.month in window.months
                and window.start_minute <= minute < window.end_minute
            ):
                return index
    return len(tariff.buckets) - 1


@pytest.mark.parametrize("month", [3, 4, 5, 10, 12])
def test_a_month_of_quarter_hours_falls_into_the_same_buckets_as_one_by_one(month: int) -> None:
    tariff = shipped_tariffs()["home-electricity"]
    starts = interval_starts(local_month(ZONE, 2026, month), 900)
    one_by_one = [_slow_bucket(tariff, datetime.fromtimestamp(int(start), zone(ZONE))) for start in starts]
    assert bucket_of(starts, tariff.buckets, tariff.holidays, ZONE).tolist() == one_by_one


def test_months_and_holidays_count() -> None:
    tariff = Tariff(
        "t", "t", Division.ELECTRICITY, "kWh", "EUR",
        (
            Bucket("w", "winter weekday", (Tier(0),), (Window(frozenset(range(5)), frozenset({12})),)),  # type: ignore[arg-type]
            Bucket("r", "rest", (Tier(0),)),  # type: ignore[arg-type]
        ),
        holidays=frozenset({date(2026, 12, 25)}),
    )  # fmt: skip
    starts = interval_starts(Span(datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 26, tzinfo=UTC)), 86400)
    assert bucket_of(starts, tariff.buckets, tariff.holidays, "UTC").tolist() == [0, 1]


def test_the_first_bucket_that_matches_wins() -> None:
    tariff = shipped_tariffs()["home-electricity"]
    monday_18h = int(datetime(2026, 3, 2, 17, 0, tzinfo=UTC).timestamp())
    assert tariff.buckets[bucket_of(np.array([monday_18h]), tariff.buckets, tariff.holidays, ZONE)[0]].id == "peak"
