"""Passes 3 and 4 of high level security as the ACTION messages that carry them (class 15, method 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.data import octet_string
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import RemoteProtocolError, SecurityFailureError, TypeMismatchError
from openami.ami.dlms.events import ActionOutcome, ActionRequest, ActionResponse
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import Invoke, MethodRef

if TYPE_CHECKING:
    from openami.ami.dlms.security.hls import Prover

CURRENT_ASSOCIATION = Obis.of("0-0:40.0.0.255")
REPLY_TO_HLS_AUTHENTICATION = MethodRef(15, CURRENT_ASSOCIATION, 1)


def proof_request(proof: bytes, invoke: Invoke) -> ActionRequest:
    """Pass 3: the client's answer to the server's challenge."""
    return ActionRequest((REPLY_TO_HLS_AUTHENTICATION,), (Encoded(encode(octet_string(proof))),), invoke=invoke)


def check_answer(prover: Prover | None, answer: ActionResponse) -> None:
    """Pass 4 as the client sees it. Raises SecurityFailureError when the server is not proven."""
    returned = answer.outcomes[0].returned
    if prover is None or not isinstance(returned, Encoded):
        msg = "The server accepted our proof and returned none of its own."
        raise SecurityFailureError(msg)
    _check(prover, returned)


def answer_proof(prover: Prover | None, request: ActionRequest) -> ActionResponse:
    """Pass 4 as the server makes it: its own proof, or a refusal."""
    try:
        parameter = request.parameters[0]
        if prover is None or parameter is None or request.methods != (REPLY_TO_HLS_AUTHENTICATION,):
            return ActionResponse((ActionOutcome(ActionResult.READ_WRITE_DENIED),))
        _check(prover, parameter)
    except SecurityFailureError:
        return ActionResponse((ActionOutcome(ActionResult.READ_WRITE_DENIED),))
    own = Encoded(encode(octet_string(prover.proof())))
    return ActionResponse((ActionOutcome(ActionResult.SUCCESS, own),))


def _check(prover: Prover, value: Encoded) -> None:
    try:
        octets = value.data().octets()
    except (TypeMismatchError, RemoteProtocolError) as error:
        msg = "A proof is an octet-string."
        raise SecurityFailureError(msg) from error
    prover.check(octets)
