"""The server end of an association: a meter, or the logical device of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openami.ami.dlms import acse, failures, initiate, service_action, service_get, service_set
from openami.ami.dlms.apdu import Apdu, encode_apdu
from openami.ami.dlms.blocks import Block, Incoming, NextBlock, Outgoing, Service
from openami.ami.dlms.classify import classify
from openami.ami.dlms.connection import Connection
from openami.ami.dlms.enums import (
    OUR_CONFORMANCE,
    AcseDiagnostic,
    AssociationResult,
    Conformance,
    Context,
    DataAccessResult,
    ServiceError,
    StateError,
)
from openami.ami.dlms.errors import RemoteProtocolError, SecurityFailureError
from openami.ami.dlms.events import (
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    AssociationRequest,
    AssociationResponse,
    Authenticated,
    AuthenticationFailed,
    DataNotification,
    Event,
    EventNotification,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    Initiate,
    ReleaseResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.proofs import answer_proof
from openami.ami.dlms.service_set import LastAck
from openami.ami.dlms.state import Sent, State

if TYPE_CHECKING:
    from openami.ami.dlms.framing import Delivery, Framing
    from openami.ami.dlms.protection import Protection
    from openami.ami.dlms.security.hls import Prover

ServerEvent = (
    AssociationResponse
    | ReleaseResponse
    | GetResponse
    | SetResponse
    | ActionResponse
    | AccessResponse
    | ExceptionResponse
    | DataNotification
    | EventNotification
)

# Requests are short; a firmware block of 1 kB with its protection still fits.
DEFAULT_MAX_PDU_OCTETS = 1224

_SERVICE_BITS: dict[type, Conformance] = {
    GetRequest: Conformance.GET,
    SetRequest: Conformance.SET,
    ActionRequest: Conformance.ACTION,
    AccessRequest: Conformance.ACCESS,
}


class ServerConnection(Connection):
    """The server end: requests come out of `next_event`, answers go into `send`.

    It holds one association. A client with another address may open its own with an AARQ, which ends the first, as
    in most meters; any other message from a stranger is answered with "no association". With a `prover` it takes the
    passes 3 and 4 of high level security itself and reports Authenticated or AuthenticationFailed; with a ciphering
    `protection` it takes ciphered associations beside plain ones.
    """

    is_client = False

    def __init__(
        self,
        framing: Framing,
        *,
        conformance: Conformance = OUR_CONFORMANCE,
        max_pdu_octets: int = DEFAULT_MAX_PDU_OCTETS,
        protection: Protection | None = None,
        prover: Prover | None = None,
    ) -> None:
        super().__init__(framing, Initiate(conformance, max_pdu_octets), protection, prover)
        self._requested = AssociationRequest()
        self._listed = False
        self._access = AccessRequest(())
        self._blocks_received = 0
        self.client_sap = 0

    @property
    def associated(self) -> bool:
        """Whether an association is open."""
        return self._state not in (State.IDLE, State.ASSOCIATING, State.PROVING, State.PROVEN)

    def can_open(self, request: AssociationRequest) -> AcseDiagnostic:
        """NULL when context and mechanism are ones this connection has the means for, else what is wrong."""
        ciphered = self._own_protection.ciphered
        if request.context not in (Context.LOGICAL_NAMES, Context.LOGICAL_NAMES_CIPHERED) or (
            request.context.ciphered and not ciphered
        ):
            return AcseDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED
        if request.mechanism.high and (self._prover is None or self._prover.mechanism is not request.mechanism):
            return AcseDiagnostic.MECHANISM_NAME_NOT_RECOGNIZED
        return AcseDiagnostic.NULL

    def accept(self) -> AssociationResponse:
        """The answer that opens the association asked for, or lets the client prove itself first.

        Raises SecurityFailureError when the client's challenge is unacceptable.
        """
        high = self._requested.mechanism.high
        challenge, title = b"", self._own_protection.title
        if high and self._prover is not None:
            challenge, title = self._prover.begin(), title or self._prover.title
            self._prover.meet(self._requested.authentication, self._requested.system_title)
        return AssociationResponse(
            diagnostic=AcseDiagnostic.AUTHENTICATION_REQUIRED if high else AcseDiagnostic.NULL,
            context=self._requested.context,
            mechanism=self._requested.mechanism,
            authentication=challenge,
            system_title=title,
            initiate=self._offer,
        )

    def reject(self, diagnostic: AcseDiagnostic) -> AssociationResponse:
        """The answer that refuses the association asked for."""
        result = AssociationResult.REJECTED_PERMANENT
        return AssociationResponse(result, diagnostic, self._requested.context)

    def send(self, event: ServerEvent) -> bytes:
        """Send an answer (or a push); the octets for the wire. Answers to unconfirmed requests are not sent."""
        match event:
            case AssociationResponse():
                self._answer_association(event)
            case ReleaseResponse():
                self._move(Sent.RLRE, by_us=True)
                self._framing.send(acse.encode_release(event, self._sealed_agreement()))
            case GetResponse() | SetResponse() | ActionResponse():
                self._answer(event)
            case AccessResponse():
                self._answer_access(event)
            case _:
                self._put(event)
        return self.data_to_send()

    def refuse(self, error: RemoteProtocolError) -> bytes:
        """Answer a broken request with the exception-response the error suggests; the octets for the wire."""
        self._drop_transfers()
        return self.send(ExceptionResponse(error.state_error, error.service_error, error.expected_counter))

    def _answer_association(self, response: AssociationResponse) -> None:
        if not response.accepted or response.initiate is None:
            self._move(Sent.AARE_REFUSED, by_us=True)
            self._framing.send(acse.encode_aare(response, b""))
            return
        self._move(Sent.AARE_HIGH if response.mechanism.high else Sent.AARE_OPEN, by_us=True)
        asked = self._requested.initiate
        common = response.initiate.conformance & asked.conformance
        self._agree(replace(asked, conformance=common))
        information = initiate.encode_response(replace(response.initiate, conformance=common))
        self._framing.send(acse.encode_aare(response, self._protection.protect_initiate(information)))

    def _sealed_agreement(self) -> bytes:
        if not self._protection.ciphered:
            return b""
        return self._protection.protect_initiate(initiate.encode_response(self._offer))

    def _answer(self, event: GetResponse | SetResponse | ActionResponse) -> None:
        response = replace(event, listed=self._listed, invoke=self._invoke)
        if not self._invoke.confirmed:
            self._move(classify(response, self._state, from_client=False), by_us=True)
            return
        if isinstance(response, SetResponse) and self._blocks_received:
            self._put(LastAck(response, self._blocks_received))
            return
        encoded = encode_apdu(response, from_client=False)
        if self._fits(encoded):
            self._put(response, encoded)
        else:
            self._answer_long(response)

    def _answer_access(self, event: AccessResponse) -> None:
        response = replace(event, number=self._access.number)
        if not self._access.confirmed:
            self._move(Sent.ACCESS_RESULT, by_us=True)
            return
        encoded = encode_apdu(response, from_client=False)
        if self._fits(encoded):
            self._put(response, encoded)
        else:
            self._put(ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG))

    def _answer_long(self, response: GetResponse | SetResponse | ActionResponse) -> None:
        if isinstance(response, GetResponse):
            service, bit = Service.GET, Conformance.BLOCK_TRANSFER_WITH_GET
        else:
            service, bit = Service.ACTION, Conformance.BLOCK_TRANSFER_WITH_ACTION
        if isinstance(response, SetResponse) or bit not in self._agreed.conformance:
            self._put(ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG))
            return
        codec_value = (
            service_get.long_value(response)
            if isinstance(response, GetResponse)
            else service_action.long_answer(response)
        )
        self._outgoing = Outgoing(service, self._invoke, codec_value, self._block_octets)
        self._put_next_block()

    def _take(self, delivery: Delivery) -> Event | None:
        tag = delivery.apdu[:1]
        if tag == bytes((acse.AARQ,)):
            return self._take_aarq(delivery)
        if tag == bytes((acse.RLRQ,)):
            return self._take_release(delivery)
        if self._state is State.IDLE or delivery.source != self.client_sap:
            # not through the state machine: a stranger must not end the association of another client
            self._framing.send(failures.encode_exception(failures.NO_ASSOCIATION))
            return None
        apdu = self._join(delivery.apdu)
        if apdu is None:
            return None
        request, sent = self._open(apdu)
        self._move(sent, by_us=False)
        if sent is Sent.PROOF and isinstance(request, ActionRequest):
            return self._take_proof(request)
        return self._request(request)

    def _take_release(self, delivery: Delivery) -> Event:
        message, information = acse.decode_release(delivery.apdu)
        if self._protection.ciphered and information:
            # checked when it is there; many clients leave it out
            self._protection.unprotect(information)
        self._move(Sent.RLRQ, by_us=False)
        self._drop_transfers()
        return message

    def _take_proof(self, request: ActionRequest) -> Event:
        answer = replace(answer_proof(self._prover, request), invoke=request.invoke)
        self._put(answer)
        if self._state is State.READY:
            return Authenticated()
        return AuthenticationFailed("The client did not prove its secret.")

    def _take_aarq(self, delivery: Delivery) -> AssociationRequest:
        request, information = acse.decode_aarq(delivery.apdu)
        if request.context.ciphered:
            information = self._opened_information(request, information)
        known = not request.context.ciphered or self._protection.ciphered
        asked = initiate.decode_request(information) if known else Initiate()
        self._move(Sent.AARQ, by_us=False)
        self._drop_transfers()
        self._begin(request.context, request.system_title, asked.dedicated_key)
        self.client_sap = delivery.source
        self._requested = replace(request, initiate=asked)
        return self._requested

    def _opened_information(self, request: AssociationRequest, information: bytes) -> bytes:
        # whatever was associated before ends with the attempt, as its keys and titles are replaced
        self._state = State.IDLE
        self._begin(request.context, request.system_title, b"")
        plain, protected = self._protection.unprotect(information)
        if self._protection.ciphered and not protected:
            msg = "A ciphered association was asked for by an unprotected request."
            raise SecurityFailureError(msg, service_error=5)
        return plain

    def _request(self, request: Apdu) -> Event | None:
        match request:
            case GetRequest() | SetRequest() | ActionRequest():
                self._blocks_received = 0
                return self._start(request)
            case AccessRequest():
                self._access = request
                self._need(request)
                return request
            case Block():
                return self._request_block(request)
            case NextBlock():
                self._continue(request)
                return None
            case LastAck():
                msg = "A client sent an answer."
                raise RemoteProtocolError(msg)
            case _:
                return request

    def _start(self, request: GetRequest | SetRequest | ActionRequest) -> Event:
        self._drop_transfers()
        self._invoke, self._listed = request.invoke, request.listed
        self._need(request)
        return request

    def _need(self, request: GetRequest | SetRequest | ActionRequest | AccessRequest) -> None:
        # Green Book 9.4.6: a service that was not negotiated is answered "service not supported"
        if _SERVICE_BITS[type(request)] not in self._agreed.conformance:
            msg = f"{type(request).__name__} was not negotiated."
            raise RemoteProtocolError(msg, state_error=2, service_error=2)

    def _request_block(self, block: Block) -> Event | None:
        if block.head is None and self._incoming is None:
            msg = "A block came without a transfer it could belong to."
            raise RemoteProtocolError(msg)
        whole = self._collect(block)
        if whole is None:
            self._put(NextBlock(block.service, block.invoke, block.number))
            return None
        self._blocks_received = block.number
        return self._start(_assembled(whole))

    def _continue(self, request: NextBlock) -> None:
        # the number is that of the last block received; anything else cannot be continued
        if self._outgoing is not None and request.number == self._outgoing.number:
            self._put_next_block()
            return
        lost = self._outgoing is None
        self._drop_transfers()
        if request.service is Service.ACTION:
            msg = f"There is no block behind {request.number} to continue."
            raise RemoteProtocolError(msg)
        failure = DataAccessResult.NO_LONG_GET_IN_PROGRESS if lost else DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        self._put(Block(Service.GET, request.invoke, request.number, last=True, failure=failure))


def _assembled(whole: Incoming) -> SetRequest | ActionRequest:
    head = whole.head or b""
    if whole.service is Service.SET:
        return service_set.from_long_value(head, whole.raw, listed=whole.listed, invoke=whole.invoke)
    return service_action.from_long_value(head, whole.raw, listed=whole.listed, invoke=whole.invoke)
