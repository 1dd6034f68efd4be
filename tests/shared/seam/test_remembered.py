from __future__ import annotations

import dataclasses
from typing import Any

from openami.shared.contract.enterprise.encode import Prewritten
from openami.shared.contract.enterprise.examples import example
from openami.shared.seam.remembered import OBJECTS_SIZE, Remembered

SINGLE: Any = example("UtilitiesDeviceERPSmartMeterCreateRequest")
RESULTS: Any = example("MeterReadingDocumentERPResultBulkCreateRequest")
UPLOAD: Any = example("UtilitiesTimeSeriesERPItemBulkCreateRequest")


class Columns(Prewritten):
    """Whatever a message may have in the place of its values."""


def test_a_message_is_remembered_until_it_is_taken() -> None:
    remembered = Remembered(1000)
    remembered.keep(b"1", SINGLE, 10)
    assert remembered.take(b"2") is None
    assert remembered.take(b"1") is SINGLE
    assert remembered.take(b"1") is None


def test_the_oldest_make_room_and_what_is_too_large_is_not_remembered() -> None:
    remembered = Remembered(30 * OBJECTS_SIZE)
    for number in range(4):
        remembered.keep(bytes([number]), SINGLE, 10)
    remembered.keep(b"large", SINGLE, 31)
    assert [remembered.take(bytes([number])) is SINGLE for number in range(4)] == [False, True, True, True]
    assert remembered.take(b"large") is None
    remembered.keep(b"all", SINGLE, 30)
    assert remembered.take(b"all") is SINGLE, "what was taken takes no room"


def test_a_repeat_counts_once() -> None:
    remembered = Remembered(30 * OBJECTS_SIZE)
    remembered.keep(b"first", SINGLE, 10)
    for _ in range(5):
        remembered.keep(b"again", SINGLE, 20)
    assert remembered.take(b"first") is SINGLE


def test_messages_in_columns_take_no_more_room_than_their_xml() -> None:
    one = UPLOAD.items[0]
    series = dataclasses.replace(one.utilities_time_series, item=Columns())
    upload = dataclasses.replace(UPLOAD, items=(dataclasses.replace(one, utilities_time_series=series),))
    results = dataclasses.replace(RESULTS, items=Columns())
    remembered = Remembered(200)
    for digest, message in ((b"upload", upload), (b"results", results), (b"objects", UPLOAD)):
        remembered.keep(digest, message, 100)
    assert remembered.take(b"upload") is upload
    assert remembered.take(b"results") is results
    assert remembered.take(b"objects") is None
