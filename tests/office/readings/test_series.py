from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.office.codes import item_statuses
from openami.office.localtime import interval_starts
from openami.office.readings.errors import MissingValue, OffTheGrid, TooFine, WrongStatus, WrongUnit
from openami.office.readings.model import ItemStatus
from openami.office.readings.series import (
    DayBlock,
    Items,
    by_day,
    columns,
    days_of,
    merged,
    on_grid,
    stamp_of,
)
from openami.shared.contract.enterprise.codec import encode
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.intervals import columns_of, decode_in_columns
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.time_series import UtilitiesTimeSeriesItem as Item
from openami.shared.spans import local_day, local_month

if TYPE_CHECKING:
    from random import Random

    from openami.shared.contract.enterprise.interval_columns import IntervalColumns

ZONE = "Europe/Amsterdam"
STATUSES = item_statuses(code_tables())
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _item(
    value: str | None = "0.1",
    *,
    start: datetime = NOON,
    seconds: int = 1800,
    status: tuple[str, ...] = ("01",),
    unit: str | None = "KWH",
) -> Item:
    return Item(
        quantity=None if value is None else Quantity(value=Decimal(value), unit_code=unit),
        utc_validity_start_date_time=start,
        utc_validity_end_date_time=start + timedelta(seconds=seconds),
        item_status=tuple(Item.ItemStatus(utilities_time_series_item_type_code=code) for code in status),
    )


def _sent(*items: Item) -> IntervalColumns:
    """The items as they arrive: written, read, and put into columns."""
    message: Any = example("UtilitiesTimeSeriesERPItemBulkCreateRequest")
    one = message.items[0]
    one = replace(one, utilities_time_series=replace(one.utilities_time_series, item=items))
    found: Any = decode_in_columns(encode(replace(message, items=(one,))))
    return columns_of(found.items[0])


def _items(starts: np.ndarray, value: int = 1, status: int = ItemStatus.VALID) -> Items:
    return Items(starts, np.full(starts.shape, value, np.int64), np.full(starts.shape, status, np.uint8))


@pytest.mark.parametrize(
    ("value", "item_unit", "unit", "milli"),
    [
        ("0.1", "KWH", "KWH", 100),
        ("0.100000", None, "KWH", 100),
        ("100", "WH", "KWH", 100),
        ("0.0001", "MWH", "KWH", 100),
        ("1.25", "M3", "M3", 1250),
        ("1250", "L", "M3", 1250),
        ("-0.1", "kwh", "KWH", -100),
    ],
)
def test_quantities_become_thousandths(value: str, item_unit: str | None, unit: str, milli: int) -> None:
    assert columns(_sent(_item(value, unit=item_unit)), 1800, unit, STATUSES).values_milli.tolist() == [milli]


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (_item(seconds=900), OffTheGrid),
        (_item(start=NOON + timedelta(minutes=1)), OffTheGrid),
        (_item(unit="M3"), WrongUnit),
        (_item("0.0001"), TooFine),
        (_item(status=("01", "02")), WrongStatus),
        (_item(status=("ZZ",)), WrongStatus),
        (_item(None), MissingValue),
    ],
)
def test_an_item_that_cannot_be_taken_names_the_reason(item: Item, error: type[Exception]) -> None:
    with pytest.raises(error):
        columns(_sent(_item(), item), 1800, "KWH", STATUSES)


def test_a_missing_value_needs_no_quantity() -> None:
    taken = columns(_sent(_item(None, status=("99",))), 1800, "KWH", STATUSES)
    assert taken.status.tolist() == [ItemStatus.MISSING]


def test_every_status_of_the_table_is_known_padded_or_not() -> None:
    assert set(STATUSES.values()) == set(ItemStatus) - {ItemStatus.EMPTY}
    assert columns(_sent(_item(status=("2",))), 1800, "KWH", STATUSES).status.tolist() == [ItemStatus.ESTIMATED]


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 29), 46), (date(2026, 3, 28), 48), (date(2026, 10, 25), 50)])
def test_a_day_has_as_many_places_as_it_has_half_hours(day: date, count: int) -> None:
    block = DayBlock.empty(ZONE, day, 1800)
    assert block.status.tolist() == [ItemStatus.EMPTY] * count
    assert block.starts(ZONE).tolist() == interval_starts(local_day(ZONE, day), 1800).tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 10]))
