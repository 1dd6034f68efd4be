from __future__ import annotations

import pytest

from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.decode import class_of
from openami.shared.contract.enterprise.errors import UnknownMessage
from openami.shared.contract.enterprise.shapes import Shape, shapes

OPERATIONS = catalogue().operations
DEVICE = "UtilitiesDeviceERPSmartMeter"
TASK = "SmartMeterUtilitiesMeasurementTaskERP"
ORDER = "SmartMeterMeterReadingDocumentERP"
RESULT = "MeterReadingDocumentERPResult"
CONNECTION = "SmartMeterUtilitiesConnectionStatusChangeRequestERP"
EVENT = "UtilitiesSmartMeterEventERP"
SERIES = "UtilitiesTimeSeriesERP"
CALCULATION = "UtilitiesTimeSeriesCalculationERP"

# the exact item element names, misspelt ones and the odd "Bulk" included
ITEM_NAMES = {
    f"{DEVICE}BulkCreateRequest": f"{DEVICE}CreateRequestMessage",
    f"{DEVICE}BulkCreateConfirmation": f"{DEVICE}CreateConfirmationMessage",
    f"{DEVICE}BulkChangeRequest": f"{DEVICE}ChangeRequestMessage",
    f"{DEVICE}CancellationBulkRequest": f"{DEVICE}CancellationRequestMessage",
    f"{DEVICE}LocationBulkNotification": f"{DEVICE}LocationNotificationMessage",
    f"{DEVICE}RegisterBulkCreateRequest": f"{DEVICE}RegisterCreateRequestMessage",
    f"{DEVICE}RegisterBulkCreateConfirmation": f"{DEVICE}RegisterCreateConfirmationMessage",
    f"{DEVICE}RegisterBulkChangeRequest": f"{DEVICE}RegisterChangeRequestMessage",
    f"{DEVICE}RegisterBulkChangeConfirmation": f"{DEVICE}RegisterChangeConfirmationMessage",
    f"{DEVICE}RegisteredBulkNotification": f"{DEVICE}RegisteredNotificationMessage",
    f"{DEVICE}ReplicationBulkRequest": f"{DEVICE}ReplicationRequestMessage",
    f"{DEVICE}ReplicationBulkConfirmation": f"{DEVICE}ReplicationConfirmationMessage",
    f"{DEVICE}TextBulkNotification": f"{DEVICE}TextNotificationMessage",
    f"{TASK}PointOfDeliveryBulkAssignedNotification": f"{TASK}PointOfDeliveryAssignedNotificationMessage",
    f"{TASK}BulkChangeRequest": f"{TASK}ChangeRequestMessage",
    f"{ORDER}BulkCreateRequest": f"{ORDER}CreateRequestMessage",
    f"{ORDER}BulkCreateConfirmation": f"{ORDER}CreateConfirmationMessage",
    f"{ORDER}BulkCancellationRequest": f"{ORDER}BulkCancellationRequestMessage",
    f"{ORDER}BulkCancellationConfirmation": f"{ORDER}CancellationConfirmationMessage",
    f"{RESULT}BulkCreateRequest": f"{RESULT}CreateRequestMessage",
    f"{RESULT}BulkCreateConfirmation": f"{RESULT}CreateConfirmationMessage",
    f"{ORDER}ResultBulkCreateRequest": f"{ORDER}ResultCreateRequestMessage",
    f"{ORDER}ResultBulkChangeRequest": f"{ORDER}ResultChangeRequestMessage",
    f"{CONNECTION}BulkCreateRequest": f"{CONNECTION}CreateRequestMessage",
    f"{CONNECTION}BulkCreateConfirmation": f"{CONNECTION}CreateConfirmationMessage",
    f"{CONNECTION}BulkNotification": f"{CONNECTION}NotificationMessage",
    f"{CONNECTION}CancellationBulkNotification": f"{CONNECTION}CancellationNotificationMessage",
    f"{EVENT}BulkCreateRequest": f"{EVENT}CreateRequestMessage",
    f"{EVENT}BulkCreateConfirmation": f"{EVENT}CreateConfirmationMessage",
    f"{SERIES}ItemBulkCreateRequest": f"{SERIES}ItemCreateRequestMessage",
    f"{SERIES}ItemBulkCreateConfirmation": f"{SERIES}ItemCreateConfirmationMessage",
    f"{SERIES}ItemBulkChangeRequest": f"{SERIES}ItemChangeRequestMessage",
    f"{SERIES}ItemBulkChangeConfirmation": f"{SERIES}ItemChangeConfirmationMessage",
    f"{SERIES}ItemBulkNotification": f"{SERIES}ItemNotificationMessage",
    f"{SERIES}ReplicationBulkRequest": f"{SERIES}ReplicationRequestMessage",
    f"{CALCULATION}BulkCreateRequest": f"{CALCULATION}CreateRequestMessage",
    f"{CALCULATION}CancellationBulkRequest": f"{CALCULATION}CancellationRequestMessage",
    "UtilitiesTimeSeriesBundleItemCreateConfirmation": "UtilitiesTimeSeriesItemCreateConfirmationMessage",
}


