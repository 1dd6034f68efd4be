"""Large bulks in columns: what objects give, without them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.errors import InvalidMessage
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import header, subject
from openami.shared.contract.enterprise.intervals import decode_in_columns
from openami.shared.contract.enterprise.item_columns import ITEMS_AT_ONCE, ItemColumns, leaves, new_uuids
from openami.shared.contract.enterprise.item_reading import IN_COLUMNS, read_in_columns
from openami.shared.contract.enterprise.messages.common import PointOfDelivery
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateRequest as Results,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultCreateConfirmation as Answer,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultCreateRequest as Result,
)
from openami.shared.contract.enterprise.parse import message_element
from openami.shared.contract.enterprise.shapes import Shape
from openami.shared.contract.enterprise.validate import LARGE_BYTES
from openami.shared.errors import OpenAmiError

NOW = dt.datetime(2026, 3, 20, 6, tzinfo=dt.UTC)
ROOT = "MeterReadingDocumentERPResultBulkCreateRequest"
Content = Result.MeterReadingDocument
Task = Content.UtiltiesMeasurementTask
AnsweredTask = Answer.MeterReadingDocument.UtiltiesMeasurementTask
tokens = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
seconds = st.times().map(lambda one: one.replace(microsecond=0))
tasks = st.builds(
    Task,
    utilities_measurement_task_id=st.none() | st.from_regex(r"[0-9]{1,18}", fullmatch=True),
    utilities_object_identification_system_code_text=st.none() | tokens,
    utilties_device=st.none() | st.builds(Task.UtiltiesDevice, utilities_device_id=tokens),
    utilities_point_of_delivery=st.none() | st.builds(PointOfDelivery, utilities_point_of_delivery_party_id=tokens),
)
items = st.builds(
    Result,
    message_header=st.uuids().map(lambda uuid: header(NOW, uuid=str(uuid), sender="MDUS")),
    meter_reading_document=st.builds(
        Content,
        id=st.none() | tokens,
        meter_reading_reason_code=st.none() | st.sampled_from(["01", "9"]),
        # an element with nothing in it says nothing: columns cannot hold it, and the objects that come are without it
        utilties_measurement_task=st.none() | tasks.filter(lambda one: one != Task()),
        result=st.builds(
            Content.Result,
            actual_meter_reading_date=st.dates(),
            actual_meter_reading_time=seconds,
            meter_reading_result_value=st.decimals(-(10**9), 10**9, places=3),
        ),
    ),
)


def bulk(*of: Result) -> Results:
    return Results(message_header=header(NOW, sender="MDUS"), items=of)


def columns(body: bytes) -> Results:
    """The message in columns, however small it is."""
    element = message_element(body)
    message = read_in_columns(element, *codec().shape_of(element), len(body))
    assert isinstance(message, Results)
    return message


def many(count: int) -> list[Result]:
    message: Any = example(ROOT)
    document = message.items[0].meter_reading_document
    return [
        Result(
            message_header=header(NOW, sender="MDUS"),
            meter_reading_document=dataclasses.replace(document, id=f"{number}"),
        )
        for number in range(count)
    ]


@given(st.lists(items, min_size=1, max_size=5))
def test_items_in_columns_are_the_same_items_and_the_same_xml(of: list[Result]) -> None:
    body = encode(bulk(*of))
    message = columns(body)
    assert isinstance(message.items, ItemColumns)
    assert list(message.items) == of
    assert encode(message) == body
    assert subject(message) == subject(bulk(*of))


def test_large_bulks_come_in_columns_and_small_ones_in_objects() -> None:
    large, small = (bulk(*many(count)) for count in (ITEMS_AT_ONCE + 7, 3))
    body = encode(large)
    assert len(body) > LARGE_BYTES
    found: Any = decode_in_columns(body)
    assert isinstance(found.items, ItemColumns)
    assert found.message_header == large.message_header
    assert len(found.items) == len(large.items)
    assert tuple(found.items) == large.items
    assert found.items[-1] == large.items[-1]
    assert tuple(found.items[5:7]) == large.items[5:7]
    assert encode(found) == body
    assert decode_in_columns(encode(small)) == small


def added(item: Any) -> list[tuple[str, bytes]]:
    """The add-on fields of an item, without namespaces of the envelope that they do not use."""
    found = [(extra.path, etree.fromstring(extra.xml)) for extra in item.extras]
    for _, element in found:
        etree.cleanup_namespaces(element)
    return [(path, etree.tostring(element)) for path, element in found]


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        (b"<ID>2</ID>", b"<ID>2</ID><ZPlant>7</ZPlant>", 1),
        (b"</ID>", b"</ID><ZPlant kind='k'><A>7</A></ZPlant>", 5),
        (b"<ID>2</ID>", b"<ID> 2 </ID>", 0),
        (b"<ID>2</ID>", b"<ID>2\n2</ID>", 0),
        (b"<ID>2</ID>", b"<ID>2&#9;2</ID>", 0),
        (
            b"</MessageHeader><MeterReadingDocument><ID>2<",
            b"<BusinessScope><TypeCode>1</TypeCode></BusinessScope>$&",
            1,
        ),
        (b"<MessageHeader><UUID>", b"<MessageHeader tenant='DE'><UUID>", 0),
        (b"</MessageHeader>", b"<ZClient>100</ZClient></MessageHeader>", 5),
    ],
)
def test_what_texts_cannot_say_is_kept_beside_the_columns(before: bytes, after: bytes, whole: int) -> None:
    body = encode(bulk(*many(5))).replace(before, after.replace(b"$&", before))
    message, plain = columns(body), decode(body)
    assert isinstance(plain, Results)
    assert isinstance(message.items, ItemColumns)
    assert len(message.items.whole) == whole
    assert list(message.items) == list(plain.items)
    assert [added(one) for one in message.items] == [added(one) for one in plain.items]
    assert message.extras == plain.extras
    assert encode(message) == encode(plain)
    assert list(message.items[1:3]) == list(plain.items[1:3])
    ids = [one.meter_reading_document.id or "" for one in plain.items]
    assert message.items.column("MeterReadingDocument/ID").to_pylist() == ids
    answer = answers(message, logs.Logs([logs.success("Good.")], np.zeros(5, np.int32)))[1]
    assert answer.count(b"<ReferenceUUID>") == 6


def test_a_text_without_value_has_objects_say_where_it_is() -> None:
    body = encode(bulk(*many(3))).replace(b"<ActualMeterReadingDate>20", b"<ActualMeterReadingDate>00", 1)
    wrong = re.sub(rb"(<ActualMeterReadingDate>)[^<]*", rb"\g<1>0000-01-01", body, count=1)
    with pytest.raises(InvalidMessage, match="ActualMeterReadingDate"):
        columns(wrong)


def test_items_that_are_not_alike_are_held_all_the_same() -> None:
    body = encode(bulk(*many(3))).replace(b"<MeterReadingTypeCode>01</MeterReadingTypeCode>", b"", 1)
    message = columns(body)
    assert isinstance(message.items, ItemColumns)
    assert list(message.items) == list(decode(body).items)  # type: ignore[attr-defined]
    assert encode(message) == body
    empty = body.replace(b"<ID>2</ID>", b"<ID/>")
    assert encode(columns(empty)) == body.replace(b"<ID>2</ID>", b"")
    qualified = columns(body.replace(b"<ID>2</ID>", b'<ID schemeID="x">2</ID>'))
    assert encode(qualified) == body, "an attribute that only qualifies an identifier says nothing"


def test_a_time_that_is_none_is_refused_with_its_place() -> None:
    body = encode(bulk(*many(3)))
    wrong = re.sub(rb"(<ActualMeterReadingTime>)[^<]*", rb"\g<1>24:00:00", body)
    with pytest.raises(InvalidMessage, match="ActualMeterReadingTime"):
        columns(wrong)


def answers(message: Any, log: logs.Logs) -> tuple[Any, bytes]:
    answer = confirmation_for(message, log, created=NOW, sender="OFFICE")
    return answer, encode(answer)


@given(st.lists(items, min_size=1, max_size=6), st.data())
def test_confirmations_in_columns_are_those_of_objects(of: list[Result], data: st.DataObject) -> None:
    different = [logs.success("Good & <plausible>."), logs.failed(OpenAmiError("Bad."))]
    number = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(of), max_size=len(of))), np.int32)
    request, log = bulk(*of), logs.Logs(different, number).part(slice(None))
    in_columns, body = answers(columns(encode(request)), log)
    objects: Any = answers(request, log)[0]
    found: Any = decode(body)
    assert isinstance(in_columns.items, ItemColumns)
    assert found.log == objects.log
    assert len({one.message_header.uuid for one in found.items}) == len(of)
    for one, other in zip(found.items, objects.items, strict=True):
        ours = dataclasses.replace(one.message_header, uuid=other.message_header.uuid)
        document = other.meter_reading_document
        if document.utilties_measurement_task == AnsweredTask():  # columns leave out an element that says nothing
            document = dataclasses.replace(document, utilties_measurement_task=None)
        assert dataclasses.replace(one, message_header=ours) == dataclasses.replace(
            other, meter_reading_document=document
        )


def test_what_columns_break_is_not_sent() -> None:
    message = columns(encode(bulk(*many(40))))
    assert isinstance(message.items, ItemColumns)
    texts = dict(message.items.texts)
    place = "MeterReadingDocument/ID"
    long = texts[place].to_pylist()
    long[23] = "1" * 21
    texts[place] = pa.array(long)
    changed: Any = dataclasses.replace(message.items, texts=texts)
    with pytest.raises(InvalidMessage, match="MeterReadingDocument/ID"):
        encode(dataclasses.replace(message, items=changed))


@pytest.mark.parametrize("root", sorted(IN_COLUMNS))
def test_a_confirmation_repeats_texts_under_the_rules_of_the_request(root: str) -> None:
    confirmation = catalogue().confirmation_of(catalogue().by_root[root])
    assert confirmation is not None
    asked, told = (codec().shapes.roots[name].item for name in (root, confirmation.request))
    assert asked is not None
    assert told is not None
    assert isinstance(asked.content, Shape)
    assert isinstance(told.content, Shape)
    common = leaves(asked.content).keys() & leaves(told.content).keys()
    assert "MeterReadingDocument/UtiltiesMeasurementTask/UtiltiesDevice/UtilitiesDeviceID" in common
    assert [leaves(asked.content)[place] for place in common] == [leaves(told.content)[place] for place in common]


def test_uuids_are_random_ones_of_version_4() -> None:
    made = new_uuids(100).to_pylist()
    assert len(set(made)) == 100
    form = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(form, one) for one in made)
    assert new_uuids(0).to_pylist() == []
