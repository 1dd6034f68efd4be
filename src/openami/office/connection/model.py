"""The states of a connection document and of a supplied home. All transitions live in this file.

A document is refused here (never sent), or sent; a sent one ends as executed or failed, or is cancelled before the
middle has acted. Whether a home has power is what the last executed document says: our own wish proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class Category(StrEnum):
    """What is ordered (code list of the enterprise services, section 3.12)."""

    DISCONNECT = "1"
    RECONNECT = "2"


class DocumentState(StrEnum):
    """A connection document."""

    SENT = "sent"
    EXECUTED = "executed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class DocumentEvent(StrEnum):
    """What can happen to a document."""

    DONE = "done"
    NOT_DONE = "not done"
    WITHDRAW = "withdraw"
    WITHDRAWN = "withdrawn"
    TOO_LATE = "too late to withdraw"


TRANSITIONS: Final = {
    (DocumentState.SENT, DocumentEvent.DONE): DocumentState.EXECUTED,
    (DocumentState.SENT, DocumentEvent.NOT_DONE): DocumentState.FAILED,
    (DocumentState.SENT, DocumentEvent.WITHDRAW): DocumentState.CANCELLING,
    (DocumentState.CANCELLING, DocumentEvent.DONE): DocumentState.EXECUTED,
    (DocumentState.CANCELLING, DocumentEvent.NOT_DONE): DocumentState.FAILED,
    (DocumentState.CANCELLING, DocumentEvent.WITHDRAWN): DocumentState.CANCELLED,
    (DocumentState.CANCELLING, DocumentEvent.TOO_LATE): DocumentState.SENT,
    # the breaker moved although the withdrawal was confirmed: the proof counts
    (DocumentState.CANCELLED, DocumentEvent.DONE): DocumentState.EXECUTED,
    (DocumentState.CANCELLED, DocumentEvent.NOT_DONE): DocumentState.CANCELLED,
}
OPEN: Final = (DocumentState.SENT, DocumentState.CANCELLING)


class DisconnectionReason(StrEnum):
    """Why; two characters, customizing."""

    NON_PAYMENT = "01"
    CUSTOMER_REQUEST = "02"
    SAFETY = "03"
    MOVED_OUT = "04"


class TransitionError(OpenAmiError):
    """Something happened to a document that cannot happen in its state."""

    number = "OAMI134"
    category = "CON.POC"


class ConnectionConflictError(OpenAmiError):
    """The home is not in a state in which this can be ordered."""

    number = "OAMI135"
    category = "CON.POC"


class ProtectedCustomerError(OpenAmiError):
    """The customer must not be disconnected."""


class RateCapError(OpenAmiError):
    """Too many disconnections in too short a time: somebody has to look before more are sent."""


class NothingOverdueError(OpenAmiError):
    """A disconnection for non-payment without anything overdue."""


@dataclass(frozen=True, slots=True)
class ConnectionDocument:
    """A disconnection or reconnection order and its result."""

    id: str
    contract_id: str
    device_id: str
    feeder: str
    category: Category
    reason: str
    planned_at: datetime
    immediate: bool
    state: DocumentState
    created_at: datetime
    result_code: str = ""
    processed_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """Money that a customer owes."""

    id: int
    contract_id: str
    amount: Decimal
    currency: str
    due: datetime
    origin: str
    settled_at: datetime | None = None


def step(state: DocumentState, event: DocumentEvent) -> DocumentState:
    """The state after an event; a repeated result changes nothing.

    Raises:
        TransitionError: the event cannot happen in this state.
    """
    if (state, event) in TRANSITIONS:
        return TRANSITIONS[state, event]
    repeats = {
        DocumentEvent.DONE: DocumentState.EXECUTED,
        DocumentEvent.NOT_DONE: DocumentState.FAILED,
        DocumentEvent.WITHDRAWN: DocumentState.CANCELLED,
        DocumentEvent.WITHDRAW: DocumentState.CANCELLING,
    }
    if repeats.get(event) is state:
        return state
    if event in (DocumentEvent.WITHDRAWN, DocumentEvent.TOO_LATE) and state not in OPEN:
        return state  # the result came first; it stands
    raise TransitionError(f"A document that is {state} cannot become {event}.", hint="See GET /api/connections.")
