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
from openami.shared.contract.enterprise.shapes import Member, Simple, shapes

CREATE = (
    shapes().roots["UtilitiesTimeSeriesERPItemBulkCreateRequest"].part("UtilitiesTimeSeriesERPItemCreateRequestMessage")
)
MEMBER = next(one for one in CREATE.part("UtilitiesTimeSeries").elements if one.xml_name == "Item")
START = np.datetime64("2026-03-29T00:00", "us") + np.arange(4) * np.timedelta64(900, "s")


def written(columns: IntervalColumns, member: Member = MEMBER) -> tuple[bytes, bytes]:
    """All items, and samples of them."""
    (whole,), (samples,) = IntervalColumns.written([columns], member)
    return whole, samples


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
    found = etree.fromstring(b"<x>" + written(columns)[0] + b"</x>").findall("Item")
    texts = [each.findtext("Quantity") for each in found]
    assert [None if text is None else Decimal(text) for text in texts] == [
        Decimal(value).scaleb(-decimals) if here else None for value, here in items
    ]
    assert all(text is None or text.lstrip("-")[:2] != "00" for text in texts)


def test_one_item_is_written_as_the_contract_has_it() -> None:
    columns = dataclasses.replace(
        IntervalColumns.regular(START[:1], 900, np.array([-25]), 3, status="A B"), unit=Words.same('<"', 1)
    )
    assert written(columns)[0] == (
        b'<Item><Quantity unitCode="&lt;&quot;">-0.025</Quantity>'
        b"<UTCValidityStartDateTime>2026-03-29T00:00:00Z</UTCValidityStartDateTime>"
        b"<UTCValidityEndDateTime>2026-03-29T00:15:00Z</UTCValidityEndDateTime>"
        b"<ItemStatus><UtilitiesTimeSeriesItemTypeCode>A</UtilitiesTimeSeriesItemTypeCode></ItemStatus>"
        b"<ItemStatus><UtilitiesTimeSeriesItemTypeCode>B</UtilitiesTimeSeriesItemTypeCode></ItemStatus></Item>"
    )


def test_microseconds_are_written_where_there_are_any() -> None:
    columns = IntervalColumns.regular(START + np.timedelta64(1, "us"), 900, np.arange(4), 0)
    assert b"<UTCValidityEndDateTime>2026-03-29T01:00:00.000001Z<" in written(columns)[0]


def test_samples_show_every_word_and_every_extreme() -> None:
    columns = IntervalColumns.regular(START, 900, np.array([5, 1, 9, 5]), 0, status=Words.of(["0", "1", "0", "0"]))
    found = etree.fromstring(b"<x>" + written(columns)[1] + b"</x>")
    assert [each.findtext("Quantity") for each in found] == ["5", "1", "9", "5"]  # first, least, greatest, last
    alike = written(IntervalColumns.regular(START, 900, np.ones(4, int), 0))[1]
    assert len(etree.fromstring(b"<x>" + alike + b"</x>")) == 2
    assert written(columns[:0]) == (b"", b"")


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
    columns = dataclasses.replace(IntervalColumns.regular(START, 900, np.arange(4), 0), **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has"):
        written(columns)


def test_what_a_customer_adds_is_written_in_its_place() -> None:
    """An element, an attribute of the item and of each part, and a unit where the column has none."""
    named = {member.name: member for member in MEMBER.shape.elements}
    kind = Member("kind", "", Simple("", "token"), constant=' kind="k"')
    grade = Member("Grade", "", Simple("", "token"), constant="<Grade>A</Grade>")
    unit = dataclasses.replace(named["quantity"].shape.attributes[0], constant=' unitCode="WH"')
    quantity = dataclasses.replace(named["quantity"].shape, attributes=(unit, kind))
    status = dataclasses.replace(
        named["item_status"].shape, elements=(grade, *named["item_status"].shape.elements), attributes=(kind,)
    )
    item = dataclasses.replace(
        MEMBER.shape,
        attributes=(kind,),
        elements=(
            dataclasses.replace(named["quantity"], content=quantity),
            named["utc_validity_start_date_time"],
            grade,
            named["utc_validity_end_date_time"],
            dataclasses.replace(named["item_status"], content=status),
        ),
    )
    columns = IntervalColumns.regular(START[:2], 900, np.array([1, 2]), 0, status="A B")
    columns = dataclasses.replace(columns, unit=Words.of(["KWH", ""]), present=np.array([True, True]))
    first, second = etree.fromstring(b"<x>" + written(columns, dataclasses.replace(MEMBER, content=item))[0] + b"</x>")
    for one, wanted in ((first, "KWH"), (second, "WH")):
        assert dict(one.items()) == {"kind": "k"}
        assert dict(one[0].items()) == {"unitCode": wanted, "kind": "k"}
        assert [child.tag for child in one] == [
            "Quantity", "UTCValidityStartDateTime", "Grade", "UTCValidityEndDateTime", "ItemStatus", "ItemStatus"
        ]  # fmt: skip
        for code, each in zip("AB", one.findall("ItemStatus"), strict=True):
            assert dict(each.items()) == {"kind": "k"}
            assert [(child.tag, child.text) for child in each] == [
                ("Grade", "A"), ("UtilitiesTimeSeriesItemTypeCode", code)
            ]  # fmt: skip
