"""The enterprise door: SAP enterprise services over SOAP, one-way, confirmed by later messages.

A message is read, kept and acknowledged (202); then the inbox hands it to its handler, once. What cannot be read at
all is answered by a SOAP fault and set aside. A repeat of a message that was answered makes us send the stored
confirmation again, under its old id.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from starlette.responses import Response
from starlette.routing import Route

from openami.shared.contract.enterprise import codec, confirm, headers, logs
from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.fault import encode_fault
from openami.shared.contract.enterprise.intervals import decode_in_columns
from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, HeadedMessage, Message
from openami.shared.contract.enterprise.model import Response as Answer
from openami.shared.contract.enterprise.wsdl import operation_wsdl, side_wsdl
from openami.shared.contract.scan_records import SCAN_FROM_BYTES
from openami.shared.errors import OpenAmiError
from openami.shared.seam.access import Rights, known_partner, partners_of, permit, stranger
from openami.shared.seam.arrivals import Arrival
from openami.shared.seam.model import Envelope, InboundMessage, Seam
from openami.shared.seam.remembered import Remembered
from openami.shared.seam.store import PROCESSED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import MessageHeader
    from openami.shared.database import Database
    from openami.shared.seam.inbox import Inbox
    from openami.shared.seam.outbox import Outbox

    Handler = Callable[[AsyncConnection, Any], Awaitable[None]]
    Many = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[OpenAmiError | None]]]
    Query = Callable[[AsyncConnection, Any], Awaitable[Answer]]
    Carry = Callable[[Envelope], Awaitable[bytes]]
    Unanswerable = Callable[[AsyncConnection, HeadedMessage, OpenAmiError], Awaitable[None]]

log = structlog.get_logger()
AnswerT = TypeVar("AnswerT", bound=Answer)

CONTENT_TYPE = "text/xml; charset=utf-8"
PATH = "/services"
LARGE_BYTES = SCAN_FROM_BYTES  # the first one loads compiled loops, too
BULK_BYTES_MAX = 16 * 1024 * 1024  # two of them fit into what the outbox has in hand at once


class NotOfferedError(Refusal):
    """The operation is of the contract, but this side has no handler for it."""

    number = "OAMI014"


class NotPermittedError(Refusal):
    """The partner is known, but not allowed to call this operation."""

    number = "OAMI015"
    category = "PRE.AUE"


@dataclass(frozen=True, slots=True)
class Together:
    """A handler that takes many messages of one class at once, and says of each why not, or None.

    It leaves no trace of a message for which it names a reason.
    """

    many: Many

    async def __call__(self, transaction: AsyncConnection, message: Any) -> None:  # noqa: ANN401 - its class varies
        """Handle one message; raises the reason against it."""
        (reason,) = await self.many(transaction, [message])
        if reason is not None:
            raise reason


class EnterpriseDoor:
    """One area's door on the enterprise seam; `handlers` take a message class and return nothing."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        outbox: Outbox,
        inbox: Inbox,
        side: Side,
        partner: str,
        passwords: Mapping[str, str],
        rights: Mapping[str, Rights] | None = None,
        bulk_bytes_max: int = BULK_BYTES_MAX,
    ) -> None:
        """Take the area's stores, which side we are, to whom we send, and who may send to us.

        `passwords` by user name are for partners that may do everything, `rights` for all others. Bulk messages over
        `bulk_bytes_max` leave in parts.
        """
        self.side = side
        self.partner = partner
        self.handlers: dict[type[Any], Handler] = {}
        self.queries: dict[type[Any], Query] = {}
        self.carry: Carry | None = None
        self.unanswerable: Unanswerable | None = None
        """Told of a message that is refused and that the contract confirms by nothing."""
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._inbox = inbox
        self._fresh = Remembered()
        self._partners = partners_of(passwords, rights)
        self._bulk_bytes_max = bulk_bytes_max
        self._system_id = side.value.upper()
        inbox.connect(Seam.ENTERPRISE, self._handle, self._refuse, self._handle_many)

    def routes(self) -> list[Route]:
        """One URL per interface (dispatch is by root element all the same), a WSDL at each and one for the side."""
        return [
            Route(PATH, self._describe_side),
            Route(f"{PATH}/{{interface}}", self._receive, methods=["POST"]),
            Route(f"{PATH}/{{interface}}", self._describe),
        ]

    def header(self, *, reference: HeadedMessage | None = None) -> MessageHeader:
        """A fresh header of ours, that of an answer if a request is given."""
        reply_to = reference.message_header if reference is not None else None
        return headers.header(self._clock.now(), reply_to=reply_to, sender=self._system_id)

    async def send(self, transaction: AsyncConnection, message: HeadedMessage, *, business_key: str = "") -> None:
        """Put a message into the outbox, in the caller's transaction; its own ids name it if no key does."""
        await self.send_many(transaction, [(message, business_key)])

    async def send_many(self, transaction: AsyncConnection, messages: Sequence[tuple[HeadedMessage, str]]) -> None:
        """Put messages into the outbox, each with the name of its business object, in the caller's transaction."""
        await self._outbox.put(
            transaction, *(one for message, key in messages for one in self._envelopes(message, key))
        )

    def _envelopes(self, message: HeadedMessage, business_key: str) -> list[Envelope]:
        """The message; a bulk one that is too large in parts, each under an id of its own.

        Its items have headers of their own and are confirmed under those. A confirmation is never split: a request gets
        exactly one.
        """
        whole = self._envelope(message, business_key)
        fits = len(whole.body) <= self._bulk_bytes_max
        if fits or not isinstance(message, Bulk) or isinstance(message, BulkConfirmation) or len(message.items) < 2:
            return [whole]
        share = len(message.items) * self._bulk_bytes_max // len(whole.body)
        count = min(max(share, 1), len(message.items) - 1)
        parts = [
            replace(
                message,
                message_header=replace(message.message_header, uuid=str(uuid.uuid4())),
                items=message.items[first : first + count],
            )
            for first in range(0, len(message.items), count)
        ]
        return [one for part in parts for one in self._envelopes(part, business_key)]

    def _envelope(self, message: HeadedMessage, business_key: str) -> Envelope:
        operation = codec.codec().operation_of(message)
        header = message.message_header
        return Envelope(
            id=_uuid(header.uuid, header.id),
            seam=Seam.ENTERPRISE,
            partner=self.partner,
            operation=operation.name,
            path=f"{PATH}/{operation.name}",
            body=codec.encode(message),
            business_key=business_key or headers.subject(message),
            reference_id=_uuid(header.reference_uuid, header.reference_id) if _answers(header) else None,
        )

    async def ask(self, query: Message, kind: type[AnswerT]) -> AnswerT:
        """Put a synchronous question to the partner and wait for its answer; nothing is stored.

        Raises:
            NotOfferedError: this door was given no way to its partner.
            Unreachable, Refused: the partner does not answer, or does not take the question.
            Refusal: it answers something else.
        """
        if self.carry is None:
            raise NotOfferedError("This side cannot ask its partner.", hint="Give its door a transport.")
        operation = codec.codec().operation_of(query)
        envelope = Envelope(
            id=uuid.uuid4(),
            seam=Seam.ENTERPRISE,
            partner=self.partner,
            operation=operation.name,
            path=f"{PATH}/{operation.name}",
            body=codec.encode(query),
        )
        answer = codec.decode(await self.carry(envelope))
        if not isinstance(answer, kind):
            found = f"{self.partner} answered a {type(answer).__name__} where a {kind.__name__} was asked for."
            raise NotOfferedError(found, hint="Mend the partner, or the address at which it is asked.")
        return answer

    async def _answer_at_once(self, query: Message) -> Response:
        handler = self.queries.get(type(query))
        if handler is None:
            return _soap_fault(
                NotOfferedError(
                    f"{type(query).__name__} is not offered by this {self.side.value}.", hint="See /services."
                )
            )
        async with self._database.read() as connection:
            answer = await handler(connection, query)
        return Response(codec.encode(answer), media_type=CONTENT_TYPE)

    async def _receive(self, request: Request) -> Response:
        partner = known_partner(request, self._partners)
        if partner is None:
            return stranger()
        body = await request.body()
        try:
            message = await _read(body)
            self._check_permission(partner, message)
            if not isinstance(message, HeadedMessage):
                return await self._answer_at_once(message)
            headers.message_key(message.message_header)
        except Refusal as error:
            await self._inbox.set_aside(seam=Seam.ENTERPRISE, partner=partner, body=body, reason=str(error))
            return await self._say_no(body, error)
        await self._keep(partner, message, body)
        return Response(status_code=202)

    async def _decoded(self, inbound: InboundMessage) -> Message:
        return self._fresh.take(inbound.digest) or await _read(inbound.body)

    def _check_permission(self, partner: str, message: Message) -> None:
        operation = codec.operation_of(message).name
        if not self._partners[partner].permits(operation):
            raise NotPermittedError(f"{partner} may not call {operation}.", hint=permit(operation, "partners", partner))

    async def _say_no(self, body: bytes, error: Refusal) -> Response:
        """A message that was recognised but breaks its schema gets a negative confirmation, other bytes a fault."""
        answer = confirm.refusal_for(body, error, created=self._clock.now(), sender=self._system_id)
        if answer is None:
            return _soap_fault(error)
        async with self._database.begin() as transaction:
            await self.send(transaction, answer)
        return Response(status_code=202)

    async def _keep(self, partner: str, message: HeadedMessage, body: bytes) -> None:
        header = message.message_header
        message_id = _uuid(header.uuid, header.id)
        arrival = Arrival(
            seam=Seam.ENTERPRISE,
            partner=partner,
            id=message_id,
            operation=codec.codec().operation_of(message).name,
            body=body,
            business_key=headers.subject(message),
            reference_id=_uuid(header.reference_uuid, header.reference_id) if _answers(header) else None,
        )
        self._fresh.keep(arrival.digest, message, len(body))
        receipt = await self._inbox.receive(arrival)
        if not receipt.new and receipt.state in {PROCESSED, REFUSED}:
            async with self._database.begin() as transaction:
                await self._outbox.send_again(transaction, message_id, operation_like="%Confirmation%")

    async def _describe_side(self, request: Request) -> Response:
        address = str(request.url.replace(query=""))
        return Response(side_wsdl(self.side, address, overlay=codec.codec().overlay), media_type=CONTENT_TYPE)

    async def _describe(self, request: Request) -> Response:
        try:
            operation = catalogue().of(request.path_params["interface"])
        except Refusal as error:
            return Response(f"{error}\n", status_code=404, media_type="text/plain")
        address = str(request.url.replace(query=""))
        document = operation_wsdl(operation, address, overlay=codec.codec().overlay)
        return Response(document, media_type=CONTENT_TYPE)

    async def _handle(self, transaction: AsyncConnection, inbound: InboundMessage) -> None:
        message = await self._decoded(inbound)
        handler = self.handlers.get(type(message))
        if handler is None:
            raise NotOfferedError(
                f"{inbound.operation} is not offered by this {self.side.value}.", hint="See GET /services."
            )
        await handler(transaction, message)

    async def _handle_many(
        self, transaction: AsyncConnection, inbound: Sequence[InboundMessage]
    ) -> Sequence[OpenAmiError | None]:
        """Messages of one operation: at once where the handler can, else one after the other, each in a savepoint."""
        messages = [await self._decoded(one) for one in inbound]
        handler = self.handlers.get(type(messages[0]))
        if isinstance(handler, Together):
            return await handler.many(transaction, messages)
        reasons: list[OpenAmiError | None] = []
        for one in inbound:
            try:
                async with transaction.begin_nested():
                    await self._handle(transaction, one)
            except OpenAmiError as reason:
                reasons.append(reason)
            else:
                reasons.append(None)
        return reasons

    async def _refuse(self, transaction: AsyncConnection, inbound: InboundMessage, reason: OpenAmiError) -> None:
        """Say no by a negative confirmation where the contract has one; else the area may tell it another way."""
        message = codec.decode(inbound.body)
        if not isinstance(message, HeadedMessage):
            return
        if catalogue().confirmation_of(codec.operation_of(message)) is not None:
            answer = confirm.confirmation_for(
                message, logs.failed(reason), created=self._clock.now(), sender=self._system_id
            )
            await self.send(transaction, answer, business_key=inbound.business_key)
        elif self.unanswerable is not None:
            await self.unanswerable(transaction, message, reason)


async def _read(body: bytes) -> Message:
    """The message in a body; a large one is read beside the loop, so that small ones need not wait for it."""
    if len(body) < LARGE_BYTES:
        return decode_in_columns(body)
    return await asyncio.to_thread(decode_in_columns, body)


def _soap_fault(error: Refusal) -> Response:
    return Response(encode_fault(error), status_code=500, media_type=CONTENT_TYPE)


def _answers(header: MessageHeader) -> bool:
    return bool(header.reference_uuid or header.reference_id)


def _uuid(identifier: str | None, name: str | None) -> uuid.UUID:
    """The message's id as a UUID; SAP's are any 32 hex digits in any case, and some partners send only an ID."""
    try:
        return uuid.UUID(identifier or "")
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, identifier or name or "")
