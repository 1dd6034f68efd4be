"""The scan over the bytes of an upload and the XML parser give the same answer, or the scan stands back."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openami.shared.contract.enterprise import intervals
from openami.shared.contract.enterprise.codec import encode, use_overlay
from openami.shared.contract.enterprise.errors import HostileXml, InvalidMessage, Refusal, TooLarge
from openami.shared.contract.enterprise.examples import example as example_of
from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words
from openami.shared.contract.enterprise.interval_scan import scan_items
from openami.shared.contract.enterprise.intervals import decode_intervals, encode_intervals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UPLOADS = [
    "UtilitiesTimeSeriesERPItemBulkCreateRequest",
    "UtilitiesTimeSeriesERPItemBulkChangeRequest",
    "UtilitiesTimeSeriesERPItemBulkNotification",
    "UtilitiesTimeSeriesBundleItemCreateRequest",
]
FIRST = np.datetime64("2026-03-28T23:00", "us")


@pytest.fixture(autouse=True)
def _scan_small_messages_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "SCAN_FROM_BYTES", 0)
        yield


def series(count: int, seed: int = 0, decimals: int = 3) -> IntervalColumns:
    draw = np.random.default_rng(seed)
    start = FIRST + np.arange(count) * np.timedelta64(900, "s")
    status = Words(("01", "02", "99", "A B"), draw.integers(0, 4, count).astype(np.uint16))
    made = IntervalColumns.regular(start, 900, draw.integers(-5, 10**6, count), decimals, status=status)
    present = status.which != 2
    return dataclasses.replace(made, present=present, values=np.where(present, made.values, 0))


def upload(*columns: IntervalColumns, root: str = UPLOADS[0]) -> bytes:
    message: Any = example_of(root)
    one = message.items[0]
    empty = dataclasses.replace(one, utilities_time_series=dataclasses.replace(one.utilities_time_series, item=()))
    return encode_intervals(dataclasses.replace(message, items=(empty,) * len(columns)), columns)


def slowly(body: bytes, **limits: int) -> tuple[Any, tuple[IntervalColumns, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "SCAN_FROM_BYTES", sys.maxsize)
        return decode_intervals(body, **limits)


def as_values(columns: IntervalColumns) -> dict[str, Any]:
    parts = {each.name: getattr(columns, each.name) for each in dataclasses.fields(columns)}
    unit = [unit if here else "" for unit, here in zip(columns.unit.tolist(), columns.present.tolist(), strict=True)]
    return {name: part if name == "decimals" else part.tolist() for name, part in parts.items()} | {"unit": unit}


def answer(decoded: Callable[[bytes], tuple[Any, tuple[IntervalColumns, ...]]], body: bytes) -> object:
    try:
        message, columns = decoded(body)
    except Refusal as reason:
        return type(reason), str(reason)
    return message, message.extras, [as_values(each) for each in columns]


def agree(body: bytes) -> None:
    assert answer(decode_intervals, body) == answer(slowly, body)


PLAIN = upload(series(6, 1), series(1, 2, 0), series(4, 3))


@pytest.mark.parametrize("root", UPLOADS)
def test_our_own_uploads_are_scanned_whole(root: str) -> None:
    sent = (series(9, 1), series(0), series(3, 2))
    body = upload(*sent, root=root)
    scan = scan_items(body)
    assert scan is not None
    assert [len(run) for run in scan.runs] == [9, 3]
    assert scan.rest.count(b"<Item>") == sum(scan.left) < 12
    agree(body)
    _, found = decode_intervals(body)
    assert [one.values.tolist() for one in found] == [one.values.tolist() for one in sent]
    assert [one.status.tolist() for one in found] == [one.status.tolist() for one in sent]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 99), st.integers(0, 14)), min_size=1, max_size=5))
def test_both_ways_read_what_we_write(shapes: list[tuple[int, int, int]]) -> None:
    body = upload(*(series(*shape) for shape in shapes))
    assert (scan_items(body) is None) == (not any(count for count, _, _ in shapes))
    agree(body)


def indented(body: bytes) -> bytes:
    return body.replace(b"><", b">\n    <")


def with_default_namespace(body: bytes) -> bytes:
    return body.replace(b"<n0:", b"<").replace(b"</n0:", b"</").replace(b" xmlns:n0=", b" xmlns=")


def with_an_item_in_front(body: bytes) -> bytes:
    return body.replace(b"<soapenv:Header/>", b"<soapenv:Header><x:Item xmlns:x='urn:x'>1</x:Item></soapenv:Header>")


@pytest.mark.parametrize("dress", [indented, with_default_namespace, with_an_item_in_front])
def test_other_spellings_of_the_rest_are_the_same_message(dress: Callable[[bytes], bytes]) -> None:
    body = dress(PLAIN)
    assert scan_items(body) is not None
    agree(body)
    assert decode_intervals(body)[0] == slowly(PLAIN)[0]


CHANGES = [
    (b"</Quantity>", b" </Quantity>"),
    (b"00:00Z<", b"00:00.5Z<"),
    (b"T23:", b"T24:"),
    (b"2026-03-28T23:00:00Z", b"2026-02-29T23:00:00Z"),
    (b"2026-03-28T23:00:00Z", b"0000-03-28T23:00:00Z"),
    (b"2026-03-28T23:00:00Z", b"2026-03-28T23:00:00+"),
    (b'"KWH"', b'"KILO"'),
    (b'"KWH"', b'"K&amp;"'),
    (b'"KWH"', b'"KWH" '),
    (b'"KWH"', b"'KWH'"),
    (b'="KWH">', b'="KWH" new="1">'),
    (b"Code>01<", b"Code>01234<"),
    (b"Code>01<", b"Code> 01<"),
    (b"Code>01<", b"Code><"),
    (b"Code>01<", b"Code listID='1'>01<"),
    (b"<Item>", b"<Item a='b'>"),
    (b"<Item>", b"<Item><!-- hm -->"),
    (b"<Item>", b"<!-- <Item> --><Item>"),
    (b"<Item>", b"<![CDATA[]]><Item>"),
    (b"<Item>", b"<?pi <Item> ?><Item>"),
    (b"<Item>", b"<Item/><Item>"),
    (b"<Item>", b"text<Item>"),
    (b"<Item>", b"<Z>1</Z><Item>"),
    (b"<Item>", b"<Item><Amount currencyCode='EUR'>1</Amount>"),
    (b"<Item>", b"<x:Item xmlns:x='urn:x'/><Item>"),
    (b"</Item>", b"<Z>1</Z></Item>"),
    (b"</Item>", b""),
    (b"</Item>", b"</Item></Item>"),
    (b"<ItemStatus>", b"<ItemStatus >"),
    (b"UTF-8", b"ISO-8859-1"),
    (b"<MessageHeader>", b"<MessageHeader><Item>1</Item>"),
    (b"</MessageHeader>", b"<Z>1</Z></MessageHeader>"),
    (b"</UtilitiesTimeSeries>", b"</UtilitiesTimeSeries><UtilitiesTimeSeries/>"),
    (b"<ID>", b"<ID>0123456789012345678"),
    (b"<?xml", b"<!DOCTYPE x [<!ENTITY e 'x'>]><?xml"),
    (b"</Quantity>", b".2500</Quantity>"),
    (b"</Quantity>", b"0" * 15 + b"</Quantity>"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
@pytest.mark.parametrize("count", [1, -1])
def test_whatever_is_odd_both_ways_agree(old: bytes, new: bytes, count: int) -> None:
    assert old in PLAIN
    agree(PLAIN.replace(old, new, count))


def test_items_in_the_wrong_place_are_not_taken_for_those_of_a_series() -> None:
    begin, end = PLAIN.index(b"<Item>"), PLAIN.index(b"</UtilitiesTimeSeries>")
    items = PLAIN[begin:end]
    moved = PLAIN[:begin] + PLAIN[end:].replace(
        b"</UtilitiesTimeSeries>", b"</UtilitiesTimeSeries><Z>%b</Z>" % items, 1
    )
    assert scan_items(moved) is not None
    agree(moved)
    assert [len(each) for each in decode_intervals(moved)[1]] == [0, 1, 4]


@given(st.text("0123456789.+-", min_size=1, max_size=26))
@example("+0.0")
@example(".")
@example("-.5")
@example("7.")
@example("0" * 24)
@example("9" * 19)
@example("1." + "0" * 15)
def test_whatever_stands_in_a_value_both_ways_agree(text: str) -> None:
    begin, end = PLAIN.index(b'"KWH">') + 6, PLAIN.index(b"</Quantity>")
    agree(PLAIN[:begin] + text.encode() + PLAIN[end:])


@given(st.integers(0, 20), st.sampled_from(b"0123456789TZ:.+- "), st.sampled_from(["Start", "End"]))
def test_whatever_stands_in_a_time_both_ways_agree(place: int, character: int, which: str) -> None:
    tag = f"<UTCValidity{which}DateTime>".encode()
    at = PLAIN.index(tag) + len(tag) + place
    agree(PLAIN[:at] + bytes([character]) + PLAIN[at + 1 :])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(PLAIN)), st.integers(0, 30), st.binary(max_size=10) | st.sampled_from([b"<", b"9", b"</Item>"])
)
@example(PLAIN.index(b"</Item>"), 0, b" ")
@example(PLAIN.index(b'"KWH"') + 1, 3, b"\x80")
@example(PLAIN.index(b"Code>") + 5, 2, b"\0\0")
def test_however_an_upload_is_damaged_both_ways_agree(position: int, cut: int, insert: bytes) -> None:
    agree(PLAIN[:position] + insert + PLAIN[position + cut :])


def test_limits_and_hostile_xml_are_the_same_on_both_ways() -> None:
    with pytest.raises(TooLarge):
        decode_intervals(PLAIN, maximum_bytes=len(PLAIN) - 1)
    with pytest.raises(HostileXml):
        decode_intervals(b"<!DOCTYPE x>" + PLAIN.partition(b"?>")[2])
    deep = b"<Z>" * 300 + b"</Z>" * 300
    with pytest.raises(HostileXml):
        decode_intervals(PLAIN.replace(b"</MessageHeader>", b"</MessageHeader>" + deep, 1))


def test_an_overlay_knows_better_than_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "scan_items", lambda _: pytest.fail("scanned"))
    use_overlay(tmp_path)
    try:
        assert [len(each) for each in decode_intervals(PLAIN)[1]] == [6, 1, 4]
    finally:
        use_overlay(None)


def test_what_is_no_upload_is_left_to_the_parser() -> None:
    other = encode(example_of("UtilitiesDeviceERPSmartMeterBulkCreateRequest"))
    assert scan_items(other) is None
    with pytest.raises(InvalidMessage, match="not an upload"):
        decode_intervals(other)
    renamed = PLAIN.replace(b"UtilitiesTimeSeriesERPItemBulkCreateRequest", b"UtilitiesTimeSeriesERPItemBulkRequest")
    assert scan_items(renamed) is not None
    agree(renamed)
