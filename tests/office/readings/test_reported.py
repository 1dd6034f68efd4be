"""Results as columns, whatever form their messages have."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from openami.office.readings.reported import Results
from openami.shared.contract.enterprise.codec import codec, encode
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.item_columns import ItemColumns
from openami.shared.contract.enterprise.item_reading import read_in_columns
from openami.shared.contract.enterprise.parse import message_element

BULK: Any = example("MeterReadingDocumentERPResultBulkCreateRequest")
ZONE = "Europe/Amsterdam"


def result(number: int, **more: Any) -> Any:
    """A result of a document with this number; `more` are fields of its `result`."""
    one = BULK.items[0]
    document = one.meter_reading_document
    changed = dataclasses.replace(document, id=f"{number}", result=dataclasses.replace(document.result, **more))
    head = header(datetime(2026, 3, 30, tzinfo=UTC), sender="MDUS")
    return dataclasses.replace(one, message_header=head, meter_reading_document=changed)


def in_columns(*items: Any) -> Any:
    body = encode(dataclasses.replace(BULK, items=items))
    element = message_element(body)
    message: Any = read_in_columns(element, *codec().shape_of(element), len(body))
    assert isinstance(message.items, ItemColumns)
    return message.items


def test_results_stay_in_order_in_whatever_form_they_come() -> None:
    every = [result(number) for number in range(9)]
    messages = [every[:1], every[1:3], in_columns(*every[3:5]), in_columns(every[5]), every[6:]]
    found = Results.of(messages, ZONE)
    assert found.document.to_pylist() == [f"{number}" for number in range(9)]
    assert found.document_key.to_pylist() == [f"{number:020}" for number in range(9)]
    assert len(found) == 9


@pytest.mark.parametrize("form", [lambda *items: items, in_columns])
def test_fields_are_what_the_message_says(form: Any) -> None:
    sent = [
        result(1, actual_meter_reading_date=date(2026, 3, 28), actual_meter_reading_time=time(23, 59, 59)),
        result(2, actual_meter_reading_date=date(2026, 3, 29), actual_meter_reading_time=time(12)),
        result(3, meter_reading_type_code="2", meter_reading_result_value=Decimal("-7.5")),
        result(4, meter_reading_type_code="02", meter_reading_result_value=Decimal("0.0001")),
        result(5, meter_reading_type_code=None, meter_reading_result_value=Decimal(123456789012345678)),
    ]
    nameless = dataclasses.replace(sent[0].meter_reading_document, id=None, utilties_measurement_task=None)
    sent.append(dataclasses.replace(sent[0], meter_reading_document=nameless))
    found = Results.of([form(*sent)], ZONE)
    assert [str(at) for at in found.at[:2]] == ["2026-03-28T23:00:00.000000", "2026-03-29T10:00:00.000000"]
    assert found.estimated.tolist() == [False, False, True, True, False, False]
    assert found.value_milli[2] == -7500
    assert found.exact.tolist() == [True, True, True, False, True, True]
    assert found.fits.tolist() == [True, True, True, True, False, True]
    assert found.document_key[5].as_py() is None
    assert found.task_key[5].as_py() is None
    assert found.task_key[0].as_py() == found.task[0].as_py().rjust(18, "0")