def test_there_are_87_operations_49_of_them_exact() -> None:
    assert [operation.number for operation in OPERATIONS] == list(range(1, 88))
    assert sum(operation.exact for operation in OPERATIONS) == 49
    assert len({operation.name for operation in OPERATIONS}) == 87


def test_every_root_has_a_shape_and_every_shape_an_operation() -> None:
    assert set(shapes().roots) == set(catalogue().by_root)
    for operation in OPERATIONS:
        for root in operation.roots:
            assert shapes().root_files[root] == operation.schema


def test_the_evidence_says_whether_a_shape_is_exact() -> None:
    for operation in OPERATIONS:
        assert operation.exact == ("W" in operation.evidence and "(W)" not in operation.evidence)


def test_each_side_offers_what_the_other_sends() -> None:
    assert len(catalogue().received_by(Side.MDUS)) == 49
    assert len(catalogue().received_by(Side.OFFICE)) == 38
    for side in Side:
        assert catalogue().sent_by(side) == catalogue().received_by(side.other)


def test_each_request_is_confirmed_in_the_other_direction() -> None:
    for operation in OPERATIONS:
        confirmation = catalogue().confirmation_of(operation)
        assert (confirmation is not None) == operation.request.endswith("Request")
        if confirmation is not None:
            assert confirmation.receiver is operation.receiver.other
            assert confirmation.business_object == operation.business_object
            assert confirmation.bulk == operation.bulk
            assert catalogue().requests[confirmation.request] is operation


def test_only_the_two_queries_are_synchronous() -> None:
    assert [operation.number for operation in OPERATIONS if operation.synchronous] == [29, 81]


@pytest.mark.parametrize("root", sorted(ITEM_NAMES))
def test_bulk_item_names_are_those_of_the_contract(root: str) -> None:
    item = shapes().roots[root].item
    assert item is not None
    assert item.xml_name == ITEM_NAMES[root]
    assert item.name == "items"


def test_bulk_operations_are_those_with_items_and_bulk_confirmations_have_a_log() -> None:
    for operation in OPERATIONS:
        shape = shapes().roots[operation.request]
        assert operation.bulk == (shape.item is not None)
        assert shape.has_log == operation.request.endswith("Confirmation")


def _names(shape: Shape) -> list[str]:
    found = []
    for member in shape.elements:
        found.append(member.xml_name)
        if isinstance(member.content, Shape):
            found += _names(member.content)
    return found


def test_the_misspellings_are_where_sap_has_them() -> None:
    roots = shapes().roots
    for root in (f"{ORDER}CreateRequest", f"{RESULT}CreateRequest", f"{RESULT}CreateConfirmation"):
        assert {"UtiltiesMeasurementTask", "UtiltiesDevice"} <= set(_names(roots[root]))
        assert not {"UtilitiesMeasurementTask", "UtilitiesDevice"} & set(_names(roots[root]))
    for root in (f"{ORDER}ResultCreateRequest", f"{TASK}PointOfDeliveryAssignedNotification"):
        assert {"UtilitiesDevice"} <= set(_names(roots[root]))
        assert not {"UtiltiesMeasurementTask", "UtiltiesDevice"} & set(_names(roots[root]))
    for root in (f"{DEVICE}RegisterCreateRequest", f"{DEVICE}RegisterChangeRequest"):
        assert "UtiltiesMeasurementTaskCategoryCode" in _names(roots[root])
    assert "AdvancedMeteringSystemID" in _names(roots[f"{TASK}PointOfDeliveryAssignedNotification"])
    assert "UtilitiesDeviceSmartMeter" in _names(roots[f"{ORDER}CancellationRequest"])


def test_operations_are_found_by_technical_name_and_by_root() -> None:
    assert catalogue().of(f"{DEVICE}CreateRequest_Out") is catalogue().of(f"{DEVICE}CreateRequest")
    with pytest.raises(UnknownMessage):
        catalogue().of("UtilitiesDeviceERPSmartMeterCreateRequest_In")


def test_every_message_class_belongs_to_one_root() -> None:
    classes = {class_of(shape): root for root, shape in shapes().roots.items()}
    assert len(classes) == 89
    for kind, root in classes.items():
        assert codec().root_of(kind) == root
        assert codec().operation_of(kind) is catalogue().by_root[root]
