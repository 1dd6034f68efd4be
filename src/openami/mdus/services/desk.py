"""What all matters of the door share: one message or many, a verdict for each, one confirmation for all.

A matter takes a list of items and returns, for each, nothing (done) or the reason why not. A predecessor that is late
parks the whole message until the patience of the middle with its sender is over: then what can be done is done and the
rest is refused, each with its reason.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.codec import operation_of
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage
from openami.shared.errors import OpenAmiError
from openami.shared.seam.enterprise import Together
from openami.shared.seam.model import NotYet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader

    Verdict = OpenAmiError | None
    Take = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[Verdict]]]
    Judged = tuple[HeadedMessage, Sequence[Verdict]]
    Tell = Callable[[AsyncConnection, Sequence[tuple[Any, OpenAmiError]]], Awaitable[None]]
    Send = Callable[[AsyncConnection, Sequence[tuple[HeadedMessage, str]]], Awaitable[None]]

log = structlog.get_logger()

PATIENCE: Final = timedelta(hours=1, minutes=30)
"""How long a message waits for its predecessor, by the sender's stamp; shorter than the inbox keeps it parked."""
SENDER: Final = "MDUS"


class NothingTakenError(OpenAmiError):
    """No item of a notification could be taken; `reasons` has one for each, the first speaks for all."""

    def __init__(self, reasons: Sequence[OpenAmiError]) -> None:
        first = reasons[0]
        super().__init__(first.found, hint=first.hint)
        self.reasons = reasons
        self.number, self.category, self.severity = first.number, first.category, first.severity


class Desk:
    """Takes messages, sends answers."""

    def __init__(self, send: Send, clock: Clock, *, patience: timedelta = PATIENCE) -> None:
        self._send = send
        self._clock = clock
        self._patience = patience
        self.tell: Tell | None = None
        """Tells the back office by other means of items that were refused and that nothing confirms."""

    def header(self, *, reply_to: MessageHeader | None = None) -> MessageHeader:
        """A fresh header of ours."""
        return header(self._clock.now(), reply_to=reply_to, sender=SENDER)

    async def send(self, tx: AsyncConnection, message: HeadedMessage, key: str) -> None:
        """Put a message into the outbox; `key` names the business object for the monitor."""
        await self._send(tx, [(message, key)])

    def handler(self, take: Take) -> Together:
        """A handler for single and bulk messages of one kind, confirmed if the contract confirms it."""

        async def handle(tx: AsyncConnection, messages: Sequence[HeadedMessage]) -> list[Verdict]:
            each = [one.items if isinstance(one, Bulk) else (one,) for one in messages]
            verdicts = iter(await take(tx, [item for items in each for item in items]))
            judged = [(one, list(islice(verdicts, len(items)))) for one, items in zip(messages, each, strict=True)]
            late = [self._late(*one) for one in judged]
            self._refuse_to_split(judged, late)
            reasons = [reason or await self._refused(tx, *one) for one, reason in zip(judged, late, strict=True)]
            answers = [self._confirmation(*one) for one, reason in zip(judged, reasons, strict=True) if reason is None]
            await self._send(tx, [(one, "") for one in answers if one is not None])
            return reasons

        return Together(handle)

    def is_patient_with(self, message: HeadedMessage) -> bool:
        """Whether a predecessor of this message may still come."""
        return self._clock.now() < message.message_header.creation_date_time + self._patience

    def log_of(self, verdict: Verdict) -> Log:
        """The log that tells a verdict."""
        return log_of(verdict)

    def _late(self, message: HeadedMessage, verdicts: Sequence[Verdict]) -> NotYet | None:
        """The predecessor that the whole message waits for."""
        late = next((one for one in verdicts if isinstance(one, NotYet)), None)
        return late if late is not None and self.is_patient_with(message) else None

    async def refused(self, tx: AsyncConnection, message: HeadedMessage, reason: OpenAmiError) -> None:
        """A notification was refused, whole: nothing of the contract confirms it, so an event has to tell."""
        items = message.items if isinstance(message, Bulk) else (message,)
        each = reason.reasons if isinstance(reason, NothingTakenError) else [reason] * len(items)
        await self._tell_refused(tx, message, each)

    async def _tell_refused(self, tx: AsyncConnection, message: HeadedMessage, verdicts: Sequence[Verdict]) -> None:
        items = message.items if isinstance(message, Bulk) else (message,)
        refused = [(item, reason) for item, reason in zip(items, verdicts, strict=True) if reason is not None]
        for _, reason in refused:
            log.warning("notification.refused", operation=operation_of(message).name, reason=str(reason))
        if refused and self.tell is not None:
            await self.tell(tx, refused)

    def _refuse_to_split(self, judged: Sequence[Judged], late: Sequence[NotYet | None]) -> None:
        """A message that has to wait as a whole, but was done in part: what was done must be undone."""
        for (_, verdicts), reason in zip(judged, late, strict=True):
            if reason is not None and None in verdicts:
                raise reason

    async def _refused(
        self, tx: AsyncConnection, message: HeadedMessage, verdicts: Sequence[Verdict]
    ) -> OpenAmiError | None:
        """Of what no confirmation answers, and nothing was done: the inbox shows the notification as refused."""
        if operation_of(message).confirmation is not None:
            return None
        refused = [one for one in verdicts if one is not None]
        if refused and len(refused) == len(verdicts):
            return NothingTakenError(refused)
        await self._tell_refused(tx, message, verdicts)
        return None

    def _confirmation(self, message: HeadedMessage, verdicts: Sequence[Verdict]) -> HeadedMessage | None:
        if operation_of(message).confirmation is None:
            return None
        each = [log_of(one) for one in verdicts]
        log_ = each if isinstance(message, Bulk) else each[0]
        return confirmation_for(message, log_, created=self._clock.now(), sender=SENDER)


def log_of(verdict: Verdict) -> Log:
    """The log that tells a verdict."""
    return logs.success() if verdict is None else logs.failed(verdict)


def not_yet(reason: OpenAmiError) -> NotYet:
    """A missing predecessor: to be waited for, and refused with this reason when it never comes."""
    waiting = NotYet(reason.found, hint=reason.hint)
    waiting.number, waiting.category = reason.number, reason.category
    return waiting
