"""What a message is about: the ids by which a person finds it in the monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.confirm import bulk, has_bulk
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import SUBJECTS_MAX, subject
from openami.shared.contract.enterprise.shapes import shapes

if TYPE_CHECKING:
    from openami.shared.contract.enterprise.model import HeadedMessage

HEADED = [one for one in catalogue().operations if not one.synchronous]


@pytest.mark.parametrize("operation", HEADED, ids=lambda one: one.name)
def test_every_message_names_its_object(operation: Any) -> None:
    message: Any = example(operation.request)
    words = subject(message).split()
    assert words
    assert len(words) == len(set(words))
    assert all(any(each.isdecimal() for each in word) for word in words), "ids, no other text"


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("UtilitiesDeviceERPSmartMeterCreateRequest", {"4711"}),
        ("SmartMeterMeterReadingDocumentERPCreateRequest", {"00000000000000001234", "4711"}),
        ("SmartMeterMeterReadingDocumentERPResultCreateRequest", {"00000000000000001234", "4711"}),
        ("SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest", {"70000001", "4711"}),
        ("UtilitiesSmartMeterEventERPCreateRequest", {"1000000000000000000001", "4711"}),
        ("UtilitiesTimeSeriesCalculationERPBulkCreateRequest", {"90000001", "90000002"}),
    ],
)
def test_object_and_device_are_both_named(root: str, words: set[str]) -> None:
    assert set(subject(example(root)).split()) == words  # type: ignore[arg-type]


def test_of_a_large_bulk_only_the_first_items_are_named() -> None:
    one: Any = example("UtilitiesDeviceERPSmartMeterCreateRequest")
    kind, content = type(one), type(one.utilities_device)
    fields = {name: getattr(one.utilities_device, name) for name in content.__dataclass_fields__}
    items: list[HeadedMessage] = [
        kind(message_header=one.message_header, utilities_device=content(**fields | {"id": str(number)}))
        for number in range(100, 200)
    ]
    assert has_bulk(kind)
    assert subject(bulk(items, one.message_header)).split() == [
        str(number) for number in range(100, 100 + SUBJECTS_MAX)
    ]
    assert shapes().roots
