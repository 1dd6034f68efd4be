"""Requests of ours and what became of them: the correlation of UUID and ReferenceUUID, per item in bulk messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Index, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert

from openami.office.tables import instant, metadata, text
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.headers import message_key, reference_key
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.model import HeadedMessage

requests = Table(
    "requests",
    metadata,
    text("uuid", primary_key=True),
    text("operation"),
    text("subject"),
    text("state", server_default="sent"),
    instant("sent_at", nullable=False),
    instant("answered_at"),
    text("note", server_default=""),
)
Index("requests_open", requests.c.state, postgresql_where=requests.c.state == "sent")
Index("requests_subject", requests.c.subject)


class RequestState(StrEnum):
    """What became of a request; one that the contract confirms by nothing is done when it is sent."""

    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    NOTIFIED = "notified"


class UnknownReferenceError(OpenAmiError):
    """A confirmation refers to nothing that we ever sent."""

    number = "OAMI131"
    category = "PRE.IDE"


@dataclass(frozen=True, slots=True)
class Settled:
    """A request that has just been answered; `first` is false if it had been before."""

    operation: str
    subject: str
    ok: bool
    note: str
    first: bool


async def remember(
    office: Office,
    transaction: AsyncConnection,
    messages: Iterable[tuple[HeadedMessage, str]],
    *,
    confirmed_later: bool = True,
) -> None:
    """Note messages (the items of a bulk) that we send, with the subject that each is about."""
    rows = [
        {
            "uuid": message_key(message.message_header),
            "operation": type(message).__name__,
            "subject": subject,
            "state": RequestState.SENT if confirmed_later else RequestState.NOTIFIED,
            "sent_at": office.clock.now(),
        }
        for message, subject in messages
    ]
    if rows:
        await transaction.execute(insert(requests), rows)


async def settle(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> Settled:
    """Match a confirmation with its request; a repeat changes nothing.

    Raises:
        UnknownReferenceError: we never sent what it refers to.
    """
    reference = reference_key(header) or ""
    row = (
        await transaction.execute(select(requests).where(requests.c.uuid == reference).with_for_update())
    ).one_or_none()
    if row is None:
        raise UnknownReferenceError(
            f"The confirmation refers to {reference or 'nothing'}, which this office has not sent.",
            hint="Repeat the UUID of the request (of its item, in a bulk) as ReferenceUUID.",
        )
    ok, note = logs.is_success(log), logs.notes(log)
    first = row.state == RequestState.SENT
    if first:
        await transaction.execute(
            update(requests)
            .where(requests.c.uuid == reference)
            .values(
                state=RequestState.CONFIRMED if ok else RequestState.REFUSED,
                answered_at=office.clock.now(),
                note=note,
            )
        )
    return Settled(row.operation, row.subject, ok, note, first)


async def open_requests(transaction: AsyncConnection) -> int:
    """How many of our requests have no confirmation yet."""
    query = select(func.count()).select_from(requests).where(requests.c.state == RequestState.SENT)
    return int((await transaction.execute(query)).scalar_one())


async def requests_of(transaction: AsyncConnection, subjects: Sequence[str]) -> list[dict[str, object]]:
    """The requests about some subjects, oldest first."""
    query = select(requests).where(requests.c.subject.in_(subjects)).order_by(requests.c.sent_at, requests.c.operation)
    return [dict(row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name
