"""The ACCESS service on the wire: D9 (request) and DA (response), reads, writes and methods in one message.

Green Book 9.3.5. Each request has as many data as specifications, null where nothing is given; each response as many
data and results. Long ones travel in general blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.dlms.axdr import MAX_ELEMENTS, encode, read_encoded
from openami.ami.dlms.codes import access_result, action_result
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import Access, AccessOutcome, AccessRequest, AccessResponse, AccessVerb
from openami.ami.dlms.reader import Reader, encode_length
from openami.ami.dlms.references import AttributeRef, MethodRef
from openami.ami.dlms.unsolicited import long_head, read_stamp

if TYPE_CHECKING:
    from openami.ami.dlms.axdr import Encoded

REQUEST_TAG = 0xD9
RESPONSE_TAG = 0xDA

# the CHOICE octets of specifications: get and set again with selective access
_GET_SELECTED, _SET_SELECTED = 4, 5
_SELECTED = {AccessVerb.GET: _GET_SELECTED, AccessVerb.SET: _SET_SELECTED}
_VERBS = {**{int(verb): verb for verb in AccessVerb}, **{choice: verb for verb, choice in _SELECTED.items()}}
_NUMBER_BITS = 0xFF_FFFF
_BREAK_BIT, _CONFIRMED_BIT, _PRIORITY_BIT = 1 << 29, 1 << 30, 1 << 31


def encode_request(request: AccessRequest) -> bytes:
    """The access-request."""
    count = encode_length(len(request.accesses))
    specifications = b"".join(map(_encode_specification, request.accesses))
    values = b"".join(encode(access.value) for access in request.accesses)
    invoke = request.number & _NUMBER_BITS
    invoke |= _BREAK_BIT * request.break_on_error | _CONFIRMED_BIT * request.confirmed
    invoke |= _PRIORITY_BIT * request.high_priority
    return long_head(REQUEST_TAG, invoke, request.time) + count + specifications + count + values


def decode_request(octets: bytes) -> AccessRequest:
    """The access-request in `octets`."""
    reader = Reader(octets)
    reader.u8()
    invoke, time = reader.u32(), read_stamp(reader)
    specifications = _read_specifications(reader)
    values = _read_values(reader, len(specifications), "access-request")
    reader.finish("access-request")
    pairs = zip(specifications, values, strict=True)
    return AccessRequest(
        tuple([Access(verb, reference, value) for (verb, reference), value in pairs]),
        number=invoke & _NUMBER_BITS,
        break_on_error=bool(invoke & _BREAK_BIT),
        confirmed=bool(invoke & _CONFIRMED_BIT),
        high_priority=bool(invoke & _PRIORITY_BIT),
        time=time,
    )


def encode_response(response: AccessResponse) -> bytes:
    """The access-response; the specifications are not repeated."""
    count = encode_length(len(response.outcomes))
    values = b"".join(encode(outcome.value) for outcome in response.outcomes)
    results = b"".join(bytes((outcome.verb, outcome.result)) for outcome in response.outcomes)
    head = long_head(RESPONSE_TAG, response.number & _NUMBER_BITS | _CONFIRMED_BIT, response.time)
    return head + b"\x00" + count + values + count + results


def decode_response(octets: bytes) -> AccessResponse:
    """The access-response in `octets`; specifications that it repeats are read and dropped."""
    reader = Reader(octets)
    reader.u8()
    invoke, time = reader.u32(), read_stamp(reader)
    if reader.flag():
        _read_specifications(reader)
    values = _read_values(reader, None, "access-response")
    if reader.length() != len(values):
        msg = f"An access-response has {len(values)} data and another number of results."
        raise RemoteProtocolError(msg)
    outcomes = tuple([_read_outcome(reader, value) for value in values])
    reader.finish("access-response")
    return AccessResponse(outcomes, number=invoke & _NUMBER_BITS, time=time)


def _encode_specification(access: Access) -> bytes:
    reference = access.reference
    if isinstance(reference, MethodRef) or reference.selection is None:
        head = bytes((access.verb,))
        return head + (reference.encode() if isinstance(reference, MethodRef) else _plain(reference))
    # the selection follows without the octet that says whether it is there
    selection = bytes((reference.selection.selector,)) + encode(reference.selection.parameters)
    return bytes((_SELECTED[access.verb],)) + _plain(reference) + selection


def _plain(reference: AttributeRef) -> bytes:
    return reference.encode(with_selection=False)


def _read_specifications(reader: Reader) -> list[tuple[AccessVerb, AttributeRef | MethodRef]]:
    count = reader.length()
    if count > min(reader.remaining, MAX_ELEMENTS):
        msg = f"{count} accesses are announced but only {reader.remaining} octets follow."
        raise RemoteProtocolError(msg)
    return [_read_specification(reader) for _ in range(count)]


def _read_specification(reader: Reader) -> tuple[AccessVerb, AttributeRef | MethodRef]:
    choice = reader.u8()
    verb = _VERBS.get(choice)
    if verb is None:
        msg = f"An access specification has no choice {choice}."
        raise RemoteProtocolError(msg)
    if verb is AccessVerb.ACTION:
        return verb, MethodRef.decode(reader)
    reference = AttributeRef.decode(reader, with_selection=False)
    return verb, reference.selected(reader) if choice in _SELECTED.values() else reference


def _read_values(reader: Reader, wanted: int | None, what: str) -> list[Encoded]:
    count = reader.length()
    if (wanted is not None and count != wanted) or count > reader.remaining:
        msg = f"An {what} has {count} data where {wanted if wanted is not None else 'fewer'} are due."
        raise RemoteProtocolError(msg)
    return [read_encoded(reader) for _ in range(count)]


def _read_outcome(reader: Reader, value: Encoded) -> AccessOutcome:
    choice, code = reader.u8(), reader.u8()
    if choice == AccessVerb.ACTION:
        return AccessOutcome(AccessVerb.ACTION, action_result(code), value)
    if choice not in (AccessVerb.GET, AccessVerb.SET):
        msg = f"An access result has no choice {choice}."
        raise RemoteProtocolError(msg)
    return AccessOutcome(AccessVerb(choice), access_result(code), value)
