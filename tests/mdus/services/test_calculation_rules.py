"""Buckets of a calculation: by periods, by local hours on days of 23 and 25 hours, and what is missing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.services import calculation_rules as rules
from openami.mdus.services.codes import ItemStatus
from openami.mdus.services.remote import ProfileValues
from openami.shared.contract.enterprise.codes import Code, code_tables
from openami.shared.quality import EMPTY, MEASURED, MISSING, Origin, Verdict, quality
from openami.shared.spans import Span, local_day

ZONE = "Europe/Amsterdam"
PEAK, OFFPEAK = (code_tables()["times_of_use"].of(code) for code in ("PEAK", "OFFPEAK"))


def values_of(span: Span, wh: int = 100, *, packed: int = MEASURED) -> ProfileValues:
    count = span.duration_s // 900
    start_s = int(span.start.timestamp()) + np.arange(count, dtype=np.int64) * 900
    return ProfileValues("KWH", 900, -3, start_s, np.full(count, wh, np.int64), np.full(count, packed, np.uint8))


@pytest.mark.parametrize(
    ("day", "peak_hours"),
    [
        (date(2026, 3, 30), 16),  # a Monday
        (date(2026, 3, 29), 0),  # a Sunday of 23 hours
        (date(2026, 10, 25), 0),  # a Sunday of 25 hours
        (date(2026, 10, 26), 16),
    ],
)
def test_local_hours_decide_on_the_time_of_use(day: date, peak_hours: int):
    values = values_of(local_day(ZONE, day))
    masks = rules.masks_of_codes(values, [PEAK, OFFPEAK], ZONE)
    assert int(masks["PEAK"].sum()) == peak_hours * 4
    assert (masks["PEAK"] ^ masks["OFFPEAK"]).all(), "each interval in one of the two"


@given(st.lists(st.integers(0, 10_000), min_size=96, max_size=96), st.integers(1, 95))
def test_whatever_the_cut_the_parts_add_up(energies: list[int], cut: int):
    span = local_day(ZONE, date(2026, 3, 3))
    flat = values_of(span)
    values = ProfileValues("KWH", 900, -3, flat.start_s, np.array(energies, np.int64), flat.quality)
    at = span.start + timedelta(seconds=900 * cut)
    masks = rules.masks_of_periods(values, [("A", span.start, at), ("B", at, span.end)])
    found = rules.totals(values, rules.SUM, masks, 0)
    assert sum(one.quantity for one in found) == Decimal(sum(energies)).scaleb(-3)
    (highest,) = rules.totals(values, rules.MAXIMUM, {"": np.ones(96, np.bool_)}, 3)
    assert highest.quantity == max(energies), "in watt-hours"


def test_a_period_that_comes_twice_is_one_bucket():
    span = local_day(ZONE, date(2026, 3, 3))
    quarter = timedelta(minutes=15)
    periods = [("N", span.start, span.start + quarter), ("N", span.end - quarter, span.end)]
    (found,) = rules.totals(values_of(span), rules.SUM, rules.masks_of_periods(values_of(span), periods), 0)
    assert found.quantity == Decimal("0.2")


def test_what_is_missing_is_counted():
    span = local_day(ZONE, date(2026, 3, 3))
    values = values_of(span)
    assert rules.missing_intervals(values, span) == 0
    values.quality[:3] = [EMPTY, MISSING, quality(Origin.MEASURED, Verdict.FV)]
    assert rules.missing_intervals(values, span) == 3
    longer = Span(span.start, span.end + timedelta(hours=1))
    assert rules.missing_intervals(values, longer) == 7, "what no channel covers is missing too"
    nothing = ProfileValues("", 0, 0, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    assert rules.missing_intervals(nothing, span) > 0


def test_at_a_meter_swap_the_other_meter_has_the_interval():
    span = local_day(ZONE, date(2026, 3, 3))
    values = values_of(span)
    twice = ProfileValues(
        "KWH",
        900,
        -3,
        np.append(values.start_s, values.start_s[0]),
        np.append(values.values, 0),
        np.append(values.quality, np.uint8(EMPTY)),
    )
    assert rules.missing_intervals(twice, span) == 0


def test_the_worst_status_is_told():
    span = local_day(ZONE, date(2026, 3, 3))
    values = values_of(span)
    values.quality[5] = quality(Origin.E01_LINEAR)
    assert rules.worst(values.quality) is ItemStatus.ESTIMATED
    assert rules.worst(values.quality[6:]) is ItemStatus.VALID


def test_two_codes_cannot_both_take_the_rest():
    rest = Code("REST", "rest", "", "ours", {"weekdays": "", "from": "", "to": ""})
    with pytest.raises(rules.BucketsError, match="OFFPEAK and REST"):
        rules.masks_of_codes(values_of(local_day(ZONE, date(2026, 3, 3))), [PEAK, OFFPEAK, rest], ZONE)


def test_hours_until_midnight():
    night = Code("NIGHT", "night", "", "ours", {"weekdays": "0123456", "from": "22:00", "to": "00:00"})
    values = values_of(local_day(ZONE, date(2026, 3, 3)))
    assert int(rules.masks_of_codes(values, [night], ZONE)["NIGHT"].sum()) == 8
