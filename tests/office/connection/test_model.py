from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from openami.office.connection.model import (
    OPEN,
    TRANSITIONS,
    Category,
    ConnectionDocument,
    DocumentEvent,
    DocumentState,
    TransitionError,
    step,
)
from openami.office.connection.rules import RULES, SafetyLimits, Wish, is_connected, permit
from openami.office.supply.model import Customer

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


def _document(
    category: Category, state: DocumentState, *, number: int = 1, processed: datetime | None = NOON
) -> ConnectionDocument:
    return ConnectionDocument(
        id=f"{number:012}",
        contract_id="C",
        device_id="D",
        feeder="T1",
        category=category,
        reason="01",
        planned_at=NOON,
        immediate=True,
        state=state,
        created_at=NOON,
        processed_at=processed,
    )


@pytest.mark.parametrize(("state", "event"), list(product(DocumentState, DocumentEvent)))
def test_every_pair_of_state_and_event_has_an_answer(state: DocumentState, event: DocumentEvent) -> None:
    try:
        after = step(state, event)
    except TransitionError:
        assert (state, event) not in TRANSITIONS
        return
    assert after in DocumentState
    if state is DocumentState.EXECUTED:
        assert after is DocumentState.EXECUTED, "what has been proven stays so"


@pytest.mark.parametrize("event", [DocumentEvent.DONE, DocumentEvent.NOT_DONE, DocumentEvent.WITHDRAWN])
def test_an_event_that_is_repeated_changes_nothing(event: DocumentEvent) -> None:
    state = DocumentState.CANCELLING if event is DocumentEvent.WITHDRAWN else DocumentState.SENT
    once = step(state, event)
    assert step(once, event) is once


def test_a_result_wins_over_a_withdrawal_in_either_order() -> None:
    result_first = step(step(DocumentState.CANCELLING, DocumentEvent.DONE), DocumentEvent.WITHDRAWN)
    withdrawal_first = step(step(DocumentState.CANCELLING, DocumentEvent.WITHDRAWN), DocumentEvent.DONE)
    assert result_first is withdrawal_first is DocumentState.EXECUTED


def test_a_home_has_power_until_a_disconnection_was_executed() -> None:
    assert is_connected([])
    assert is_connected([_document(Category.DISCONNECT, state) for state in OPEN])
    off = _document(Category.DISCONNECT, DocumentState.EXECUTED)
    on = _document(Category.RECONNECT, DocumentState.EXECUTED, number=2, processed=NOON + timedelta(hours=1))
    assert not is_connected([off])
    assert is_connected([on, off])
    assert not is_connected([off, _document(Category.RECONNECT, DocumentState.FAILED, number=3)])


def test_safety_rules_have_ids_and_sentences_and_permit_the_ordinary() -> None:
    assert [rule.id for rule in RULES] == ["C01", "C02", "C03", "C04"]
    assert all(rule.sentence.endswith(".") for rule in RULES)
    wish = Wish(
        customer=Customer("K", "N", "A"),
        reason="01",
        feeder="T1",
        now=NOON,
        connected=True,
        overdue=Decimal(1),
        recent=[],
        own=[_document(Category.DISCONNECT, DocumentState.FAILED)],
    )
    permit(wish, SafetyLimits())