def test_a_shuffled_month_is_put_into_its_days(seed: int, month: int) -> None:
    starts = interval_starts(local_month(ZONE, 2026, month), 1800)
    order = np.random.default_rng(seed).permutation(starts.size)
    values = np.arange(starts.size, dtype=np.int64)
    items = Items(starts[order], values[order], np.ones(starts.size, np.uint8))
    blocks = []
    for day, part in by_day(items, ZONE):
        block = merged(DayBlock.empty(ZONE, day, 1800), part, ZONE, 1)
        assert block is not None
        blocks.append(block)
    assert len(blocks) == 31
    got, status = on_grid(blocks, starts, ZONE)
    assert got.tolist() == values.tolist()
    assert set(status.tolist()) == {ItemStatus.VALID}


WORDS = st.lists(st.tuples(st.integers(0, 47), st.integers(1, 48), st.integers(0, 2)), min_size=1, max_size=6).map(
    lambda words: [(first, length, value, stamp) for stamp, (first, length, value) in enumerate(words)]
)


@given(WORDS, st.randoms(use_true_random=False))
def test_the_latest_word_counts_in_whatever_order_words_arrive(
    words: list[tuple[int, int, int, int]], random: Random
) -> None:
    day = date(2026, 3, 2)
    starts = interval_starts(local_day(ZONE, day), 1800)

    def arrive(sequence: list[tuple[int, int, int, int]]) -> tuple[list[int], list[int]]:
        block = DayBlock.empty(ZONE, day, 1800)
        for first, length, value, stamp in sequence:
            block = merged(block, _items(starts[first : first + length], value=value), ZONE, stamp) or block
        return block.values_milli.tolist(), block.status.tolist()

    in_order = arrive(words)
    assert arrive(words[::-1]) == in_order
    assert arrive(random.sample(words, len(words))) == in_order


def test_a_replacement_is_a_later_word_than_a_creation_of_the_same_instant() -> None:
    assert stamp_of(NOON, replaces=False) < stamp_of(NOON, replaces=True)
    assert stamp_of(NOON, replaces=True) < stamp_of(NOON + timedelta(microseconds=1), replaces=False)


def test_what_changes_nothing_is_no_version() -> None:
    day = date(2026, 3, 2)
    starts = interval_starts(local_day(ZONE, day), 1800)
    first = merged(DayBlock.empty(ZONE, day, 1800), _items(starts), ZONE, 1)
    assert first is not None
    assert first.version == 1
    assert merged(first, _items(starts[:5]), ZONE, 1) is None
    confirmed = merged(first, _items(starts[:5]), ZONE, 2)
    assert confirmed is not None
    assert confirmed.version == first.version


@given(st.lists(st.integers(-(2**62), 2**62), min_size=48, max_size=48), st.integers(1, 9))
def test_a_packed_day_comes_back(values: list[int], version: int) -> None:
    block = DayBlock(
        date(2026, 3, 2),
        1800,
        np.array(values, np.int64),
        np.arange(48, dtype=np.uint8),
        np.array(values[::-1], np.int64),
        version,
    )
    back = DayBlock.unpacked(block.day, 1800, **block.packed(), version=version)
    assert back.values_milli.tolist() == values
    assert back.stamps.tolist() == values[::-1]
    assert back.status.tolist() == list(range(48))


def test_places_without_a_block_are_empty() -> None:
    starts = interval_starts(local_day(ZONE, date(2026, 3, 2)), 1800)
    values, status = on_grid([], starts, ZONE)
    assert not values.any()
    assert set(status.tolist()) == {ItemStatus.EMPTY}
    assert days_of(starts[:0], ZONE) is None
    assert days_of(starts, ZONE) == (date(2026, 3, 2), date(2026, 3, 3))
