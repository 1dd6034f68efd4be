"""Records of a scan laid out: what is the start of an interval, whether it is as long as it should be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from openami.mdus.unify.adapters.cim_kernel import lay_out

NOON = 1_772_366_400
QUARTER, HOUR, DAY = 900, 3_600, 86_400
BARE, PERIOD, END_ONLY, REPORTED = range(4)
TIMED = np.array(
    [(False, True, False, False), (False, True, True, True), (False, False, False, True), (True, True, False, False)]
)
MARKS = np.array([(7, 0), (9, 1), (9, 2), (11, 4)], np.uint8)


class Laid(NamedTuple):
    """What came out, as lists."""

    even: bool
    regular: list[bool]
    reported_s: list[int]
    starts: list[int]
    values: list[int]
    quality: list[int]
    flags: list[int]


def laid(
    runs: list[tuple[int, int, int]], records: list[tuple[int, tuple[int, int, int, int]]], *, at_start: bool = False
) -> Laid:
    """Runs (begin, count, length of an interval) of records (form; reported, stamp, start, end), valued 0, 1, 2..."""
    begins, counts, interval_s = np.array(runs, np.int64).T
    form = np.array([one for one, _ in records], np.int16)
    times = np.array([one for _, one in records], np.int64)
    readings = int(counts.sum())
    regular, reported_s = np.ones(len(runs), np.bool_), np.zeros(len(runs), np.int64)
    starts, values = np.zeros((2, readings), np.int64)
    quality, flags = np.zeros((2, readings), np.uint8)
    even = lay_out(
        (begins, counts, interval_s), (TIMED, MARKS), (form, times, np.arange(len(records))), at_start,
        (regular, reported_s), (starts, values, quality, flags),
    )  # fmt: skip
    return Laid(bool(even), *(one.tolist() for one in (regular, reported_s, starts, values, quality, flags)))


def period(start_s: int, end_s: int) -> tuple[int, tuple[int, int, int, int]]:
    return PERIOD, (0, end_s, start_s, end_s)


@pytest.mark.parametrize(("at_start", "first"), [(True, NOON), (False, NOON - QUARTER)])
def test_a_bare_stamp_is_the_end_of_an_interval_unless_the_partner_says_otherwise(at_start: bool, first: int) -> None:
    found = laid([(0, 2, QUARTER)], [(BARE, (0, NOON + n * QUARTER, 0, 0)) for n in range(2)], at_start=at_start)
    assert found.starts == [first, first + QUARTER]
    assert found.even


def test_a_start_goes_before_an_end_and_an_end_before_a_stamp() -> None:
    found = laid([(0, 2, QUARTER)], [period(NOON, NOON + QUARTER), (END_ONLY, (0, 5, 0, NOON + 2 * QUARTER))])
    assert found == (True, [True], [0], [NOON, NOON + QUARTER], [0, 1], [9, 9], [1, 2])


def test_runs_come_in_the_order_that_is_asked_for() -> None:
    records = [period(NOON + n * QUARTER, NOON + (n + 1) * QUARTER) for n in range(5)]
    found = laid([(3, 2, QUARTER), (0, 1, QUARTER), (1, 2, QUARTER)], records)
    assert found.values == [3, 4, 0, 1, 2]
    assert [(one - NOON) // QUARTER for one in found.starts] == found.values
    assert found.even


def test_a_gap_is_no_even_run() -> None:
    assert not laid([(0, 2, QUARTER)], [period(NOON, NOON + QUARTER), period(NOON + HOUR, NOON + HOUR + QUARTER)]).even


@pytest.mark.parametrize(
    ("length_s", "is_s", "regular"),
    [(QUARTER, QUARTER, True), (QUARTER, QUARTER + 1, False), (QUARTER, HOUR, False), (DAY, DAY - HOUR, True),
     (DAY, DAY + HOUR, True), (DAY, DAY + HOUR + 1, False), (DAY, 22 * HOUR, False)],
)  # fmt: skip
def test_only_a_day_may_be_an_hour_shorter_or_longer(length_s: int, is_s: int, regular: bool) -> None:
    other = period(NOON, NOON + length_s)
    found = laid([(0, 1, length_s), (1, 1, length_s)], [period(NOON, NOON + is_s), other])
    assert found.regular == [regular, True]


def test_the_last_report_of_a_run_counts() -> None:
    records = [(REPORTED, (NOON + late, NOON, 0, 0)) for late in (60, 90, 30)]
    found = laid([(0, 3, QUARTER), (3, 1, QUARTER)], [*records, (BARE, (0, NOON, 0, 0))])
    assert found.reported_s == [NOON + 90, 0]
    assert (found.quality, found.flags) == ([11, 11, 11, 7], [4, 4, 4, 0])
