"""Bytes from a stranger to one message element: well-formed, harmless, and taken out of its SOAP envelope.

Refused before any parser sees them are bodies over the limit, document types (with them entities) and encodings in
which a document type could hide; the parser itself stops at 256 levels and at texts over 10 MB.
"""

from __future__ import annotations

import codecs
import re
import threading
from typing import Any

from lxml import etree

from openami.shared.contract.enterprise.errors import FaultReceived, HostileXml, MalformedXml, NotSoap, TooLarge

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
_ENVELOPE, _BODY, _FAULT = f"{{{SOAP}}}Envelope", f"{{{SOAP}}}Body", f"{{{SOAP}}}Fault"
# a bulk of 100,000 reading results is about 80 MB
MAXIMUM_BYTES = 128 * 1024 * 1024

# what nearly all senders start with; anything else is looked at closely
_DECLARATION = rb"""<\?xml version=["']1\.0["'](?: encoding=["'](?i:utf-8)["'])?(?: standalone=["']\w+["'])?\s*\?>"""
_PLAIN_START = re.compile(rb"(?:" + _DECLARATION + rb")?\s*<[A-Za-z_]")
_BEFORE_ROOT = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']+)["']""")
# in all of these the bytes of "<!DOCTYPE" are what they are in ASCII
_ENCODINGS = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
_threads = threading.local()


def message_element(body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> etree._Element:
    """The message in a SOAP 1.1 envelope; a bare message is taken as it is. SOAP headers are ignored.

    Raises TooLarge, HostileXml, MalformedXml, NotSoap, and FaultReceived for a SOAP fault.
    """
    return unwrapped(parsed(body, maximum_bytes=maximum_bytes))


def parsed(body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> etree._Element:
    """The root element of harmless, well-formed XML."""
    if len(body) > maximum_bytes:
        raise TooLarge(
            f"The body has {len(body)} bytes, {maximum_bytes} are accepted.",
            hint="Split it into smaller bulk messages.",
        )
    body = _harmless(body)
    try:
        return etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as problem:
        reason = str(problem)
        if "depth" in reason or "Huge" in reason or "huge" in reason or "amplification" in reason:
            raise HostileXml(f"The XML exceeds what a message needs: {reason}.") from problem
        raise MalformedXml(f"Not well-formed XML: {reason}.", hint="Send UTF-8 encoded, well-formed XML.") from problem
    except (ValueError, LookupError) as problem:
        raise MalformedXml(f"Not XML: {problem}.") from problem


def _parser() -> etree.XMLParser:
    """This thread's parser: a shared one would make threads wait for one another."""
    if not hasattr(_threads, "parser"):
        _threads.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
    parser: etree.XMLParser = _threads.parser
    return parser


def line_of(element: etree._Element) -> int:
    """The line of the body where an element starts; 0 if unknown."""
    line: Any = element.sourceline
    return int(line or 0)


def _harmless(body: bytes) -> bytes:
    """The body in an ASCII-compatible encoding without a document type."""
    if _PLAIN_START.match(body):
        return body
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = body.decode("utf-16")
        except UnicodeDecodeError as problem:
            raise MalformedXml(f"Not UTF-16 as the byte order mark says: {problem}.") from problem
        body = re.sub(r"\A\s*<\?xml.*?\?>", "", text, count=1, flags=re.DOTALL).encode("utf-8", "replace")
    body = body.removeprefix(codecs.BOM_UTF8)
    declared = _DECLARED_ENCODING.match(body.lstrip())
    if declared is not None:
        name = declared[1].decode("ascii", "replace")
        try:
            accepted = codecs.lookup(name).name in _ENCODINGS
        except (LookupError, ValueError):  # no such encoding, or no name at all
            accepted = False
        if not accepted:
            raise HostileXml(f"Encoding {name} is not accepted.", hint="Send UTF-8.")
    before = _BEFORE_ROOT.match(body)
    start = before.end() if before else 0
    if body.startswith(b"<!", start):
        raise HostileXml("The XML has a document type declaration.", hint="Send the message without DOCTYPE.")
    if b"\0" in body[: start + 8]:
        raise MalformedXml("The body is not text in an accepted encoding.", hint="Send UTF-8.")
    return body


def unwrapped(root: etree._Element) -> etree._Element:
    """The only child of the SOAP body; raises NotSoap or FaultReceived."""
    if root.tag != _ENVELOPE:
        _check_no_other_envelope(root.tag)
        return root
    bodies = [child for child in root if child.tag == _BODY]
    if len(bodies) != 1 or len(bodies[0]) != 1:
        found = len(bodies[0]) if len(bodies) == 1 else f"{len(bodies)} bodies"
        raise NotSoap(f"The SOAP body must have exactly one child, found {found}.", hint="Send one message a request.")
    message = bodies[0][0]
    if message.tag == _FAULT:
        raise _fault(message)
    return message


def _check_no_other_envelope(tag: str) -> None:
    if tag == f"{{{SOAP_12}}}Envelope":
        raise NotSoap("The envelope is SOAP 1.2.", hint="Send SOAP 1.1 (text/xml).")
    if "envelope" in tag.lower():
        raise NotSoap(f"Root element {tag} is not a SOAP 1.1 envelope.", hint=f"Use namespace {SOAP}.")


def _fault(element: etree._Element) -> FaultReceived:
    detail = element.find("detail")
    texts = [] if detail is None else [" ".join(str(text).split()) for text in detail.itertext() if text.strip()]
    return FaultReceived(element.findtext("faultcode", ""), element.findtext("faultstring", ""), "; ".join(texts))
