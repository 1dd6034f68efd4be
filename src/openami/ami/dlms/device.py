"""The server side in one call: an object model plus `serve` is a meter.

class Meter:                                  # a LogicalDevice
    def admit(self, client_sap, mechanism, password): ...
    def get(self, class_id, obis, attribute, selection): ...
    def set(self, class_id, obis, attribute, value): ...
    def act(self, class_id, obis, method, parameter): ...

connection = ServerConnection(WrapperFraming.server())
answer = serve(connection, Meter(), octets_from_the_wire)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.enums import AcseDiagnostic, ActionResult, DataAccessResult, Mechanism
from openami.ami.dlms.errors import (
    AccessDeniedError,
    ActionRefusedError,
    RemoteProtocolError,
    SecurityFailureError,
    TypeMismatchError,
)
from openami.ami.dlms.events import (
    NEED_DATA,
    NULL_DATA,
    Access,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessVerb,
    ActionOutcome,
    ActionRequest,
    ActionResponse,
    AssociationRequest,
    Event,
    GetRequest,
    GetResponse,
    ReleaseRequest,
    ReleaseResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.references import MethodRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.obis import Obis
    from openami.ami.dlms.references import AttributeRef, Selection
    from openami.ami.dlms.server import ServerConnection, ServerEvent


# behind a part that failed, where the client wants the rest left alone
_NOT_DONE: Final = {
    AccessVerb.GET: AccessOutcome(AccessVerb.GET, DataAccessResult.OTHER_REASON),
    AccessVerb.SET: AccessOutcome(AccessVerb.SET, DataAccessResult.OTHER_REASON),
    AccessVerb.ACTION: AccessOutcome(AccessVerb.ACTION, ActionResult.OTHER_REASON),
}


class LogicalDevice(Protocol):
    """The object model of a meter, as the server asks it.

    `get` and `set` raise AccessDeniedError, `act` raises ActionRefusedError (or AccessDeniedError with the same
    reason). A TypeMismatchError while reading a parameter is answered "type unmatched".
    """

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        """Whether this client may open an association with this mechanism and password (empty without one).

        High level mechanisms come with an empty password too: the connection's prover checks the secret afterwards.
        """

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        """The value of an attribute, or of the selected part of it."""

    def set(self, class_id: int, obis: Obis, attribute: int, value: Data) -> None:
        """Write an attribute."""

    def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
        """Carry out a method; what it returns, if anything."""


def serve(
    connection: ServerConnection,
    device: LogicalDevice,
    data: bytes,
    *,
    on_failure: Callable[[RemoteProtocolError], None] | None = None,
) -> bytes:
    """Give octets from the wire to a device; the octets that go back.

    `on_failure` hears of each broken rule; a SecurityFailureError or ReplayedCounterError belongs into the event log.
    Raises RemoteProtocolError only when the stream itself is lost: then close the connection.
    """
    connection.receive_data(data)
    answer = bytearray()
    while True:
        try:
            event = connection.next_event()
        except RemoteProtocolError as error:
            if error.service_error == 0:
                raise
            if on_failure is not None:
                on_failure(error)
            answer += connection.data_to_send() + connection.refuse(error)
            continue
        answer += connection.data_to_send()
        if event is NEED_DATA:
            return bytes(answer)
        response = respond(connection, device, event)  # type: ignore[arg-type]  # NEED_DATA was just excluded
        if response is not None:
            answer += connection.send(response)


def respond(connection: ServerConnection, device: LogicalDevice, event: Event) -> ServerEvent | None:
    """The answer of a device to one request, or None when there is nothing to answer."""
    if isinstance(event, AssociationRequest):
        return _associate(connection, device, event)
    if isinstance(event, ReleaseRequest):
        return ReleaseResponse()
    return _served(device, event)


def _served(device: LogicalDevice, event: Event) -> ServerEvent | None:
    match event:
        case GetRequest():
            return GetResponse(tuple([_get(device, reference) for reference in event.attributes]))
        case SetRequest():
            pairs = zip(event.attributes, event.values, strict=True)
            return SetResponse(tuple([_set(device, reference, value) for reference, value in pairs]))
        case ActionRequest():
            calls = zip(event.methods, event.parameters, strict=True)
            return ActionResponse(tuple([_act(device, reference, parameter) for reference, parameter in calls]))
        case AccessRequest():
            return AccessResponse(tuple(_accessed(device, event)))
        case _:
            return None


def _associate(connection: ServerConnection, device: LogicalDevice, request: AssociationRequest) -> ServerEvent:
    wrong = connection.can_open(request)
    if wrong is not AcseDiagnostic.NULL:
        return connection.reject(wrong)
    password = b"" if request.mechanism.high else request.authentication
    if not device.admit(connection.client_sap, request.mechanism, password):
        return connection.reject(AcseDiagnostic.AUTHENTICATION_FAILURE)
    try:
        return connection.accept()
    except SecurityFailureError:
        return connection.reject(AcseDiagnostic.AUTHENTICATION_FAILURE)


def _accessed(device: LogicalDevice, request: AccessRequest) -> Iterator[AccessOutcome]:
    failed = False
    for access in request.accesses:
        outcome = _NOT_DONE[access.verb] if failed and request.break_on_error else _access(device, access)
        failed = failed or outcome.result != DataAccessResult.SUCCESS
        yield outcome


def _access(device: LogicalDevice, access: Access) -> AccessOutcome:
    reference = access.reference
    if isinstance(reference, MethodRef):
        done = _act(device, reference, None if access.value == NULL_DATA else access.value)
        returned = done.returned if isinstance(done.returned, Encoded) else NULL_DATA
        return AccessOutcome(AccessVerb.ACTION, done.result, returned)
    if access.verb is AccessVerb.SET:
        return AccessOutcome(AccessVerb.SET, _set(device, reference, access.value))
    found = _get(device, reference)
    if isinstance(found, Encoded):
        return AccessOutcome(AccessVerb.GET, DataAccessResult.SUCCESS, found)
    return AccessOutcome(AccessVerb.GET, found)


def _get(device: LogicalDevice, reference: AttributeRef) -> Encoded | DataAccessResult:
    try:
        value = device.get(reference.class_id, reference.obis, reference.attribute, reference.selection)
    except AccessDeniedError as error:
        return error.result
    except TypeMismatchError:
        return DataAccessResult.TYPE_UNMATCHED
    return value if isinstance(value, Encoded) else Encoded(encode(value))


def _set(device: LogicalDevice, reference: AttributeRef, value: Encoded) -> DataAccessResult:
    try:
        device.set(reference.class_id, reference.obis, reference.attribute, value.data())
    except AccessDeniedError as error:
        return error.result
    except (TypeMismatchError, RemoteProtocolError):
        return DataAccessResult.TYPE_UNMATCHED
    return DataAccessResult.SUCCESS


def _act(device: LogicalDevice, reference: MethodRef, parameter: Encoded | None) -> ActionOutcome:
    try:
        given = parameter.data() if parameter is not None else None
        returned = device.act(reference.class_id, reference.obis, reference.method, given)
    except ActionRefusedError as error:
        return ActionOutcome(error.result)
    except AccessDeniedError as error:
        same = error.result in set(map(int, ActionResult))
        return ActionOutcome(ActionResult(error.result) if same else ActionResult.OTHER_REASON)
    except (TypeMismatchError, RemoteProtocolError):
        return ActionOutcome(ActionResult.TYPE_UNMATCHED)
    return ActionOutcome(ActionResult.SUCCESS, None if returned is None else Encoded(encode(returned)))
