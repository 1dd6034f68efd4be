"""Safety before a disconnection: named rules that stand between a wish and a dark home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from openami.office.connection.model import (
    OPEN,
    Category,
    ConnectionConflictError,
    ConnectionDocument,
    DisconnectionReason,
    DocumentState,
    NothingOverdueError,
    ProtectedCustomerError,
    RateCapError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from openami.office.supply.model import Customer


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """How many disconnections may leave within the window, in all and on one feeder."""

    window: timedelta = timedelta(hours=1)
    per_window_max: int = 10
    per_feeder_max: int = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """A disconnection that somebody wants, with all that the rules look at."""

    customer: Customer
    reason: str
    feeder: str
    now: datetime
    connected: bool
    overdue: Decimal
    recent: Sequence[ConnectionDocument]
    """All disconnections of the window, of any home."""
    own: Sequence[ConnectionDocument]
    """All documents of this home, newest last."""


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """One rule; its check raises the reason for which the disconnection is refused."""

    id: str
    sentence: str
    check: Callable[[Wish, SafetyLimits], None]


def permit(wish: Wish, limits: SafetyLimits) -> None:
    """Return if all rules allow the disconnection; else raise the first reason against it."""
    for rule in RULES:
        rule.check(wish, limits)


def last_executed(documents: Sequence[ConnectionDocument]) -> ConnectionDocument | None:
    """The document that moved the breaker last, in the order in which it moved."""
    executed = [document for document in documents if document.state is DocumentState.EXECUTED]
    return max(executed, key=lambda each: (each.processed_at or each.created_at, each.id), default=None)


def is_connected(documents: Sequence[ConnectionDocument]) -> bool:
    """Whether a home has power: what the last executed document says; with none, it has."""
    last = last_executed(documents)
    return last is None or last.category is Category.RECONNECT


def _protected(wish: Wish, _limits: SafetyLimits) -> None:
    if wish.customer.protection and wish.reason != DisconnectionReason.SAFETY:
        raise ProtectedCustomerError(
            f"Customer {wish.customer.id} is protected: {wish.customer.protection}.",
            hint="Do not disconnect. Agree on payment, or lift the protection first, with a reason.",
        )


def _state(wish: Wish, _limits: SafetyLimits) -> None:
    pending = [document for document in wish.own if document.state in OPEN]
    if pending:
        raise ConnectionConflictError(
            f"Order {pending[-1].id} of this home is still {pending[-1].state}.", hint="Wait for its result."
        )
    if not wish.connected:
        raise ConnectionConflictError("The home is disconnected already.", hint="See GET /api/connections.")


def _overdue(wish: Wish, _limits: SafetyLimits) -> None:
    if wish.reason == DisconnectionReason.NON_PAYMENT and wish.overdue <= 0:
        raise NothingOverdueError(
            "Nothing is overdue.", hint="Give amount_due for a debt carried over from elsewhere, or another reason."
        )


def _rate(wish: Wish, limits: SafetyLimits) -> None:
    feeder = [document for document in wish.recent if document.feeder == wish.feeder]
    for what, count, cap in (
        ("", len(wish.recent), limits.per_window_max),
        (f" on feeder {wish.feeder}", len(feeder), limits.per_feeder_max),
    ):
        if count >= cap:
            raise RateCapError(
                f"{count} disconnections{what} were ordered within {limits.window}; the cap is {cap}.",
                hint="Wait, or raise the cap with a second person's consent.",
            )


RULES: Final = (
    SafetyRule("C01", "A protected customer is not disconnected, except for safety.", _protected),
    SafetyRule("C02", "Only a connected home without an open order is disconnected.", _state),
    SafetyRule("C03", "Non-payment needs something overdue.", _overdue),
    SafetyRule("C04", "Not more homes than the caps allow are disconnected in a while.", _rate),
)
