"""The SET service on the wire: C1 (request) and C5 (response)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.ami.dlms.axdr import read_encoded
from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.codes import access_result, unknown_choice
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import SetRequest, SetResponse
from openami.ami.dlms.reader import Reader, encode_length, encode_octets
from openami.ami.dlms.references import AttributeRef, Invoke, service_head, service_start

if TYPE_CHECKING:
    from openami.ami.dlms.enums import DataAccessResult

REQUEST_TAG = 0xC1
RESPONSE_TAG = 0xC5

_NORMAL, _FIRST_BLOCK, _BLOCK, _LIST, _LIST_FIRST_BLOCK = 1, 2, 3, 4, 5
_ANSWER, _ACK, _LAST_ACK, _LAST_ACK_LIST, _ANSWER_LIST = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class LastAck:
    """The answer to a long SET: the results, and the number of the last block."""

    response: SetResponse
    number: int


def encode_request(request: SetRequest | Block) -> bytes:
    """The set-request."""
    if isinstance(request, Block):
        choice = _BLOCK if request.head is None else _LIST_FIRST_BLOCK if request.listed else _FIRST_BLOCK
        block = bytes((request.last,)) + request.number.to_bytes(4, "big") + encode_octets(request.raw)
        return service_head(REQUEST_TAG, choice, request.invoke) + (request.head or b"") + block
    choice = _LIST if request.listed else _NORMAL
    return service_head(REQUEST_TAG, choice, request.invoke) + head_of(request) + long_value(request)


def decode_request(octets: bytes) -> SetRequest | Block:
    """The set-request in `octets`."""
    reader, choice, invoke = service_start(octets)
    if choice in (_NORMAL, _LIST):
        attributes = _read_head(reader, listed=choice == _LIST)
        return _complete(attributes, reader, listed=choice == _LIST, invoke=invoke)
    head = None
    if choice in (_FIRST_BLOCK, _LIST_FIRST_BLOCK):
        start = reader.position
        _read_head(reader, listed=choice == _LIST_FIRST_BLOCK)
        head = reader.data[start : reader.position]
    elif choice != _BLOCK:
        raise unknown_choice("set-request", choice)
    last, number, raw = reader.flag(), reader.u32(), reader.octets()
    reader.finish("set-request")
    return Block(Service.SET, invoke, number, raw, last, head, listed=choice == _LIST_FIRST_BLOCK)


def encode_response(response: SetResponse | NextBlock | LastAck) -> bytes:
    """The set-response."""
    if isinstance(response, NextBlock):
        return service_head(RESPONSE_TAG, _ACK, response.invoke) + response.number.to_bytes(4, "big")
    if isinstance(response, LastAck):
        inner = response.response
        choice = _LAST_ACK_LIST if inner.listed else _LAST_ACK
        return service_head(RESPONSE_TAG, choice, inner.invoke) + _results(inner) + response.number.to_bytes(4, "big")
    choice = _ANSWER_LIST if response.listed else _ANSWER
    return service_head(RESPONSE_TAG, choice, response.invoke) + _results(response)


def decode_response(octets: bytes) -> SetResponse | NextBlock | LastAck:
    """The set-response in `octets`."""
    reader, choice, invoke = service_start(octets)
    if choice == _ACK:
        answer: SetResponse | NextBlock | LastAck = NextBlock(Service.SET, invoke, reader.u32())
    elif choice in (_ANSWER, _ANSWER_LIST, _LAST_ACK, _LAST_ACK_LIST):
        listed = choice in (_ANSWER_LIST, _LAST_ACK_LIST)
        response = SetResponse(_read_results(reader, listed=listed), listed=listed, invoke=invoke)
        answer = LastAck(response, reader.u32()) if choice in (_LAST_ACK, _LAST_ACK_LIST) else response
    else:
        raise unknown_choice("set-response", choice)
    reader.finish("set-response")
    return answer


def head_of(request: SetRequest) -> bytes:
    """What is written, as the first block repeats it."""
    references = b"".join(attribute.encode() for attribute in request.attributes)
    return encode_length(len(request.attributes)) + references if request.listed else references


def long_value(request: SetRequest) -> bytes:
    """What the blocks of a long SET carry: the value, or the list of values."""
    values = b"".join(value.raw for value in request.values)
    return encode_length(len(request.values)) + values if request.listed else values


def from_long_value(head: bytes, raw: bytes, *, listed: bool, invoke: Invoke) -> SetRequest:
    """The request whose blocks carried `raw` for the attributes in `head`."""
    return _complete(_read_head(Reader(head), listed=listed), Reader(raw), listed=listed, invoke=invoke)


def _complete(attributes: tuple[AttributeRef, ...], reader: Reader, *, listed: bool, invoke: Invoke) -> SetRequest:
    count = reader.length() if listed else 1
    if count != len(attributes):
        msg = f"A set-request writes {count} values to {len(attributes)} attributes."
        raise RemoteProtocolError(msg)
    values = tuple([read_encoded(reader) for _ in attributes])
    reader.finish("set-request")
    return SetRequest(attributes, values, listed=listed, invoke=invoke)


def _results(response: SetResponse) -> bytes:
    results = bytes(response.results)
    return encode_length(len(results)) + results if response.listed else results


def _read_results(reader: Reader, *, listed: bool) -> tuple[DataAccessResult, ...]:
    return tuple(map(access_result, reader.take(reader.length() if listed else 1)))


def _read_head(reader: Reader, *, listed: bool) -> tuple[AttributeRef, ...]:
    return tuple([AttributeRef.decode(reader) for _ in range(reader.length() if listed else 1)])
