"""Bytes from a stranger: a message or one of our errors, quickly, and nothing is fetched or expanded."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.shared.contract.enterprise.codec import decode, encode
from openami.shared.contract.enterprise.errors import HostileXml, MalformedXml, NotReadable, Refusal, TooLarge
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.intervals import decode_intervals
from openami.shared.contract.enterprise.model import Message

ROOT = "UtilitiesDeviceERPSmartMeterCreateRequest"
VALID = encode(example(ROOT))
START = VALID.index(b"<soapenv:Envelope")
MESSAGE = VALID[START:]


def bomb(levels: int) -> bytes:
    entities = b'<!ENTITY a0 "lol">' + b"".join(
        b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, levels)
    )
    return b"<!DOCTYPE x [" + entities + b"]>" + MESSAGE.replace(b">4711<", b">&a%d;<" % (levels - 1))


DOCTYPES = {
    "billion laughs": bomb(10),
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + MESSAGE.replace(b">4711<", b">&e;<"),
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/evil.dtd">%p;]>' + MESSAGE,
    "external subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + MESSAGE,
    "after declaration, comment and instruction": b'<?xml version="1.0"?>\n<!-- a --><?b c?>\n<!DOCTYPE x>' + MESSAGE,
    "with byte order mark": b"\xef\xbb\xbf<!DOCTYPE x>" + MESSAGE,
    "in UTF-16": ("<!DOCTYPE x>" + MESSAGE.decode()).encode("utf-16"),
}


@pytest.mark.parametrize("name", sorted(DOCTYPES))
def test_document_types_are_refused(name: str) -> None:
    with pytest.raises(HostileXml, match="document type"):
        decode(DOCTYPES[name])


@pytest.mark.parametrize("encoding", ["UTF-7", "cp037", "utf-32", "no-such-thing", "x" * 300, "u\0tf-8"])
def test_encodings_that_hide_markup_are_refused(encoding: str) -> None:
    with pytest.raises(HostileXml, match="Encoding"):
        decode(f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + MESSAGE)


def test_utf_16_without_a_mark_is_no_text() -> None:
    for name in ("utf-16-le", "utf-16-be", "utf-32-le"):
        with pytest.raises(NotReadable):
            decode(MESSAGE.decode().encode(name))


def test_a_body_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge, match="are accepted"):
        decode(VALID, maximum_bytes=len(VALID) - 1)
    assert isinstance(decode(VALID, maximum_bytes=len(VALID)), Message)


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_deep_nesting_is_refused(place: str) -> None:
    nest = b"<a>" * 100_000 + b"</a>" * 100_000
    with pytest.raises(HostileXml):
        decode(nest if place == "outside" else MESSAGE.replace(b"<SerialID>", nest + b"<SerialID>"))


def test_huge_texts_are_refused() -> None:
    with pytest.raises(Refusal):
        decode(MESSAGE.replace(b">4711<", b">" + b"4" * 11_000_000 + b"<"))


def test_undefined_entities_are_malformed() -> None:
    with pytest.raises(MalformedXml):
        decode(MESSAGE.replace(b">4711<", b">&nope;<"))


def test_markup_in_a_comment_or_text_is_no_document_type() -> None:
    assert decode(b"<!-- <!DOCTYPE x> -->" + MESSAGE) == decode(VALID)
    assert isinstance(decode(MESSAGE.replace(b">4711<", b"><![CDATA[<!DOCTYPE x>]]><")), Message)


def test_many_unknown_elements_cost_no_more_than_their_size() -> None:
    junk = b"<x/>" * 100_000
    start = time.perf_counter()
    message = decode(MESSAGE.replace(b"</MaterialID>", b"</MaterialID>" + junk))
    assert len(message.extras) == 100_000
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "body", [b"", b" ", b"<", b"\0", b"<?xml?>", b"\xff\xfe", b"\xff\xfe<", b"{}", b"<a/><b/>", b"<!--"]
)
def test_rubbish_is_malformed(body: bytes) -> None:
    with pytest.raises(NotReadable):
        decode(body)


def message_or_error(body: bytes) -> None:
    try:
        message = decode(body)
    except Refusal as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(message, Message)


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(body: bytes) -> None:
    message_or_error(body)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.integers(0, len(VALID)),
    st.integers(0, 30),
    st.binary(max_size=12) | st.sampled_from([b"<", b"</ID>", b"&#0;", b"]]>"]),
)
def test_any_damage_leaves_a_message_or_an_error(place: int, cut: int, put: bytes) -> None:
    message_or_error(VALID[:place] + put + VALID[place + cut :])


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=3))
def test_any_moved_element_leaves_a_message_or_an_error(moves: list[tuple[int, int]]) -> None:
    parts = MESSAGE.split(b"><")
    for source, target in moves:
        parts.insert(target % len(parts), parts.pop(source % len(parts)))
    message_or_error(b"><".join(parts))


UPLOAD = encode(example("UtilitiesTimeSeriesERPItemBulkCreateRequest"))
ODD_TEXTS = [b"", b" ", b"\t", b"\n", b"-", b".", b"+1", b"1e5", b"-.5", b"9" * 40]
ODD_TEXTS += [b"24:00:00", b"T24:00:00Z", b"&#9;", b"\xc2\xa0"]


@settings(max_examples=400, deadline=None, database=None)
@given(st.integers(UPLOAD.index(b"<Item>"), UPLOAD.rindex(b"</Item>")), st.integers(0, 12), st.sampled_from(ODD_TEXTS))
def test_any_damage_to_an_upload_leaves_columns_or_an_error(place: int, cut: int, put: bytes) -> None:
    body = UPLOAD[:place] + put + UPLOAD[place + cut :]
    try:
        _, columns = decode_intervals(body)
    except Refusal as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right
        return
    items = [item.utilities_time_series.item for item in _bulk(body).items]
    assert [len(each) for each in columns] == [len(each) for each in items]
    for column, series in zip(columns, items, strict=True):
        for row, item in enumerate(series):
            assert bool(column.present[row]) == (item.quantity is not None)
            if item.quantity is not None:
                assert Decimal(int(column.values[row])).scaleb(-column.decimals) == item.quantity.value
            start = column.start[row].astype("datetime64[us]").item().replace(tzinfo=dt.UTC)
            assert start == item.utc_validity_start_date_time


def _bulk(body: bytes) -> Any:
    return decode(body)
