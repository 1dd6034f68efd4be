"""SOAP faults: the answer to bytes in which no message was recognised, and to a query that failed."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from openami.shared.contract.enterprise.errors import NotReadable, Refusal
from openami.shared.contract.enterprise.parse import SOAP
from openami.shared.contract.enterprise.trees import Builder

FAULT_NAMESPACE = "http://sap.com/xi/SAPGlobal/Global"
FAULT_ROOT = "StandardMessageFault"
FILE = Path(__file__).parent / "faults" / "fault.xsd"

_soap = Builder(SOAP, {"soapenv": SOAP})
_fault = Builder(FAULT_NAMESPACE, {"n0": FAULT_NAMESPACE})
_plain = Builder(None)


def fault_schema() -> etree._Element:
    """The schema of the fault's detail."""
    return etree.parse(str(FILE)).getroot()


def encode_fault(reason: Refusal) -> bytes:
    """A SOAP 1.1 fault that tells why; the sender is at fault if nothing of the contract was readable."""
    code = "soapenv:Client" if isinstance(reason, NotReadable) else "soapenv:Server"
    detail = _plain(
        "faultDetail",
        _plain("severity", reason.severity),
        _plain("text", _printable(str(reason))),
        _plain("id", reason.number),
    )
    content = _plain("standard", _plain("faultText", _printable(reason.found)), detail)
    fault = _soap(
        "Fault",
        _plain("faultcode", code),
        _plain("faultstring", _printable(str(reason))),
        _plain("detail", _fault(FAULT_ROOT, content)),
    )
    return etree.tostring(_soap("Envelope", _soap("Body", fault)), xml_declaration=True, encoding="UTF-8")


def _printable(text: str) -> str:
    """A reason may quote what the sender sent; XML has no room for control characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
