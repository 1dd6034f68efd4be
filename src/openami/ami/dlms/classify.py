"""Which row of the state table a message moves."""

from __future__ import annotations

from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.enums import ActionResult
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
from openami.ami.dlms.failures import NO_ASSOCIATION
from openami.ami.dlms.service_set import LastAck
from openami.ami.dlms.state import Sent, State

_WHOLE: dict[type, Sent] = {
    GetRequest: Sent.GET,
    GetResponse: Sent.GET_RESULT,
    SetRequest: Sent.SET,
    SetResponse: Sent.SET_RESULT,
    LastAck: Sent.SET_RESULT,
    ActionRequest: Sent.ACTION,
    ActionResponse: Sent.ACTION_RESULT,
    AccessRequest: Sent.ACCESS,
    AccessResponse: Sent.ACCESS_RESULT,
    ConfirmedServiceError: Sent.EXCEPTION,
    ExceptionResponse: Sent.EXCEPTION,
    DataNotification: Sent.UNSOLICITED,
    EventNotification: Sent.UNSOLICITED,
    DataNotificationConfirm: Sent.RECEIPT,
}

# (service, sent by the client): an unfinished block, the last block
_BLOCKS: dict[tuple[Service, bool], tuple[Sent, Sent]] = {
    (Service.GET, False): (Sent.GET_BLOCK, Sent.GET_RESULT),
    (Service.SET, True): (Sent.SET_BLOCK, Sent.SET),
    (Service.ACTION, True): (Sent.ACTION_BLOCK, Sent.ACTION),
    (Service.ACTION, False): (Sent.RESULT_BLOCK, Sent.ACTION_RESULT),
}

_NEXT: dict[tuple[Service, bool], Sent] = {
    (Service.GET, True): Sent.GET_NEXT,
    (Service.SET, False): Sent.SET_ACK,
    (Service.ACTION, True): Sent.ACTION_NEXT,
    (Service.ACTION, False): Sent.ACTION_ACK,
}


def classify(message: object, state: State, *, from_client: bool) -> Sent:
    """The row for `message`; while secrets are being proven, actions are the passes 3 and 4."""
    if isinstance(message, Block):
        return _BLOCKS[message.service, from_client][message.last]
    if isinstance(message, NextBlock):
        return _NEXT[message.service, from_client]
    sent = _WHOLE[type(message)]
    if sent is Sent.EXCEPTION and message == NO_ASSOCIATION:
        return Sent.LOST
    if sent is Sent.ACTION and state is State.PROVING:
        return Sent.PROOF
    if isinstance(message, ActionResponse) and state is State.PROVEN:
        proven = message.outcomes[:1] and message.outcomes[0].result is ActionResult.SUCCESS
        return Sent.PROOF_ANSWER if proven else Sent.PROOF_REFUSED
    return sent
