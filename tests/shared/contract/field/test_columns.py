"""Columns of texts and numbers agree with the slow and certain way, text by text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from openami.shared.contract.field import columns
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.lexical import parse_decimal, parse_instant

PLAIN = st.integers(-(10**12), 10**12).flatmap(lambda n: st.integers(0, 5).map(lambda d: f"{Decimal(n).scaleb(-d):f}"))
ODD = st.text("0123456789.+-eE x", max_size=24)


@given(st.lists(PLAIN, min_size=1, max_size=30))
def test_decimals_are_exact(texts: list[str]) -> None:
    values, decimals, ok = columns.parse_decimals(texts)
    assert ok.all()
    assert [Decimal(int(value)).scaleb(-decimals) for value in values] == [Decimal(text) for text in texts]


@given(st.lists(ODD, max_size=12))
@example(["1", "x"])
@example(["", "."])
@example(["1.2.3", "--1", "1-", "+5", "-.5", "5.", "00000000000000000000000000000000000000001"])
@example(["999999999999999999", "0.1"])
def test_a_decimal_is_taken_exactly_when_it_is_one_and_fits(texts: list[str]) -> None:
    values, decimals, ok = columns.parse_decimals(texts)
    for text, value, taken in zip(texts, values.tolist(), ok.tolist(), strict=True):
        try:
            expected = parse_decimal(text) if text == text.strip() else None
        except FieldContractError:
            expected = None
        if taken:
            assert expected is not None
            assert Decimal(value).scaleb(-decimals) == expected
        elif expected is not None:  # it is a number: then it must be one that does not fit with its neighbours
            assert len(text) > 18 - decimals
            assert value == 0


@given(st.lists(st.integers(-(10**17), 10**17), max_size=20), st.integers(-9, 3))
def test_written_decimals_read_back(numbers: list[int], exponent: int) -> None:
    texts = columns.format_decimals(np.array(numbers, np.int64), exponent)
    assert [Decimal(text.decode()) for text in texts] == [Decimal(number).scaleb(exponent) for number in numbers]
    assert columns.format_decimals(np.array(numbers, np.int64), exponent) == texts  # what was kept of them is the same


def test_decimals_are_written_as_people_write_them() -> None:
    assert columns.format_decimals(np.array([412, -5, 0, 12345]), -3) == [b"0.412", b"-0.005", b"0.000", b"12.345"]
    assert columns.format_decimals(np.array([412, 0]), 0) == [b"412", b"0"]
    assert columns.format_decimals(np.array([412]), 3) == [b"412000"]


def test_only_decimals_of_usual_intervals_are_kept() -> None:
    columns.format_decimals(np.array([-1, 0, 7, 9_999, 10_000, 10**17]), -4)
    assert set(columns._written(-4)) <= set(range(10_000))
    assert {0, 7, 9_999} <= set(columns._written(-4))


@given(st.lists(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), max_size=10), st.integers(-840, 840))  # noqa: DTZ001 - local times, the offset is drawn
def test_plain_stamps_are_read_as_instants(times: list[datetime], offset_min: int) -> None:
    sign, minutes = ("-", -offset_min) if offset_min < 0 else ("+", offset_min)
    times = [time.replace(microsecond=0) for time in times]
    texts = [f"{time.isoformat()}{sign}{minutes // 60:02d}:{minutes % 60:02d}" for time in times]
    seconds, ok = columns.parse_stamps(texts)
    assert ok.all()
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - both are local
    assert seconds.tolist() == [(time - epoch) // timedelta(seconds=1) - offset_min * 60 for time in times]


@given(st.lists(st.text("0123456789-:TZ+. x\u0663", max_size=27), max_size=8))
@example(["2026-02-29T00:00:00Z"])
@example(["2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z"])
@example(["2026-03-01T00:15:00", "2026-03-01T00:15:00Zx", "2026-03-01T00:15:00+1:00", "2026-03-01 00:15:00Z"])
def test_a_stamp_is_taken_only_if_it_is_one(texts: list[str]) -> None:
    seconds, ok = columns.parse_stamps(texts)
    for text, second, taken in zip(texts, seconds.tolist(), ok.tolist(), strict=True):
        if taken:
            assert int(parse_instant(text).timestamp()) == second


@given(st.lists(st.integers(-62_135_596_800, 253_402_300_799), max_size=10))
def test_written_stamps_read_back(seconds: list[int]) -> None:
    texts = columns.format_stamps(np.array(seconds, np.int64))
    read, ok = columns.parse_stamps(texts)
    assert ok.all()
    assert read.tolist() == seconds


def test_stamps_are_written_in_utc() -> None:
    second = int(datetime(2026, 3, 1, 0, 15, tzinfo=UTC).timestamp())
    assert columns.format_stamps(np.array([second])) == ["2026-03-01T00:15:00Z"]
