"""WSDL 1.1 documents, generated from catalogue and schema files: of one operation or of all that a side offers.

Each is self-contained. As in SAP's own: document/literal, one constant SOAPAction (receivers go by the body's root
element), interface namespace and message namespace apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from openami.shared.contract.enterprise.catalogue import Operation, Side, catalogue
from openami.shared.contract.enterprise.fault import FAULT_NAMESPACE, FAULT_ROOT, fault_schema
from openami.shared.contract.enterprise.schemas import GLOBAL, XS, schema_files
from openami.shared.contract.enterprise.trees import Builder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INTERFACE = "http://sap.com/xi/IS-U/Global2"
SOAP_ACTION = "http://sap.com/xi/WebService/soap1.1"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP_BINDING = "http://schemas.xmlsoap.org/wsdl/soap/"
HTTP_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
FAULT_MESSAGE = "StandardMessageFault"
_NAMES = {"wsdl": WSDL, "soap": SOAP_BINDING, "tns": INTERFACE, "msg": GLOBAL, "flt": FAULT_NAMESPACE, "xs": XS[1:-1]}
_wsdl = Builder(WSDL, _NAMES)
_soap = Builder(SOAP_BINDING, _NAMES)


def side_wsdl(side: Side, address: str, *, overlay: Path | None = None) -> bytes:
    """All operations that a side offers, as one port type."""
    name = {Side.MDUS: "MDUS", Side.OFFICE: "BackOffice"}[side]
    return _document(name, catalogue().received_by(side), address, overlay)


def operation_wsdl(operation: Operation, address: str, *, overlay: Path | None = None) -> bytes:
    """One operation, under SAP's name for the interface."""
    return _document(operation.name, [operation], address, overlay)


def _document(name: str, operations: Sequence[Operation], address: str, overlay: Path | None) -> bytes:
    definitions = _wsdl("definitions", name=name, targetNamespace=INTERFACE)
    definitions.append(_types(operations, overlay))
    for root in dict.fromkeys(root for operation in operations for root in operation.roots):
        definitions.append(_wsdl("message", _wsdl("part", name=root, element=f"msg:{root}"), name=root))
    fault_part = _wsdl("part", name=FAULT_ROOT, element=f"flt:{FAULT_ROOT}")
    definitions.append(_wsdl("message", fault_part, name=FAULT_MESSAGE))
    definitions.append(_wsdl("portType", *(_port_operation(each) for each in operations), name=name))
    transport = _soap("binding", style="document", transport=HTTP_TRANSPORT)
    bound = [_bound_operation(each) for each in operations]
    definitions.append(_wsdl("binding", transport, *bound, name=f"{name}Binding", type=f"tns:{name}"))
    port = _wsdl("port", _soap("address", location=address), name=f"{name}Port", binding=f"tns:{name}Binding")
    definitions.append(_wsdl("service", port, name=f"{name}Service"))
    etree.indent(definitions)
    return etree.tostring(definitions, xml_declaration=True, encoding="UTF-8")


def _types(operations: Sequence[Operation], overlay: Path | None) -> etree._Element:
    messages = schema_files(overlay).merged(*dict.fromkeys(operation.schema for operation in operations))
    wanted = {root for operation in operations for root in operation.roots}
    for element in messages.findall(f"{XS}element"):
        if element.get("name") not in wanted:
            messages.remove(element)
    faults = fault_schema()
    # the default namespace of the schema files does not survive in here: prefixes do
    for schema, prefix in ((messages, "msg"), (faults, "flt")):
        for node in schema.iter(f"{XS}*"):
            for name in {"type", "base", "ref"} & set(node.attrib):
                if ":" not in node.get(name, ":"):
                    node.set(name, f"{prefix}:{node.get(name)}")
    return _wsdl("types", messages, faults)


def _port_operation(operation: Operation) -> etree._Element:
    parts = [
        _wsdl("documentation", f"{operation.meaning}."),
        _wsdl("input", message=f"tns:{operation.request}"),
    ]
    if operation.response is not None:
        parts.append(_wsdl("output", message=f"tns:{operation.response}"))
        parts.append(_wsdl("fault", name=FAULT_MESSAGE, message=f"tns:{FAULT_MESSAGE}"))
    return _wsdl("operation", *parts, name=operation.name)


def _bound_operation(operation: Operation) -> etree._Element:
    parts = [_soap("operation", soapAction=SOAP_ACTION), _wsdl("input", _soap("body", use="literal"))]
    if operation.response is not None:
        parts.append(_wsdl("output", _soap("body", use="literal")))
        parts.append(_wsdl("fault", _soap("fault", name=FAULT_MESSAGE, use="literal"), name=FAULT_MESSAGE))
    return _wsdl("operation", *parts, name=operation.name)
