"""Columns of few words, and the XML of items."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words

START = np.datetime64("2026-03-29T00:00", "us") + np.arange(4) * np.timedelta64(900, "s")


def test_a_column_of_words_is_its_texts_in_any_part() -> None:
    words = Words.of(["a", "b", "a", "c"])
    assert words.texts == ("a", "b", "c")
    assert words.tolist() == ["a", "b", "a", "c"]
    assert len(words) == 4
    assert words[1] == "b"
    assert words[3] == "c"
    assert words[1:3].tolist() == ["b", "a"]
    assert words[np.array([True, False, False, True])].tolist() == ["a", "c"]
    assert Words.same("x", 2).tolist() == ["x", "x"]


def test_words_are_judged_once_each_and_only_if_they_occur() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    assert Words.of(["a", "bb", "a", "ccc"])[:3].each(length, np.uint8).tolist() == [1, 2, 1]
    assert asked == ["a", "bb"]
    assert Words.of([]).each(length, np.uint8).tolist() == []


@given(
    st.lists(st.tuples(st.integers(-(10**18) + 1, 10**18 - 1), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 18),
)
def test_every_quantity_is_written_exactly(items: list[tuple[int, bool]], decimals: int) -> None:
    start = np.datetime64("2026-03-29T00:00", "us") + np.arange(len(items)) * np.timedelta64(900, "s")
    values = np.array([value for value, _ in items], np.int64)
    columns = dataclasses.replace(
        IntervalColumns.regular(start, 900, values, decimals), present=np.array([here for _, here in items])
    )
    found = etree.fromstring(b"<x>" + columns.xml() + b"</x>").findall("Item")
    texts = [each.findtext("Quantity") for each in found]
    assert [None if text is None else Decimal(text) for text in texts] == [
        Decimal(value).scaleb(-decimals) if here else None for value, here in items
    ]
    assert all(text is None or text.lstrip("-")[:2] != "00" for text in texts)


def test_one_item_is_written_as_the_contract_has_it() -> None:
    columns = dataclasses.replace(
        IntervalColumns.regular(START[:1], 900, np.array([-25]), 3, status="A B"), unit=Words.same('<"', 1)
    )
    assert columns.xml() == (
        b'<Item><Quantity unitCode="&lt;&quot;">-0.025</Quantity>'
        b"<UTCValidityStartDateTime>2026-03-29T00:00:00Z</UTCValidityStartDateTime>"
        b"<UTCValidityEndDateTime>2026-03-29T00:15:00Z</UTCValidityEndDateTime>"
        b"<ItemStatus><UtilitiesTimeSeriesItemTypeCode>A</UtilitiesTimeSeriesItemTypeCode></ItemStatus>"
        b"<ItemStatus><UtilitiesTimeSeriesItemTypeCode>B</UtilitiesTimeSeriesItemTypeCode></ItemStatus></Item>"
    )


def test_microseconds_are_written_where_there_are_any() -> None:
    columns = IntervalColumns.regular(START + np.timedelta64(1, "us"), 900, np.arange(4), 0)
    assert b"<UTCValidityEndDateTime>2026-03-29T01:00:00.000001Z<" in columns.xml()


def test_samples_show_every_word_and_every_extreme() -> None:
    columns = IntervalColumns.regular(START, 900, np.array([5, 1, 9, 5]), 0, status=Words.of(["0", "1", "0", "0"]))
    found = etree.fromstring(b"<x>" + columns.samples() + b"</x>")
    assert [each.findtext("Quantity") for each in found] == ["5", "1", "9", "5"]  # first, least, greatest, last
    assert (
        len(etree.fromstring(b"<x>" + IntervalColumns.regular(START, 900, np.ones(4, int), 0).samples() + b"</x>")) == 2
    )
    nothing = columns[:0]
    assert (nothing.xml(), nothing.samples()) == (b"", b"")


@pytest.mark.parametrize(
    "change",
    [
        {"values": np.array([10**18, 0, 0, 0])},
        {"values": np.array([np.iinfo(np.int64).min, 0, 0, 0])},
        {"decimals": 19},
        {"end": np.full(4, np.datetime64("NaT", "us"))},
        {"unit": Words.same("\0", 4)},
    ],
)
def test_what_cannot_be_written_is_not(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has"):
        dataclasses.replace(IntervalColumns.regular(START, 900, np.arange(4), 0), **change).xml()  # type: ignore[arg-type]
