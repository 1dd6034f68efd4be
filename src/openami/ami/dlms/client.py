"""The client end of an association: a head-end, a hand-held unit, a gateway asking a meter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openami.ami.dlms import acse, initiate, service_action, service_get, service_set, state
from openami.ami.dlms.blocks import Block, NextBlock, Outgoing, Service
from openami.ami.dlms.connection import Connection
from openami.ami.dlms.enums import OUR_CONFORMANCE, AcseDiagnostic, Conformance, Context, Mechanism
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, SecurityFailureError
from openami.ami.dlms.events import (
    DEFAULT_INVOKE,
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    AssociationRequest,
    AssociationResponse,
    AuthenticationFailed,
    DataNotificationConfirm,
    Event,
    GetRequest,
    GetResponse,
    Initiate,
    ReleaseRequest,
    SetRequest,
)
from openami.ami.dlms.proofs import check_answer, proof_request
from openami.ami.dlms.references import Invoke
from openami.ami.dlms.service_set import LastAck
from openami.ami.dlms.state import Sent, State

if TYPE_CHECKING:
    from openami.ami.dlms.apdu import Apdu
    from openami.ami.dlms.framing import Delivery, Framing
    from openami.ami.dlms.protection import Protection
    from openami.ami.dlms.security.hls import Prover

ClientEvent = (
    AssociationRequest
    | ReleaseRequest
    | GetRequest
    | SetRequest
    | ActionRequest
    | AccessRequest
    | DataNotificationConfirm
)
_ACCESS_NUMBERS = 0xFF_FFFF

# One day of quarter hours with four columns is about 4 kB and so needs no blocks; modems still buffer it.
DEFAULT_MAX_PDU_OCTETS = 8192


class ClientConnection(Connection):
    """The client end: requests go into `send`, answers come out of `next_event`.

    `password` makes `associate` ask for low level security, a `prover` for high level security; with a ciphering
    `protection` the association is a ciphered one. `echoes_invoke=False` is for meters that do not copy the
    invoke-id: their answers are taken in order.
    """

    is_client = True

    def __init__(
        self,
        framing: Framing,
        *,
        password: bytes = b"",
        conformance: Conformance = OUR_CONFORMANCE,
        max_pdu_octets: int = DEFAULT_MAX_PDU_OCTETS,
        protection: Protection | None = None,
        prover: Prover | None = None,
        echoes_invoke: bool = True,
    ) -> None:
        super().__init__(framing, Initiate(conformance, max_pdu_octets), protection, prover)
        self._password = password
        self._echoes_invoke = echoes_invoke
        self._listed = False
        self._access_number = 0
        self._opening = AssociationResponse()
        self.late_answers = 0

    def associate(self) -> AssociationRequest:
        """The request that opens an association with this connection's secrets."""
        protection, prover = self._own_protection, self._prover
        mechanism = prover.mechanism if prover else Mechanism.LOW if self._password else Mechanism.NONE
        return AssociationRequest(
            context=Context.LOGICAL_NAMES_CIPHERED if protection.ciphered else Context.LOGICAL_NAMES,
            mechanism=mechanism,
            authentication=prover.begin() if prover else self._password,
            system_title=protection.title or (prover.title if prover else b""),
            initiate=_with_key(self._offer, protection.dedicated_key),
        )

    def send(self, event: ClientEvent) -> bytes:
        """Send a request; the octets for the wire. Raises LocalProtocolError when it is not its time."""
        match event:
            case AssociationRequest():
                self._associate(event)
            case ReleaseRequest():
                self._move(Sent.RLRQ, by_us=True)
                self._release(event)
            case GetRequest():
                self._listed = event.listed or len(event.attributes) > 1
                self._put(GetRequest(event.attributes, self._listed, self._next_invoke(event.invoke)))
            case SetRequest():
                set_request = replace(event, listed=event.listed or len(event.attributes) > 1)
                self._ask(replace(set_request, invoke=self._next_invoke(event.invoke)))
            case ActionRequest():
                action_request = replace(event, listed=event.listed or len(event.methods) > 1)
                self._ask(replace(action_request, invoke=self._next_invoke(event.invoke)))
            case AccessRequest():
                self._access_number = self._access_number + 1 & _ACCESS_NUMBERS
                self._drop_transfers()
                self._put(replace(event, number=self._access_number))
            case DataNotificationConfirm():
                self._put(event)
        if isinstance(event, AccessRequest):
            unanswered = not event.confirmed
        else:
            unanswered = isinstance(event, GetRequest | SetRequest | ActionRequest) and not event.invoke.confirmed
        if unanswered:
            # nobody will answer
            self.give_up()
        return self.data_to_send()

    def give_up(self) -> None:
        """Stop waiting for an answer (the caller's clock ran out); a late one will be dropped and counted."""
        self._state = state.given_up(self._state)
        self._drop_transfers()

    def _associate(self, request: AssociationRequest) -> None:
        self._move(Sent.AARQ, by_us=True)
        self._drop_transfers()
        self._offer = request.initiate
        self._begin(request.context, b"", request.initiate.dedicated_key)
        information = self._protection.protect_initiate(initiate.encode_request(request.initiate))
        self._framing.send(acse.encode_aarq(request, information))

    def _release(self, request: ReleaseRequest) -> None:
        # a ciphered association repeats its initiate request, sealed, so that nobody else can end it
        ciphered = self._protection.ciphered
        offer = initiate.encode_request(_with_key(self._offer, b""))
        information = self._protection.protect_initiate(offer) if ciphered else b""
        self._framing.send(acse.encode_release(request, information))

    def _next_invoke(self, wanted: Invoke) -> Invoke:
        # a new number for each request, so that a late answer to the one before is told apart
        self._invoke = Invoke(self._invoke.number % 15 + 1, wanted.confirmed, wanted.high_priority)
        return self._invoke

    def _ask(self, request: SetRequest | ActionRequest) -> None:
        codec = service_set if isinstance(request, SetRequest) else service_action
        encoded = codec.encode_request(request)
        if self._fits(encoded):
            self._put(request, encoded)
            return
        is_set = isinstance(request, SetRequest)
        self._outgoing = Outgoing(
            Service.SET if is_set else Service.ACTION,
            request.invoke,
            codec.long_value(request),
            self._block_octets,
            codec.head_of(request),
            listed=request.listed,
        )
        self._put_next_block()

    def _take(self, delivery: Delivery) -> Event | None:
        tag = delivery.apdu[:1]
        if tag in (bytes((acse.AARE,)), bytes((acse.RLRE,))):
            return self._take_acse(delivery.apdu)
        apdu = self._join(delivery.apdu)
        if apdu is None:
            return None
        answer, sent = self._open(apdu)
        if sent not in state.FROM_CLIENT and self._is_late(answer):
            self.late_answers += 1
            return None
        self._move(sent, by_us=False)
        return self._answer(answer, sent)

    def _take_acse(self, octets: bytes) -> Event | None:
        if octets[0] == acse.RLRE:
            self._move(Sent.RLRE, by_us=False)
            return acse.decode_release(octets)[0]
        response, information = acse.decode_aare(octets)
        # Landis+Gyr leaves the user-information out of refusals: the result counts before anything inside it
        if not response.accepted:
            self._move(Sent.AARE_REFUSED, by_us=False)
            return response
        high = self._prover is not None and response.diagnostic is AcseDiagnostic.AUTHENTICATION_REQUIRED
        self._move(Sent.AARE_HIGH if high else Sent.AARE_OPEN, by_us=False)
        try:
            return self._opened(response, information)
        except (RemoteProtocolError, LocalProtocolError):
            self._state = State.IDLE
            raise

    def _opened(self, response: AssociationResponse, information: bytes) -> Event | None:
        self._protection.meet(response.system_title, self._offer.dedicated_key)
        agreed = initiate.decode_response(self._unsealed(information))
        self._opening = replace(response, initiate=agreed)
        common = agreed.conformance & self._offer.conformance
        self._agree(agreed if common == agreed.conformance else replace(agreed, conformance=common))
        if self._prover is None or self._state is not State.PROVING:
            return self._opening
        self._prover.meet(response.authentication, response.system_title)
        self._put(proof_request(self._prover.proof(), self._next_invoke(DEFAULT_INVOKE)))
        return None

    def _unsealed(self, information: bytes) -> bytes:
        plain, protected = self._protection.unprotect(information)
        if self._protection.ciphered and not protected:
            msg = "The answer to a ciphered association request came unprotected."
            raise SecurityFailureError(msg)
        return plain

    def _proven(self, answer: ActionResponse) -> Event:
        """Pass 4: the server has accepted our proof; does its own hold?"""
        try:
            check_answer(self._prover, answer)
        except SecurityFailureError as error:
            self._state = State.IDLE
            return AuthenticationFailed(error.found)
        return self._opening

    def _is_late(self, answer: Apdu) -> bool:
        if isinstance(answer, AccessResponse):
            numbered = self._echoes_invoke and answer.number != self._access_number
            return self._state is not State.ACCESSING or numbered
        invoke = getattr(answer, "invoke", None)
        if isinstance(answer, LastAck):
            invoke = answer.response.invoke
        if not isinstance(invoke, Invoke):
            return False
        return self._state not in state.AWAITING_SERVER or (
            self._echoes_invoke and invoke.number != self._invoke.number
        )

    def _answer(self, answer: Apdu, sent: Sent) -> Event | None:
        match answer:
            case ActionResponse() if sent is Sent.PROOF_REFUSED:
                return AuthenticationFailed("The server did not accept our proof.")
            case ActionResponse() if sent is Sent.PROOF_ANSWER:
                return self._proven(answer)
            case Block():
                return self._answer_block(answer)
            case NextBlock():
                if self._outgoing is None or answer.number != self._outgoing.number:
                    msg = f"The server acknowledged block {answer.number}, which is not the last one sent."
                    raise RemoteProtocolError(msg)
                self._put_next_block()
                return None
            case LastAck():
                return answer.response
            case GetRequest() | SetRequest() | ActionRequest() | AccessRequest():
                msg = "A server sent a request."
                raise RemoteProtocolError(msg)
            case _:
                self._drop_transfers()
                return answer

    def _answer_block(self, block: Block) -> Event | None:
        if block.failure is not None:
            self._drop_transfers()
            return GetResponse((block.failure,), invoke=block.invoke)
        whole = self._collect(block)
        if whole is None:
            self._put(NextBlock(block.service, self._invoke, block.number))
            return None
        if block.service is Service.GET:
            return service_get.from_long_value(whole.raw, listed=self._listed, invoke=block.invoke)
        return service_action.from_long_answer(whole.raw, listed=False, invoke=block.invoke)


def _with_key(offer: Initiate, dedicated_key: bytes) -> Initiate:
    return offer if offer.dedicated_key == dedicated_key else replace(offer, dedicated_key=dedicated_key)
