"""Which row of the state table a message moves: what its type says, but for proofs, blocks and the lost association."""

from __future__ import annotations

import pytest

from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.classify import classify
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.events import (
    ActionOutcome,
    ActionRequest,
    ActionResponse,
    ConfirmedServiceError,
    ExceptionResponse,
    GetRequest,
    GetResponse,
)
from openami.ami.dlms.references import Invoke
from openami.ami.dlms.state import Sent, State


@pytest.mark.parametrize("state_error", [1, 2])
@pytest.mark.parametrize("service_error", [1, 2, 3, 4, 5, 6])
def test_only_one_exception_says_that_the_association_is_lost(state_error: int, service_error: int) -> None:
    sent = classify(ExceptionResponse(state_error, service_error), State.GETTING, from_client=False)
    assert sent is (Sent.LOST if (state_error, service_error) == (1, 1) else Sent.EXCEPTION)


def test_the_older_error_is_an_exception_whatever_its_numbers() -> None:
    assert classify(ConfirmedServiceError(1, 1, 1), State.GETTING, from_client=False) is Sent.EXCEPTION


@pytest.mark.parametrize("state", State)
def test_an_action_is_a_proof_only_while_one_is_due(state: State) -> None:
    request, yes, no = (
        ActionRequest((), ()),
        ActionResponse((ActionOutcome(ActionResult.SUCCESS),)),
        ActionResponse((ActionOutcome(ActionResult.READ_WRITE_DENIED),)),
    )
    proving, proven = state is State.PROVING, state is State.PROVEN
    assert classify(request, state, from_client=True) is (Sent.PROOF if proving else Sent.ACTION)
    assert classify(yes, state, from_client=False) is (Sent.PROOF_ANSWER if proven else Sent.ACTION_RESULT)
    assert classify(no, state, from_client=False) is (Sent.PROOF_REFUSED if proven else Sent.ACTION_RESULT)
    assert classify(ActionResponse(()), State.PROVEN, from_client=False) is Sent.PROOF_REFUSED


def test_a_block_moves_by_its_service_side_and_place() -> None:
    invoke = Invoke()
    assert classify(GetRequest(()), State.READY, from_client=True) is Sent.GET
    assert classify(GetResponse(()), State.GETTING, from_client=False) is Sent.GET_RESULT
    assert classify(NextBlock(Service.GET, invoke, 1), State.GET_PAUSED, from_client=True) is Sent.GET_NEXT
    assert classify(NextBlock(Service.ACTION, invoke, 1), State.ACTION_SENDING, from_client=False) is Sent.ACTION_ACK
    for last, sent in ((False, Sent.GET_BLOCK), (True, Sent.GET_RESULT)):
        assert classify(Block(Service.GET, invoke, 1, b"", last), State.GETTING, from_client=False) is sent
    with pytest.raises(KeyError):
        classify(Block(Service.GET, invoke, 1), State.GETTING, from_client=True)
