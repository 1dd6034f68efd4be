"""Bytes to envelopes and back: generic and typed wrappers, bare documents, SOAP around any of them.

Reading is tolerant where partners differ without harm (order, prefixes, old namespaces, wrong nouns) and strict where
harm begins (hostile XML, unknown namespaces, time stamps without an offset). Writing follows the schema.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import uuid
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from openami.shared.contract.field.envelope import Envelope, FieldError, Header, Reply, Result, Verb
from openami.shared.contract.field.errors import (
    FieldContractError,
    MalformedXmlError,
    NotAnEnvelopeError,
    TooLargeError,
    UnknownNamespaceError,
    UnknownVerbError,
)
from openami.shared.contract.field.headers_xml import (
    MESSAGE_NAMESPACE,
    read_header,
    read_reply,
    read_request,
    write_header,
    write_reply,
    write_request,
)
from openami.shared.contract.field.markup import (
    DEFAULT_LIMITS,
    Limits,
    XmlWriter,
    check_size,
    child,
    local_name,
    namespace,
    parse_xml,
    text_of,
)
from openami.shared.contract.field.nouns import known_noun, read_noun, write_noun
from openami.shared.contract.field.refusal import Partner, Reader
from openami.shared.contract.field.scan import BrokenRunError, scan_readings
from openami.shared.contract.scan_records import SCAN_FROM_BYTES

if TYPE_CHECKING:
    from lxml import etree

    from openami.shared.contract.field.envelope import Noun
    from openami.shared.contract.field.scan import Scan

SOAP_NAMESPACES: Final = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)
_HOSTS: Final = ("http://iec.ch/TC57/", "http://www.iec.ch/TC57/", "http://www.landisgyr.com/iec61968/")
_GENERIC: Final = frozenset({"Message", "RequestMessage", "ResponseMessage", "EventMessage", "FaultMessage"})
_TYPED_VERBS: Final = tuple(sorted((verb for verb in Verb if verb is not Verb.REPLY), key=len, reverse=True))
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_GZIP_MAGIC: Final = b"\x1f\x8b"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decode(data: bytes, partner: Partner | None = None, limits: Limits = DEFAULT_LIMITS) -> Envelope:
    """Read one message.

    Args:
        data: the body of an HTTP request or answer, or a file.
        partner: what was agreed with the sender.
        limits: what a message may cost.

    Raises:
        FieldContractError: the message as a whole cannot be taken; the subclass says why.
    """
    check_size(data, limits)
    found = scan_readings(data) if len(data) >= SCAN_FROM_BYTES else None
    if found is not None:
        try:
            return _decode(data, partner, limits, found)
        except BrokenRunError:  # a block of which only a part has the plain form
            pass
    return _decode(data, partner, limits, None)


def _decode(data: bytes, partner: Partner | None, limits: Limits, scan: Scan | None) -> Envelope:
    reader = Reader(partner or Partner(), scan=scan)
    root = _unwrapped(parse_xml(scan.rest if scan else data, limits), reader)
    _check_namespace(root)
    fallback_id = str(uuid.UUID(bytes=hashlib.sha256(data).digest()[:16], version=4))
    kind = local_name(root)
    header_element, reply_element = child(root, "Header"), child(root, "Reply")
    if header_element is not None:
        header = read_header(header_element, _stated_verb(kind), fallback_id, reader)
    elif kind.endswith("FaultMessage") and reply_element is not None:
        header = _made_up(Verb.REPLY, kind.removesuffix("FaultMessage"), fallback_id)
    else:
        return _bare(root, fallback_id, reader)
    payload_element, request_element = child(root, "Payload"), child(root, "Request")
    request = None
    if request_element is not None:
        request = read_request(request_element, reader, strict=header.verb is Verb.GET)
    return Envelope(
        header=header,
        request=request,
        reply=None if reply_element is None else read_reply(reply_element),
        payload=None if payload_element is None else _payload(payload_element, limits, reader),
        refusals=tuple(reader.refusals),
        notes=tuple(reader.notes),
    )


def encode(envelope: Envelope, *, typed: bool = False, compressed: bool = False) -> bytes:
    """Write one message.

    Args:
        envelope: the message.
        typed: choose `CreatedMeterReadings` and its like over the generic `EventMessage`.
        compressed: put the payload into `Compressed`, as gzip in base64.

    Raises:
        FieldContractError: a value of ours cannot be written.
    """
    header = envelope.header
    root, target = _root_of(header), MESSAGE_NAMESPACE
    if typed:
        root, target = _typed_root(header), f"http://iec.ch/TC57/2011/{_typed_noun(header)}Message"
    writer = XmlWriter(_DECLARATION)
    writer.open(f"m:{root}", xmlns__m=target, xmlns__g=MESSAGE_NAMESPACE)
    write_header(writer, header)
    if envelope.request is not None:
        write_request(writer, envelope.request)
    if envelope.reply is not None:
        write_reply(writer, envelope.reply)
    if envelope.payload is not None:
        writer.open("m:Payload")
        if compressed:
            _write_compressed(writer, envelope.payload, "m" if typed else "g")
        else:
            write_noun(writer, envelope.payload)
        writer.close("m:Payload")
    writer.close(f"m:{root}")
    return writer.octets()


def _write_compressed(writer: XmlWriter, payload: Noun, prefix: str) -> None:
    inner = XmlWriter()
    write_noun(inner, payload)
    # No time stamp inside: the same message is the same bytes, however often it is written.
    packed = gzip.compress(inner.octets(), mtime=0)
    writer.leaf(f"{prefix}:Compressed", base64.b64encode(packed).decode())
    writer.leaf(f"{prefix}:Format", "XML")


def encode_fault(error: FieldContractError) -> bytes:
    """The FaultMessage for input whose header could not be read: the answer that goes with HTTP 400."""
    writer = XmlWriter(_DECLARATION)
    writer.open("m:FaultMessage", xmlns__m=MESSAGE_NAMESPACE, xmlns__g=MESSAGE_NAMESPACE)
    write_reply(writer, Reply(result=Result.FAILED, errors=(FieldError.of(error.code, str(error)),)))
    writer.close("m:FaultMessage")
    return writer.octets()


def _unwrapped(root: etree._Element, reader: Reader) -> etree._Element:
    """What stands in the body of a SOAP envelope, or the document itself."""
    if local_name(root) != "Envelope" or namespace(root) not in SOAP_NAMESPACES:
        return root
    body = child(root, "Body")
    if body is None or len(body) == 0:
        raise NotAnEnvelopeError("The SOAP envelope has an empty body.")
    inner = body[0]
    if local_name(inner) == "Fault":
        detail = child(inner, "detail")
        if detail is None or len(detail) == 0:
            raise NotAnEnvelopeError(f"A SOAP fault without detail: {_text(inner)[:200]}.")
        inner = detail[0]
    reader.notes.append("the message came in a SOAP envelope")
    return inner


def _text(element: etree._Element) -> str:
    return " ".join(text_of(each) for each in element.iter()).strip()


def _check_namespace(root: etree._Element) -> None:
    uri = namespace(root)
    if not uri.startswith(_HOSTS):
        raise UnknownNamespaceError(
            f"The root element {local_name(root)!r} is in the namespace {uri[:100]!r}.",
            hint="Expected one below http://iec.ch/TC57/.",
        )


def _stated_verb(kind: str) -> tuple[Verb, str] | None:
    """Verb and noun of a typed root such as `CreatedMeterReadings`; None for a generic one."""
    if kind in _GENERIC:
        return None
    for ending in ("ResponseMessage", "FaultMessage"):
        if kind.endswith(ending):
            return Verb.REPLY, known_noun(kind.removesuffix(ending))
    lowered = kind[:1].lower() + kind[1:]
    verb = next((each for each in _TYPED_VERBS if lowered.startswith(each)), None)
    if verb is None:
        raise NotAnEnvelopeError(f"The root element {kind[:60]!r} is no envelope that we know.")
    return verb, known_noun(kind[len(verb) :])


def _made_up(verb: Verb, noun: str, message_id: str) -> Header:
    """A header for a document that has none: its id follows from its content, so a repeat is still a repeat."""
    return Header(verb=verb, noun=noun, timestamp=_EPOCH, source="", message_id=message_id, correlation_id=message_id)


def _bare(root: etree._Element, fallback_id: str, reader: Reader) -> Envelope:
    """A noun without an envelope, as files often are: read as the event that it tells of."""
    if local_name(root) in _GENERIC or child(root, "Payload") is not None:
        raise NotAnEnvelopeError(f"The {local_name(root)} has no Header.")
    payload = read_noun(root, reader)
    reader.notes.append("a bare document without an envelope")
    header = _made_up(Verb.CREATED, payload.NOUN, fallback_id)
    return Envelope(header=header, payload=payload, refusals=tuple(reader.refusals), notes=tuple(reader.notes))


def _payload(element: etree._Element, limits: Limits, reader: Reader) -> Noun | None:
    bodies = [each for each in element if local_name(each) not in {"Format", "ID"}]
    if not bodies:
        return None
    body = bodies[0]
    if local_name(body) == "OperationSet":
        raise UnknownVerbError("Operation sets are not served.", hint="Send one message an object.")
    if local_name(body) == "Compressed":
        body = parse_xml(_inflate(text_of(body), limits), limits)
        _check_namespace(body)
    for extra in bodies[1:]:  # EndDeviceControls may repeat; its children are simply one list
        if local_name(extra) == local_name(body):
            body.extend(list(extra))
    return read_noun(_named_by_content(body, reader), reader)


_WRAPPED: Final = {"EndDeviceEvent": "EndDeviceEvents", "MeterReading": "MeterReadings"}


def _named_by_content(body: etree._Element, reader: Reader) -> etree._Element:
    """Some wrap the objects of a noun in an array of their own; the objects say which noun it is."""
    noun = _WRAPPED.get(local_name(body[0])) if len(body) else None
    if noun is not None and local_name(body) != noun:
        reader.notes.append(f"{local_name(body)} was read as {noun}")
        body.tag = noun
    return body


def _inflate(text: str, limits: Limits) -> bytes:
    try:
        packed = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError) as error:
        raise MalformedXmlError(f"The compressed payload is not base64: {error}.") from error
    if not packed.startswith(_GZIP_MAGIC):
        raise MalformedXmlError("The compressed payload is not gzip.", hint="Compress with gzip, then base64.")
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(packed, limits.bytes + 1)
    except zlib.error as error:
        raise MalformedXmlError(f"The compressed payload is damaged: {error}.") from error
    if len(data) > limits.bytes:
        raise TooLargeError(
            f"The compressed payload inflates to more than {limits.bytes} bytes.", hint="Send numbered messages."
        )
    if not inflater.eof:
        raise MalformedXmlError("The compressed payload is cut short.")
    return data


def _root_of(header: Header) -> str:
    if header.verb is Verb.REPLY:
        return "ResponseMessage"
    return "EventMessage" if header.verb.is_event else "RequestMessage"


def _typed_noun(header: Header) -> str:
    return f"Get{header.noun}" if header.verb is Verb.GET else header.noun


def _typed_root(header: Header) -> str:
    if header.verb is Verb.REPLY:
        return f"{header.noun}ResponseMessage"
    return f"{header.verb.value.capitalize()}{header.noun}"
