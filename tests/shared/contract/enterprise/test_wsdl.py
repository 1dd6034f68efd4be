"""A client that nobody here wrote reads our WSDLs, and what it makes of them is a valid message."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree
from tests.zeep_client import as_arguments, client_of

from openami.shared.contract.enterprise.catalogue import Operation, Side, catalogue
from openami.shared.contract.enterprise.codec import decode
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.shapes import shapes
from openami.shared.contract.enterprise.wsdl import SOAP_ACTION, operation_wsdl, side_wsdl

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://mdus.example.org/services"


@pytest.fixture(scope="module", params=list(Side), ids=lambda side: side.value)
def offered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Any]:
    side = request.param
    return side, client_of(side_wsdl(side, ADDRESS), tmp_path_factory.mktemp("wsdl"))


def test_zeep_sees_every_operation_of_the_side(offered: tuple[Side, Any]) -> None:
    side, client = offered
    operations = client.service._binding._operations
    assert sorted(operations) == sorted(operation.name for operation in catalogue().received_by(side))
    assert {operation.soapaction for operation in operations.values()} == {SOAP_ACTION}
    assert client.service._binding_options["address"] == ADDRESS


def test_what_zeep_sends_is_what_was_meant(offered: tuple[Side, Any]) -> None:
    side, client = offered
    for operation in catalogue().received_by(side):
        message = example(operation.request)
        arguments = as_arguments(message, shapes().roots[operation.request])
        envelope = client.create_message(client.service, operation.name, **arguments)
        assert decode(etree.tostring(envelope)) == message, operation.name


@pytest.mark.parametrize("operation", catalogue().operations, ids=lambda operation: operation.name)
def test_zeep_loads_the_wsdl_of_each_operation(operation: Operation, tmp_path: Path) -> None:
    client = client_of(operation_wsdl(operation, ADDRESS), tmp_path)
    assert list(client.service._binding._operations) == [operation.name]
    message = example(operation.request, full=False)
    arguments = as_arguments(message, shapes().roots[operation.request])
    assert decode(etree.tostring(client.create_message(client.service, operation.name, **arguments))) == message


def test_zeep_reads_the_answer_of_a_query(tmp_path: Path) -> None:
    operation = catalogue().of("UtilitiesTimeSeriesItemByIDQueryResponse_Out")
    client = client_of(operation_wsdl(operation, ADDRESS), tmp_path)
    assert operation.response is not None
    root = f"{{http://sap.com/xi/SAPGlobal20/Global}}{operation.response}"
    element = client.get_element(root)
    message = example(operation.response)
    made = element(**as_arguments(message, shapes().roots[operation.response]))
    holder = etree.Element("holder")
    element.render(holder, made)
    assert decode(etree.tostring(holder[0])) == message


def test_identifiers_may_be_given_as_plain_texts(tmp_path: Path) -> None:
    operation = catalogue().of("UtilitiesDeviceERPSmartMeterRegisteredNotification_In")
    client = client_of(operation_wsdl(operation, ADDRESS), tmp_path)
    envelope = client.create_message(
        client.service,
        operation.name,
        MessageHeader={"UUID": "6f1c0c1e-0000-4000-8000-000000000001", "CreationDateTime": "2026-03-01T00:00:00Z"},
        UtilitiesDevice={"ID": "4711", "SmartMeter": {"UtilitiesAdvancedMeteringSystemID": "AMS1"}},
    )
    message: Any = decode(etree.tostring(envelope))
    assert message.utilities_device.id == "4711"
    assert message.message_header.creation_date_time == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert is_dataclass(message)
    assert fields(message)
