"""The GET service on the wire: C0 (request) and C4 (response)."""

from __future__ import annotations

from openami.ami.dlms.axdr import Encoded, encode, read_encoded
from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.codes import access_result, unknown_choice
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.events import GetRequest, GetResponse
from openami.ami.dlms.profile_rows import take_rows
from openami.ami.dlms.reader import Reader, encode_length, encode_octets
from openami.ami.dlms.references import AttributeRef, Invoke, service_head, service_start

REQUEST_TAG = 0xC0
RESPONSE_TAG = 0xC4

# the CHOICE octet behind the tag
_NORMAL, _BLOCK, _LIST = 1, 2, 3


def encode_request(request: GetRequest | NextBlock) -> bytes:
    """The get-request."""
    if isinstance(request, NextBlock):
        return service_head(REQUEST_TAG, _BLOCK, request.invoke) + request.number.to_bytes(4, "big")
    if not request.listed and len(request.attributes) == 1:
        return service_head(REQUEST_TAG, _NORMAL, request.invoke) + request.attributes[0].encode()
    references = b"".join(attribute.encode() for attribute in request.attributes)
    return service_head(REQUEST_TAG, _LIST, request.invoke) + encode_length(len(request.attributes)) + references


def decode_request(octets: bytes) -> GetRequest | NextBlock:
    """The get-request in `octets`."""
    reader, choice, invoke = service_start(octets)
    request: GetRequest | NextBlock
    if choice == _NORMAL:
        request = GetRequest((AttributeRef.decode(reader),), invoke=invoke)
    elif choice == _BLOCK:
        request = NextBlock(Service.GET, invoke, reader.u32())
    elif choice == _LIST:
        attributes = tuple([AttributeRef.decode(reader) for _ in range(reader.length())])
        request = GetRequest(attributes, listed=True, invoke=invoke)
    else:
        raise unknown_choice("get-request", choice)
    reader.finish("get-request")
    return request


def encode_response(response: GetResponse | Block) -> bytes:
    """The get-response."""
    if isinstance(response, Block):
        head = service_head(RESPONSE_TAG, _BLOCK, response.invoke) + bytes((response.last,))
        number = response.number.to_bytes(4, "big")
        if response.failure is not None:
            return head + number + bytes((1, response.failure))
        return head + number + b"\x00" + encode_octets(response.raw)
    if response.listed:
        return service_head(RESPONSE_TAG, _LIST, response.invoke) + long_value(response)
    return service_head(RESPONSE_TAG, _NORMAL, response.invoke) + _encode_result(response.results[0])


def decode_response(octets: bytes) -> GetResponse | Block:
    """The get-response in `octets`; a single value stays encoded, its reader decodes it."""
    reader, choice, invoke = service_start(octets)
    if choice == _NORMAL:
        result = access_result(reader.u8()) if reader.flag() else Encoded(reader.rest())
        return GetResponse((result,), invoke=invoke)
    if choice == _BLOCK:
        last, number = reader.flag(), reader.u32()
        if reader.flag():
            failure = access_result(reader.u8())
            return Block(Service.GET, invoke, number, last=True, failure=failure)
        block = Block(Service.GET, invoke, number, reader.octets(), last)
        reader.finish("get-response")
        return block
    if choice == _LIST:
        return from_long_value(reader.rest(), listed=True, invoke=invoke)
    raise unknown_choice("get-response", choice)


def long_value(response: GetResponse) -> bytes:
    """What the blocks of a long answer carry: the value alone, or the whole list of results."""
    if not response.listed:
        value = response.results[0]
        return value.raw if isinstance(value, Encoded) else b""
    return encode_length(len(response.results)) + b"".join(map(_encode_result, response.results))


def from_long_value(raw: bytes, *, listed: bool, invoke: Invoke) -> GetResponse:
    """The answer whose blocks carried `raw`."""
    if not listed:
        return GetResponse((Encoded(raw),), invoke=invoke)
    reader = Reader(raw)
    results = tuple([_read_result(reader) for _ in range(reader.length())])
    reader.finish("get-response list")
    return GetResponse(results, listed=True, invoke=invoke)


def _encode_result(result: Encoded | DataAccessResult) -> bytes:
    if isinstance(result, DataAccessResult):
        return bytes((1, result))
    return b"\x00" + encode(result)


def _read_result(reader: Reader) -> Encoded | DataAccessResult:
    if reader.flag():
        return access_result(reader.u8())
    return take_rows(reader) or read_encoded(reader)
