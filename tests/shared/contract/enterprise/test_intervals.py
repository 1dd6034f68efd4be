"""Columns and items say the same, whichever way the message goes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.shared.contract.enterprise.codec import decode, encode
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words, shifted
from openami.shared.contract.enterprise.intervals import (
    columns_of,
    decode_in_columns,
    decode_intervals,
    encode_intervals,
    with_columns,
)
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.time_series import UtilitiesTimeSeriesItem
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage

UPLOADS = [
    "UtilitiesTimeSeriesERPItemBulkCreateRequest",
    "UtilitiesTimeSeriesERPItemBulkChangeRequest",
    "UtilitiesTimeSeriesERPItemBulkNotification",
    "UtilitiesTimeSeriesBundleItemCreateRequest",
]
CREATE = UPLOADS[0]
START = dt.datetime(2026, 3, 29, tzinfo=dt.UTC)
Upload = Bulk[HeadedMessage]


def upload(*series: tuple[UtilitiesTimeSeriesItem, ...], root: str = CREATE) -> Any:
    """An upload whose items have these interval items."""
    message: Any = example(root)
    one = message.items[0]
    items = tuple(
        dataclasses.replace(one, utilities_time_series=dataclasses.replace(one.utilities_time_series, item=each))
        for each in series
    )
    return dataclasses.replace(message, items=items)


def interval(number: int, value: str | None, unit: str | None = "KWH", *status: str) -> UtilitiesTimeSeriesItem:
    return UtilitiesTimeSeriesItem(
        quantity=None if value is None else Quantity(value=Decimal(value), unit_code=unit),
        utc_validity_start_date_time=START + number * dt.timedelta(minutes=15),
        utc_validity_end_date_time=START + (number + 1) * dt.timedelta(minutes=15),
        item_status=tuple(
            UtilitiesTimeSeriesItem.ItemStatus(utilities_time_series_item_type_code=code) for code in status or ("0",)
        ),
    )


def as_items(columns: IntervalColumns) -> tuple[UtilitiesTimeSeriesItem, ...]:
    """The slow way from columns to items."""
    found = []
    for row in range(len(columns)):
        value = Decimal(int(columns.values[row])).scaleb(-columns.decimals)
        start, end = (
            each[row].astype("datetime64[us]").item().replace(tzinfo=dt.UTC) for each in (columns.start, columns.end)
        )
        codes = str(columns.status[row]).split(" ")
        found.append(
            UtilitiesTimeSeriesItem(
                quantity=Quantity(value=value, unit_code=str(columns.unit[row]) or None)
                if columns.present[row]
                else None,
                utc_validity_start_date_time=start,
                utc_validity_end_date_time=end,
                item_status=tuple(
                    UtilitiesTimeSeriesItem.ItemStatus(utilities_time_series_item_type_code=code) for code in codes
                ),
            )
        )
    return tuple(found)


def without_items(message: Any) -> Any:
    return dataclasses.replace(
        message,
        items=tuple(
            dataclasses.replace(one, utilities_time_series=dataclasses.replace(one.utilities_time_series, item=()))
            for one in message.items
        ),
    )


ITEMS = st.builds(
    interval,
    st.integers(0, 10_000),
    st.none() | st.decimals(-10_000, 10_000, places=3).map(str) | st.integers(0, 10**9).map(str),
    st.sampled_from(["KWH", "M3", None, '<&"', "é"]),
    st.sampled_from(["0", "ACTL", "W", "a&b"]),
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.lists(ITEMS, max_size=5).map(tuple), min_size=1, max_size=3))
def test_columns_are_the_items(series: list[tuple[UtilitiesTimeSeriesItem, ...]]) -> None:
    message = upload(*series)
    body = encode(message)
    rest, columns = decode_intervals(body)
    assert rest == without_items(message)
    assert [as_items(each) for each in columns] == series
    assert decode(encode_intervals(rest, columns)) == message


@pytest.mark.parametrize("root", UPLOADS)
def test_every_upload_goes_by_columns(root: str) -> None:
    message = upload((interval(0, "1.5"), interval(1, "0.25")), (), (interval(2, "-7"),), root=root)
    rest, columns = decode_intervals(encode(message))
    assert [len(each) for each in columns] == [2, 0, 1]
    assert decode(encode_intervals(rest, columns)) == message


def test_values_are_scaled_integers_with_the_fewest_decimals() -> None:
    texts = ["0.125", "12", "100", "1.50", "-0.5", "+2.25", ".5", "7.", "000.000", "123456789012345"]
    body = encode(upload(tuple(interval(number, "1") for number in range(len(texts)))))
    for text in texts:
        body = body.replace(b">1</Quantity>", f">{text}</Quantity>".encode(), 1)
    _, (columns,) = decode_intervals(body)
    assert columns.decimals == 3
    assert columns.values.tolist() == [125, 12000, 100000, 1500, -500, 2250, 500, 7000, 0, 123456789012345000]
    assert columns.values.dtype == np.int64


def test_a_missing_quantity_is_not_zero() -> None:
    _, (columns,) = decode_intervals(encode(upload((interval(0, None), interval(1, "0")))))
    assert columns.present.tolist() == [False, True]


def test_white_space_and_fine_fractions_are_understood() -> None:
    body = encode(upload((interval(0, "1.5"), interval(1, "2"))))
    odd = (
        body.replace(b">1.5<", b">\n\t1.5 <")
        .replace(b"T00:00:00Z", b"T00:00:00.1234567Z", 1)
        .replace(b">0</Util", b">\t0\n</Util")
        .replace(b'"KWH"', b'" KWH\t"')
    )
    _, (columns,) = decode_intervals(odd)
    assert columns.values.tolist() == [15, 20]
    assert columns.start[0] == np.datetime64("2026-03-29T00:00:00.123456")
    assert columns.status.tolist() == ["0", "0"]
    assert columns.unit.tolist() == ["KWH", "KWH"]


def test_several_statuses_stay_with_their_item() -> None:
    message = upload((interval(0, "1", "KWH", "A", "B"), interval(1, "1")))
    rest, (columns,) = decode_intervals(encode(message))
    assert columns.status.tolist() == ["A B", "0"]
    assert decode(encode_intervals(rest, [columns])) == message


def test_a_quantity_beyond_18_digits_is_refused_by_name() -> None:
    with pytest.raises(InvalidMessage, match="18 are possible"):
        decode_intervals(encode(upload((interval(0, "1234567890123456789"),))))


def test_invalid_items_are_refused_as_everywhere() -> None:
    body = encode(upload((interval(0, "1"),)))
    with pytest.raises(InvalidMessage, match="Quantity"):
        decode_intervals(body.replace(b">1</Quantity>", b">one</Quantity>"))
    with pytest.raises(MissingElement, match="ItemStatus"):
        decode_intervals(body.replace(body[body.index(b"<ItemStatus>") : body.index(b"</Item>")], b""))
    with pytest.raises(InvalidMessage, match="Item"):
        decode_intervals(body.replace(b"T00:15:00Z", b"T24:00:00Z"))


def test_other_messages_are_not_uploads() -> None:
    for root in ("UtilitiesDeviceERPSmartMeterBulkCreateRequest", "UtilitiesTimeSeriesERPItemBulkCreateConfirmation"):
        with pytest.raises(InvalidMessage, match="not an upload"):
            decode_intervals(encode(example(root)))


def test_a_day_of_23_hours_is_92_regular_items() -> None:
    start = np.arange("2026-03-28T23:00", "2026-03-29T22:00", 15, dtype="datetime64[m]")
    columns = IntervalColumns.regular(start, 900, np.arange(92), 3, status="ACTL")
    message: Upload = without_items(upload((interval(0, "1"),)))
    decoded: Any = decode(encode_intervals(message, [columns]))
    items = decoded.items[0].utilities_time_series.item
    assert len(items) == 92
    assert items[-1].utc_validity_end_date_time == dt.datetime(2026, 3, 29, 22, tzinfo=dt.UTC)
    assert sum(item.quantity.value for item in items) == Decimal("4.186")


@pytest.mark.parametrize(
    "change",
    [
        {"unit": Words.same("KILO", 1)},
        {"status": Words.same("ABCDE", 1)},
        {"status": Words.same("", 1)},
        {"start": np.array(["NaT"], dtype="datetime64[us]")},
        {"values": np.array([10**18])},
        {"values": np.array([np.iinfo(np.int64).min])},
        {"decimals": 15},
        {"unit": Words.same("a\x01", 1)},
        {"status": Words.same("a\0", 1)},
        {"start": np.array(["12026-03-01"], dtype="datetime64[us]")},
        {"values": np.array([1]), "decimals": 17},
    ],
)
def test_nothing_invalid_leaves_by_columns(change: dict[str, Any]) -> None:
    start = np.array(["2026-03-01T00:00"], dtype="datetime64[us]")
    columns = dataclasses.replace(IntervalColumns.regular(start, 900, np.array([1]), 0), **change)
    with pytest.raises(InvalidMessage):
        encode_intervals(without_items(upload((interval(0, "1"),))), [columns])


def test_series_and_columns_must_match() -> None:
    with pytest.raises(InvalidMessage, match="1 series in the message, 0 in the columns"):
        encode_intervals(without_items(upload((interval(0, "1"),))), [])


def test_a_message_with_columns_in_place_of_items_is_sent_like_any_other() -> None:
    message = upload((interval(0, "1.5"), interval(1, "2", "M3", "W")), ())
    rest, columns = decode_intervals(encode(message))
    together = with_columns(rest, columns)
    assert [columns_of(item) for item in together.items] == list(columns)
    assert decode(encode(together)) == message
    with pytest.raises(ValueError, match="zip"):
        with_columns(rest, columns[:1])


def test_columns_that_cannot_be_written_are_refused_in_a_message_too() -> None:
    start = np.array(["NaT"], dtype="datetime64[us]")
    columns = IntervalColumns.regular(start, 900, np.array([1]), 0)
    with pytest.raises(InvalidMessage, match="no start"):
        encode(with_columns(without_items(upload((interval(0, "1"),))), [columns]))


@given(
    st.lists(st.tuples(st.integers(-(10**17), 10**17), st.integers(-20, 20)), max_size=20),
)
def test_shifting_is_exact_or_says_that_it_is_not(pairs: list[tuple[int, int]]):
    values, powers = (np.array([pair[place] for pair in pairs], np.int64) for place in (0, 1))
    moved, exact = shifted(values, powers)
    for (value, power), got, right in zip(pairs, moved.tolist(), exact.tolist(), strict=True):
        wanted = Fraction(value) * Fraction(10) ** power
        possible = wanted.denominator == 1 and abs(wanted) < 2**63
        assert right == possible
        assert got == (wanted if possible else 0)


def test_what_is_no_upload_is_decoded_as_always():
    body = encode(example("UtilitiesDeviceERPSmartMeterBulkCreateRequest"))
    assert decode_in_columns(body) == decode(body)


@pytest.mark.parametrize("root", UPLOADS)
def test_every_upload_arrives_in_columns(root: str):
    message: Any = example(root)
    arrived: Any = decode_in_columns(encode(message))
    for sent, found in zip(message.items, arrived.items, strict=True):
        columns = columns_of(found)
        assert len(columns) == len(sent.utilities_time_series.item)
        starts = [one.utc_validity_start_date_time.replace(tzinfo=None) for one in sent.utilities_time_series.item]
        assert columns.start.tolist() == starts
        assert found.message_header == sent.message_header


@pytest.mark.parametrize("root", UPLOADS)
def test_what_columns_do_not_hold_is_kept_with_its_place(root: str) -> None:
    """Add-on fields inside items, however deep, are the extras that the message has as objects."""
    message = upload((interval(0, "1"), interval(1, "2")), (), (interval(2, "3"),), root=root)
    body = encode(message).replace(b"</Item>", b"<ZGrade k='1'>A</ZGrade></Item>", 2)
    last = body.rindex(b"<ItemStatus>") + len(b"<ItemStatus>")
    body = body[:last] + b"<ZWhy>W</ZWhy>" + body[last:]
    body = body.replace(b"</UtilitiesTimeSeries>", b"<ZArea>7</ZArea></UtilitiesTimeSeries>", 1)
    rest, columns = decode_intervals(body)
    plain: Any = decode(body)
    assert [len(each) for each in columns] == [2, 0, 1]
    assert [sorted(extra.path for extra in item.extras) for item in rest.items] == [
        [
            "UtilitiesTimeSeries/Item[1]/ZGrade",
            "UtilitiesTimeSeries/Item[2]/ZGrade",
            "UtilitiesTimeSeries/ZArea",
        ],
        [],
        ["UtilitiesTimeSeries/Item[1]/ItemStatus[1]/ZWhy"],
    ]
    assert [set(item.extras) for item in rest.items] == [set(item.extras) for item in plain.items]
    assert [columns_of(item) for item in with_columns(rest, columns).items] == list(columns)


def test_amounts_of_money_are_kept_beside_the_columns() -> None:
    amount = b'<Amount currencyCode="EUR">2.50</Amount>'
    body = encode(upload((interval(0, "1"), interval(1, None))))
    at = body.rindex(b"<Item>") + len(b"<Item>")
    rest, (columns,) = decode_intervals(body[:at] + amount + body[at:])
    assert columns.present.tolist() == [True, False]
    (extra,) = rest.items[0].extras
    assert extra.path == "UtilitiesTimeSeries/Item[2]/Amount"
    assert ">2.50</Amount>" in extra.xml
