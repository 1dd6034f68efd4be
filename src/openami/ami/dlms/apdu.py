"""One table of all plain APDUs: the first octet says which message it is and who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.ami.dlms import failures, service_access, service_action, service_get, service_set, unsolicited
from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.events import (
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    ConfirmedServiceError,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.service_set import LastAck

if TYPE_CHECKING:
    from collections.abc import Callable

Apdu = (
    GetRequest
    | GetResponse
    | SetRequest
    | SetResponse
    | LastAck
    | ActionRequest
    | ActionResponse
    | AccessRequest
    | AccessResponse
    | Block
    | NextBlock
    | ExceptionResponse
    | ConfirmedServiceError
    | DataNotification
    | DataNotificationConfirm
    | EventNotification
)

_DECODERS: dict[int, Callable[[bytes], Apdu]] = {
    service_get.REQUEST_TAG: service_get.decode_request,
    service_get.RESPONSE_TAG: service_get.decode_response,
    service_set.REQUEST_TAG: service_set.decode_request,
    service_set.RESPONSE_TAG: service_set.decode_response,
    service_action.REQUEST_TAG: service_action.decode_request,
    service_action.RESPONSE_TAG: service_action.decode_response,
    service_access.REQUEST_TAG: service_access.decode_request,
    service_access.RESPONSE_TAG: service_access.decode_response,
    failures.EXCEPTION_TAG: failures.decode_exception,
    failures.SERVICE_ERROR_TAG: failures.decode_service_error,
    unsolicited.DATA_NOTIFICATION_TAG: unsolicited.decode_data_notification,
    unsolicited.CONFIRM_TAG: unsolicited.decode_confirm,
    unsolicited.EVENT_NOTIFICATION_TAG: unsolicited.decode_event_notification,
}

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    GetRequest: service_get.encode_request,
    GetResponse: service_get.encode_response,
    SetRequest: service_set.encode_request,
    SetResponse: service_set.encode_response,
    LastAck: service_set.encode_response,
    ActionRequest: service_action.encode_request,
    ActionResponse: service_action.encode_response,
    AccessRequest: service_access.encode_request,
    AccessResponse: service_access.encode_response,
    ExceptionResponse: failures.encode_exception,
    ConfirmedServiceError: failures.encode_service_error,
    DataNotification: unsolicited.encode_data_notification,
    DataNotificationConfirm: unsolicited.encode_confirm,
    EventNotification: unsolicited.encode_event_notification,
}

# (service, sent by the client) of block PDUs, whose type alone does not say in which message they travel
_BLOCK_ENCODERS: dict[tuple[Service, bool], Callable[[Any], bytes]] = {
    (Service.GET, True): service_get.encode_request,
    (Service.GET, False): service_get.encode_response,
    (Service.SET, True): service_set.encode_request,
    (Service.SET, False): service_set.encode_response,
    (Service.ACTION, True): service_action.encode_request,
    (Service.ACTION, False): service_action.encode_response,
}


def decode_apdu(octets: bytes) -> Apdu:
    """The message in `octets`."""
    if not octets:
        msg = "An APDU without octets."
        raise RemoteProtocolError(msg)
    decoder = _DECODERS.get(octets[0])
    if decoder is None:
        msg = f"No service has the tag {octets[0]:02X}."
        raise RemoteProtocolError(msg, state_error=2, service_error=2)
    return decoder(octets)


def encode_apdu(message: Apdu, *, from_client: bool) -> bytes:
    """The octets of a message sent by a client or by a server."""
    if isinstance(message, Block | NextBlock):
        encoder = _BLOCK_ENCODERS[message.service, from_client]
    else:
        encoder = _ENCODERS[type(message)]
    try:
        return encoder(message)
    except OverflowError as error:
        msg = f"A number of {type(message).__name__} does not fit its field: {error}."
        raise LocalProtocolError(msg) from error
