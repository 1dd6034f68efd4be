"""What all matters of the door share: one message or many, a verdict for each, one confirmation for all.

A matter takes a list of items and returns, for each, nothing (done) or the reason why not. A predecessor that is late
parks the whole message until the patience of the middle with its sender is over: then what can be done is done and the
rest is refused, each with its reason.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.codec import operation_of
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage
from openami.shared.errors import OpenAmiError
from openami.shared.seam.model import NotYet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log, LogItem, MessageHeader

    Verdict = OpenAmiError | None
    Take = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[Verdict]]]
    Send = Callable[[AsyncConnection, HeadedMessage, str], Awaitable[None]]

log = structlog.get_logger()

PATIENCE: Final = timedelta(hours=1, minutes=30)
"""How long a message waits for its predecessor, by the sender's stamp; shorter than the inbox keeps it parked."""
SENDER: Final = "MDUS"


class Desk:
    """Takes messages, sends answers."""

    def __init__(self, send: Send, clock: Clock, *, patience: timedelta = PATIENCE) -> None:
        self._send = send
        self._clock = clock
        self._patience = patience

    def header(self, *, reply_to: MessageHeader | None = None) -> MessageHeader:
        """A fresh header of ours."""
        return header(self._clock.now(), reply_to=reply_to, sender=SENDER)

    async def send(self, tx: AsyncConnection, message: HeadedMessage, key: str) -> None:
        """Put a message into the outbox; `key` names the business object for the monitor."""
        await self._send(tx, message, key)

    def handler(self, take: Take) -> Callable[[AsyncConnection, HeadedMessage], Awaitable[None]]:
        """A handler for single and bulk messages of one kind, confirmed if the contract confirms it."""

        async def handle(tx: AsyncConnection, message: HeadedMessage) -> None:
            items = message.items if isinstance(message, Bulk) else (message,)
            verdicts = await take(tx, items)
            self._wait_for_predecessors(message, verdicts)
            await self._confirm(tx, message, verdicts)

        return handle

    def is_patient_with(self, message: HeadedMessage) -> bool:
        """Whether a predecessor of this message may still come."""
        return self._clock.now() < message.message_header.creation_date_time + self._patience

    def log_of(self, verdict: Verdict) -> Log:
        """The log that tells a verdict."""
        return log_of(verdict)

    def _wait_for_predecessors(self, message: HeadedMessage, verdicts: Sequence[Verdict]) -> None:
        late = next((one for one in verdicts if isinstance(one, NotYet)), None)
        if late is not None and self.is_patient_with(message):
            raise late

    async def _confirm(self, tx: AsyncConnection, message: HeadedMessage, verdicts: Sequence[Verdict]) -> None:
        if operation_of(message).confirmation is None:
            refused = [one for one in verdicts if one is not None]
            if refused and len(refused) == len(verdicts):
                raise refused[0]  # nothing was done: the inbox shows the notification as refused
            for reason in refused:
                log.warning("notification.item_refused", operation=operation_of(message).name, reason=str(reason))
            return
        each = [log_of(one) for one in verdicts]
        answer = confirmation_for(
            message, each if isinstance(message, Bulk) else each[0], created=self._clock.now(), sender=SENDER
        )
        await self.send(tx, answer, "")


def log_of(verdict: Verdict) -> Log:
    """The log that tells a verdict."""
    return logs.success() if verdict is None else logs.failed(item_of(verdict))


def item_of(reason: OpenAmiError) -> LogItem:
    """A reason as a line of a log, with the number and category of its class."""
    cause = reason.__cause__ if isinstance(reason, NotYet) and isinstance(reason.__cause__, OpenAmiError) else reason
    if isinstance(cause, Refusal):
        return logs.reason_item(cause)
    return logs.item(
        str(cause),
        severity=logs.Severity.ERROR,
        type_id=getattr(cause, "number", "1000"),
        category=getattr(cause, "category", "PRE"),
    )


def not_yet(reason: OpenAmiError) -> NotYet:
    """A missing predecessor: to be waited for, and refused with this reason when it never comes."""
    waiting = NotYet(reason.found, hint=reason.hint)
    waiting.__cause__ = reason
    return waiting
