"""The ACTION service on the wire: C3 (request) and C7 (response)."""

from __future__ import annotations

from openami.ami.dlms.axdr import Encoded, read_encoded
from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.codes import access_result, action_result, unknown_choice
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import ActionOutcome, ActionRequest, ActionResponse
from openami.ami.dlms.reader import Reader, encode_length, encode_octets
from openami.ami.dlms.references import Invoke, MethodRef, service_head, service_start

REQUEST_TAG = 0xC3
RESPONSE_TAG = 0xC7

_NORMAL, _NEXT, _LIST, _FIRST_BLOCK, _LIST_FIRST_BLOCK, _BLOCK = 1, 2, 3, 4, 5, 6
_ANSWER, _ANSWER_BLOCK, _ANSWER_LIST, _ACK = 1, 2, 3, 4
_NULL_DATA = b"\x00"


def encode_request(request: ActionRequest | Block | NextBlock) -> bytes:
    """The action-request."""
    if isinstance(request, NextBlock):
        return service_head(REQUEST_TAG, _NEXT, request.invoke) + request.number.to_bytes(4, "big")
    if isinstance(request, Block):
        choice = _BLOCK if request.head is None else _LIST_FIRST_BLOCK if request.listed else _FIRST_BLOCK
        return service_head(REQUEST_TAG, choice, request.invoke) + (request.head or b"") + _block(request)
    if request.listed:
        return service_head(REQUEST_TAG, _LIST, request.invoke) + head_of(request) + long_value(request)
    parameter = request.parameters[0]
    optional = b"\x00" if parameter is None else b"\x01" + parameter.raw
    return service_head(REQUEST_TAG, _NORMAL, request.invoke) + head_of(request) + optional


def decode_request(octets: bytes) -> ActionRequest | Block | NextBlock:
    """The action-request in `octets`."""
    reader, choice, invoke = service_start(octets)
    request: ActionRequest | Block | NextBlock
    if choice == _NORMAL:
        methods = _read_head(reader, listed=False)
        parameter = read_encoded(reader) if reader.flag() else None
        request = ActionRequest(methods, (parameter,), invoke=invoke)
    elif choice == _LIST:
        methods = _read_head(reader, listed=True)
        request = ActionRequest(methods, _read_parameters(reader, len(methods)), listed=True, invoke=invoke)
    elif choice == _NEXT:
        request = NextBlock(Service.ACTION, invoke, reader.u32())
    elif choice in (_FIRST_BLOCK, _LIST_FIRST_BLOCK, _BLOCK):
        head = None
        if choice != _BLOCK:
            start = reader.position
            _read_head(reader, listed=choice == _LIST_FIRST_BLOCK)
            head = reader.data[start : reader.position]
        last, number, raw = reader.flag(), reader.u32(), reader.octets()
        request = Block(Service.ACTION, invoke, number, raw, last, head, listed=choice == _LIST_FIRST_BLOCK)
    else:
        raise unknown_choice("action-request", choice)
    reader.finish("action-request")
    return request


def encode_response(response: ActionResponse | Block | NextBlock) -> bytes:
    """The action-response."""
    if isinstance(response, NextBlock):
        return service_head(RESPONSE_TAG, _ACK, response.invoke) + response.number.to_bytes(4, "big")
    if isinstance(response, Block):
        return service_head(RESPONSE_TAG, _ANSWER_BLOCK, response.invoke) + _block(response)
    choice = _ANSWER_LIST if response.listed else _ANSWER
    return service_head(RESPONSE_TAG, choice, response.invoke) + long_answer(response)


def decode_response(octets: bytes) -> ActionResponse | Block | NextBlock:
    """The action-response in `octets`."""
    reader, choice, invoke = service_start(octets)
    if choice in (_ANSWER, _ANSWER_LIST):
        return from_long_answer(reader.rest(), listed=choice == _ANSWER_LIST, invoke=invoke)
    response: Block | NextBlock
    if choice == _ANSWER_BLOCK:
        last, number, raw = reader.flag(), reader.u32(), reader.octets()
        response = Block(Service.ACTION, invoke, number, raw, last)
    elif choice == _ACK:
        response = NextBlock(Service.ACTION, invoke, reader.u32())
    else:
        raise unknown_choice("action-response", choice)
    reader.finish("action-response")
    return response


def head_of(request: ActionRequest) -> bytes:
    """What is called, as the first block repeats it."""
    references = b"".join(method.encode() for method in request.methods)
    return encode_length(len(request.methods)) + references if request.listed else references


def long_value(request: ActionRequest) -> bytes:
    """What the blocks of a long ACTION carry: the parameter (without presence octet), or the list of parameters."""
    values = b"".join(_NULL_DATA if value is None else value.raw for value in request.parameters)
    return encode_length(len(request.parameters)) + values if request.listed else values


def from_long_value(head: bytes, raw: bytes, *, listed: bool, invoke: Invoke) -> ActionRequest:
    """The request whose blocks carried `raw` for the methods in `head`."""
    methods = _read_head(Reader(head), listed=listed)
    if not listed:
        return ActionRequest(methods, (Encoded(raw) if raw else None,), invoke=invoke)
    reader = Reader(raw)
    parameters = _read_parameters(reader, len(methods))
    reader.finish("action-request list")
    return ActionRequest(methods, parameters, listed=True, invoke=invoke)


def long_answer(response: ActionResponse) -> bytes:
    """The results with what they return, as normal and long answers carry them."""
    outcomes = b"".join(map(_encode_outcome, response.outcomes))
    return encode_length(len(response.outcomes)) + outcomes if response.listed else outcomes


def from_long_answer(raw: bytes, *, listed: bool, invoke: Invoke) -> ActionResponse:
    """The answer whose octets are `raw`."""
    reader = Reader(raw)
    count = reader.length() if listed else 1
    outcomes = tuple([_read_outcome(reader) for _ in range(count)])
    reader.finish("action-response")
    return ActionResponse(outcomes, listed=listed, invoke=invoke)


def _encode_outcome(outcome: ActionOutcome) -> bytes:
    returned = outcome.returned
    if returned is None:
        return bytes((outcome.result, 0))
    if isinstance(returned, DataAccessResult):
        return bytes((outcome.result, 1, 1, returned))
    return bytes((outcome.result, 1, 0)) + returned.raw


def _read_outcome(reader: Reader) -> ActionOutcome:
    result = action_result(reader.u8())
    # some meters leave the presence octet out when nothing is returned
    if not reader.remaining or not reader.flag():
        return ActionOutcome(result)
    returned = access_result(reader.u8()) if reader.flag() else read_encoded(reader)
    return ActionOutcome(result, returned)


def _read_parameters(reader: Reader, methods: int) -> tuple[Encoded | None, ...]:
    count = reader.length()
    if count != methods:
        msg = f"An action-request gives {count} parameters to {methods} methods."
        raise RemoteProtocolError(msg)
    values = [read_encoded(reader) for _ in range(count)]
    return tuple([None if value.raw == _NULL_DATA else value for value in values])


def _read_head(reader: Reader, *, listed: bool) -> tuple[MethodRef, ...]:
    return tuple([MethodRef.decode(reader) for _ in range(reader.length() if listed else 1)])


def _block(block: Block) -> bytes:
    return bytes((block.last,)) + block.number.to_bytes(4, "big") + encode_octets(block.raw)
