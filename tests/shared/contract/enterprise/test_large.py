"""Large messages: the same outcome as small ones, in time that grows with their size and not with its square."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any

import pytest

from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.intervals import decode_intervals
from openami.shared.contract.enterprise.validate import LARGE_BYTES, LONG_LIST

RESULTS = "MeterReadingDocumentERPResultBulkCreateRequest"
CONFIRMATIONS = "MeterReadingDocumentERPResultBulkCreateConfirmation"
UPLOAD = "UtilitiesTimeSeriesERPItemBulkCreateRequest"
COUNT = 400


def many(root: str, count: int = COUNT) -> Any:
    """A bulk message with so many items, told apart by their document's number."""
    message: Any = example(root)
    first = message.items[0]
    items = (
        dataclasses.replace(
            first, meter_reading_document=dataclasses.replace(first.meter_reading_document, id=str(number))
        )
        for number in range(count)
    )
    return dataclasses.replace(message, items=tuple(items))


def upload(count: int) -> tuple[Any, bytes]:
    """An upload of one series with so many items."""
    message: Any = example(UPLOAD)
    one = message.items[0]
    series = dataclasses.replace(one.utilities_time_series, item=one.utilities_time_series.item * count)
    message = dataclasses.replace(message, items=(dataclasses.replace(one, utilities_time_series=series),))
    return message, encode(message)


@pytest.mark.parametrize("root", [RESULTS, CONFIRMATIONS])
def test_a_large_bulk_message_stays_whole_and_in_order(root: str) -> None:
    message = many(root)
    body = encode(message)
    assert len(body) > LARGE_BYTES
    assert decode(body) == message


def test_the_invalid_item_of_many_is_named_by_its_number_and_line() -> None:
    body = encode(many(RESULTS)).replace(b"><ID>", b">\n<ID>")
    with pytest.raises(InvalidMessage) as caught:
        decode(body.replace(b"\n<ID>321</ID>", b"\n<ID>321" + b"1" * 20 + b"</ID>"))
    place = f"{RESULTS.replace('Bulk', '')}Message[322]/MeterReadingDocument/ID"
    assert caught.value.element == place
    assert caught.value.line == body[: body.index(b"<ID>321<")].count(b"\n") + 1
    start = body.index(b"<Result>", body.index(b"<ID>321</ID>"))
    with pytest.raises(MissingElement) as missed:
        decode(body[:start] + body[body.index(b"</Result>", start) + 9 :])
    assert missed.value.element == place.replace("/ID", "/Result")


def test_additions_to_each_item_of_many_are_kept_with_it() -> None:
    message = many(RESULTS)
    body = encode(message).replace(b"</Result>", b"</Result><Z>1</Z>").replace(b"<Result>", b'<Result a="1">')
    found: Any = decode(body)
    assert found == message
    assert {tuple(extra.path for extra in item.extras) for item in found.items} == {("MeterReadingDocument/Z",)}
    item_name = f"{RESULTS.replace('Bulk', '')}Message"
    assert [extra.path for extra in found.extras] == [
        f"{item_name}[{number}]/MeterReadingDocument/Result/@a" for number in range(1, COUNT + 1)
    ]


def test_other_spellings_of_many_items_are_the_same_message() -> None:
    message = many(RESULTS)
    body = codec().encode_bare(message)
    qualified = body.replace(b"n0:", b"").replace(b"xmlns:n0=", b"xmlns=")
    assert decode(qualified) == message
    empty = body.replace(b"</MeterReadingReasonCode>", b"</MeterReadingReasonCode>").replace(
        b"<MeterReadingTypeCode>01</MeterReadingTypeCode>", b"<MeterReadingTypeCode/>"
    )
    found: Any = decode(empty)
    assert found.items[-1].meter_reading_document.result.meter_reading_type_code is None


def test_a_large_message_without_header_or_items_is_refused_by_name() -> None:
    body = codec().encode_bare(many(RESULTS))
    start, end = body.index(b"<MessageHeader>"), body.index(b"</MessageHeader>") + len(b"</MessageHeader>")
    with pytest.raises(MissingElement, match="MessageHeader"):
        decode(body[:start] + body[end:])
    padded = b"<x>" + b" " * LARGE_BYTES + b"</x>"
    with pytest.raises(MissingElement, match="CreateRequestMessage"):
        decode(body[:end] + padded + body[body.rindex(b"</n0:") :])


def test_very_long_lists_are_checked_too() -> None:
    message, body = upload(LONG_LIST + 1)
    assert decode(body) == message
    added = body.replace(b"</Item>", b"<Z/></Item>")
    found: Any = decode(added)
    assert found == message
    assert len(found.items[0].extras) == LONG_LIST + 1
    assert found.items[0].extras[-1].path == f"UtilitiesTimeSeries/Item[{LONG_LIST + 1}]/Z"
    assert len(decode_intervals(added)[1][0]) == LONG_LIST + 1
    with pytest.raises(InvalidMessage, match=r"\.\.\./Quantity"):
        decode(body.replace(b">0.125<", b">much<"))
    with pytest.raises(MissingElement, match="ItemStatus"):
        decode(body.replace(body[body.index(b"<ItemStatus>") : body.index(b"</Item>")], b""))


def seconds(body: bytes) -> float:
    start = time.process_time()
    with contextlib.suppress(InvalidMessage):
        decode(body)
    return time.process_time() - start


@pytest.mark.parametrize("change", [(b">0.125<", b">much<"), (b"</Item>", b"<Z/></Item>")])
def test_the_same_fault_everywhere_takes_time_by_size_not_by_its_square(change: tuple[bytes, bytes]) -> None:
    small, large = (upload(count)[1].replace(*change) for count in (LONG_LIST + 1, 4 * LONG_LIST))
    # four times the size; the square would be sixteen times the time
    assert seconds(large) < 10 * seconds(small)
