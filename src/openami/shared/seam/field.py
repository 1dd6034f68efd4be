"""The field door: IEC 61968-9 over plain HTTP, answered at once, each message once.

The roles of the HTTP profile have a path each (`/cim/request`, `/cim/get`, `/cim/send`, `/cim/reply`). A message is
kept, handled and answered in one transaction; its answer is stored, so that a repeat gets the same bytes again.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import structlog
from starlette.responses import Response
from starlette.routing import Route

from openami.shared.contract import field as contract
from openami.shared.errors import OpenAmiError
from openami.shared.seam.access import Rights, known_partner, partners_of, permit, stranger
from openami.shared.seam.arrivals import Arrival
from openami.shared.seam.model import Envelope, Seam

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.inbox import Inbox
    from openami.shared.seam.outbox import Outbox

    FieldHandler = Callable[[AsyncConnection, contract.Envelope], Awaitable[contract.Envelope]]
    AnswerHandler = Callable[[AsyncConnection, Envelope, contract.Envelope], Awaitable[None]]

log = structlog.get_logger()

CONTENT_TYPE = "application/xml; charset=utf-8"
PATH = "/cim"


class NotTakenError(contract.FieldContractError):
    """The message is of the contract, but this side has no handler for it."""

    code = "2.12"


class NotPermittedError(contract.FieldContractError):
    """The partner is known, but not allowed to send this."""

    code = "3.1"


class FieldDoor:
    """One area's door on the field seam.

    `handlers` take (verb, noun) and return the reply; `on_answer` sees what the partner said to a message of ours.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        outbox: Outbox,
        inbox: Inbox,
        source: str,
        passwords: Mapping[str, str],
        rights: Mapping[str, Rights] | None = None,
    ) -> None:
        """Take the area's stores, the name that we give as Source, and who may send to us.

        `passwords` by user name are for partners that may do everything, `rights` for all others.
        """
        self.source = source
        self.handlers: dict[tuple[contract.Verb, str], FieldHandler] = {}
        self.on_answer: AnswerHandler | None = None
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._inbox = inbox
        self._partners = partners_of(passwords, rights)

    def routes(self) -> list[Route]:
        """The four paths of the HTTP profile."""
        return [
            Route(f"{PATH}/{role}", self._receive, methods=["POST"]) for role in ("request", "get", "send", "reply")
        ]

    async def send(
        self, transaction: AsyncConnection, message: contract.Envelope, *, partner: str, business_key: str = ""
    ) -> None:
        """Put a message into the outbox, in the caller's transaction."""
        header = message.header
        envelope = Envelope(
            id=_uuid(header.message_id),
            seam=Seam.FIELD,
            partner=partner,
            operation=_operation(header),
            path=contract.path_of(header),
            body=contract.encode(message),
            business_key=business_key,
            reference_id=_uuid(header.correlation_id),
        )
        await self._outbox.put(transaction, envelope)

    async def answered(self, transaction: AsyncConnection, sent: Envelope, body: bytes) -> None:
        """Hand a partner's synchronous answer to whoever waits for it; an unreadable one is kept and shown."""
        if self.on_answer is None or not body:
            return
        try:
            answer = contract.decode(body)
        except contract.FieldContractError as error:
            await self._inbox.set_aside(seam=Seam.FIELD, partner=sent.partner, body=body, reason=str(error))
            return
        await self.on_answer(transaction, sent, answer)

    async def _receive(self, request: Request) -> Response:
        partner = known_partner(request, self._partners)
        if partner is None:
            return stranger()
        body = await request.body()
        try:
            message = contract.decode(body)
        except contract.FieldContractError as error:
            await self._inbox.set_aside(seam=Seam.FIELD, partner=partner, body=body, reason=str(error))
            return Response(contract.encode_fault(error), status_code=400, media_type=CONTENT_TYPE)
        operation = _operation(message.header)
        if not self._partners[partner].permits(operation):
            denied = NotPermittedError(
                f"{partner} may not send {operation}.", hint=permit(operation, "field_partners", partner)
            )
            await self._inbox.set_aside(seam=Seam.FIELD, partner=partner, body=body, reason=str(denied))
            return Response(contract.encode(self._failed(message.header, denied)), media_type=CONTENT_TYPE)
        async with self._database.begin() as transaction:
            answer = await self._answer_once(transaction, partner, message, body)
        status = contract.http_status(contract.decode(answer))
        return Response(answer, status_code=status, media_type=CONTENT_TYPE)

    async def _answer_once(
        self, transaction: AsyncConnection, partner: str, message: contract.Envelope, body: bytes
    ) -> bytes:
        header = message.header
        receipt = await self._inbox.keep(
            transaction,
            Arrival(
                seam=Seam.FIELD,
                partner=partner,
                id=_uuid(header.message_id),
                operation=_operation(header),
                body=body,
                reference_id=_uuid(header.correlation_id),
            ),
        )
        if not receipt.new and receipt.answer is not None:
            return receipt.answer
        reply = await self._handle(transaction, message)
        answer = contract.encode(reply)
        await self._inbox.answer(
            transaction, seam=Seam.FIELD, partner=partner, message_id=_uuid(header.message_id), answer=answer
        )
        return answer

    async def _handle(self, transaction: AsyncConnection, message: contract.Envelope) -> contract.Envelope:
        header = message.header
        handler = self.handlers.get((header.verb, header.noun))
        if handler is None:
            return self._failed(header, NotTakenError(f"{self.source} takes no {_operation(header)}."))
        try:
            async with transaction.begin_nested():
                return await handler(transaction, message)
        except OpenAmiError as reason:
            log.warning("field.refused", verb=header.verb.value, noun=header.noun, reason=str(reason))
            return self._failed(header, reason)

    def _failed(self, header: contract.Header, reason: OpenAmiError) -> contract.Envelope:
        code = reason.code if isinstance(reason, contract.FieldContractError) else "5.1"
        error = contract.FieldError.of(code, str(reason))
        now = self._clock.now()
        return contract.reply_to(header, source=self.source, at=now, result=contract.Result.FAILED, errors=(error,))


def _operation(header: contract.Header) -> str:
    """What a message of the field seam is called in rights and lists: its verb and its noun."""
    return f"{header.verb.value} {header.noun}"


def _uuid(identifier: str) -> uuid.UUID:
    """The sender's id as a UUID; ids that are none (partners send them) get one of their own, always the same."""
    try:
        return uuid.UUID(identifier)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, identifier)
