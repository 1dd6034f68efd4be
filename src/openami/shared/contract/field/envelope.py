"""The envelope of 61968-100 as values: header, request, reply; and the rules that tie a reply to its request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from openami.shared.contract.field.tables import error_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from openami.shared.contract.field.errors import FieldContractError
    from openami.shared.contract.field.queries import GetMeterReadings
    from openami.shared.contract.field.refusal import Refusal

REVISION: Final = "2.0"
MEDIA_TYPE: Final = "application/xml; charset=utf-8"


class Noun(Protocol):
    """Any payload: a value that knows its noun."""

    @property
    def NOUN(self) -> str:  # noqa: N802 - a constant of the class
        """The name of the noun, which is also its root element."""
        ...


class Verb(StrEnum):
    """All verbs of 61968-100."""

    CANCEL = "cancel"
    CANCELED = "canceled"
    CHANGE = "change"
    CHANGED = "changed"
    CLOSE = "close"
    CLOSED = "closed"
    CREATE = "create"
    CREATED = "created"
    DELETE = "delete"
    DELETED = "deleted"
    EXECUTE = "execute"
    EXECUTED = "executed"
    GET = "get"
    REPLY = "reply"

    @property
    def is_event(self) -> bool:
        """True for the past tense: it happened."""
        return self in EVENT_VERBS

    @property
    def is_request(self) -> bool:
        """True for what asks the receiver to do something."""
        return self is not Verb.REPLY and not self.is_event


EVENT_VERBS: Final = frozenset({Verb.CANCELED, Verb.CHANGED, Verb.CLOSED, Verb.CREATED, Verb.DELETED, Verb.EXECUTED})


class Result(StrEnum):
    """OK: done or accepted. PARTIAL: some done, or more replies follow. FAILED: nothing done."""

    OK = "OK"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class Level(StrEnum):
    """How bad an error is."""

    INFORM = "INFORM"
    WARNING = "WARNING"
    FATAL = "FATAL"
    CATASTROPHIC = "CATASTROPHIC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Who says what to whom. `message_id` makes a repeat harmless, `correlation_id` ties a reply to its request."""

    verb: Verb
    noun: str
    timestamp: datetime
    source: str
    message_id: str
    correlation_id: str
    revision: str = REVISION
    context: str | None = None
    async_reply: bool = False
    reply_address: str | None = None
    ack_required: bool | None = None
    user_id: str | None = None
    organization: str | None = None
    comment: str | None = None
    properties: tuple[tuple[str, str], ...] = ()

    def property(self, name: str) -> str | None:
        """The value of a property such as `Priority` or `MessageIndex`, or None."""
        return next((value for key, value in self.properties if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The parameters of a request; for readings, what is asked for."""

    start: datetime | None = None
    end: datetime | None = None
    options: tuple[tuple[str, str], ...] = ()
    ids: tuple[str, ...] = ()
    query: GetMeterReadings | None = None

    def option(self, name: str) -> str | None:
        """The value of an option such as `source` (database, device, auto), or None."""
        return next((value for key, value in self.options if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One Reply/Error. Its presence alone says nothing: `0.0` accompanies OK."""

    code: str
    level: Level | None = None
    reason: str | None = None
    details: str | None = None
    object_name: str | None = None
    """The object that is concerned, by name or mRID."""
    object_type: str | None = None

    @staticmethod
    def of(code: str, reason: str | None = None, *, name: str | None = None, kind: str | None = None) -> FieldError:
        """An error with the level and the words of the code table."""
        row = error_table().get(code)
        level, meaning = (Level(row.level), row.meaning) if row else (Level.FATAL, None)
        return FieldError(code=code, level=level, reason=reason or meaning, object_name=name, object_type=kind)

    @property
    def is_error(self) -> bool:
        """False for the codes of group 0, which only inform."""
        return not self.code.startswith("0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How it went: look at the result first, then at the first digit of each code."""

    result: Result
    errors: tuple[FieldError, ...] = ()
    ids: tuple[str, ...] = ()
    operation_id: int | None = None

    @property
    def is_final(self) -> bool:
        """False while the real answer (0.3) or more of it (0.1 with nothing refused) is still to come."""
        informs = {error.code for error in self.errors if not error.is_error}
        refused = any(error.is_error for error in self.errors)
        return "0.3" not in informs and ("0.1" not in informs or refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message: a header and, by its kind, a request, a reply, a payload."""

    header: Header
    request: Request | None = None
    reply: Reply | None = None
    payload: Noun | None = None
    refusals: tuple[Refusal, ...] = field(default=(), compare=False)
    """Parts that could not be read while the rest could; empty in what we send."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Oddities of the sender that cost nothing; for the log."""


def new_id() -> str:
    """A fresh UUID as both schemas want it."""
    return str(uuid.uuid4())


def request(
    verb: Verb,
    noun: str,
    *,
    source: str,
    at: datetime,
    payload: Noun | None = None,
    parameters: Request | None = None,
    reply_address: str | None = None,
    message_id: str | None = None,
    correlation_id: str | None = None,
    properties: tuple[tuple[str, str], ...] = (),
) -> Envelope:
    """A request; with a reply address the real answer may come later. New ids, the two are never equal."""
    header = Header(
        verb=verb,
        noun=noun,
        timestamp=at,
        source=source,
        message_id=message_id or new_id(),
        correlation_id=correlation_id or new_id(),
        async_reply=reply_address is not None,
        reply_address=reply_address,
        ack_required=True,
        properties=properties,
    )
    return Envelope(header=header, request=parameters, payload=payload)


def event(
    verb: Verb,
    payload: Noun,
    *,
    source: str,
    at: datetime,
    cause: Header | None = None,
    message_id: str | None = None,
    properties: tuple[tuple[str, str], ...] = (),
) -> Envelope:
    """An event. One that a request caused carries its correlation id, a spontaneous one correlates with itself."""
    identifier = message_id or new_id()
    header = Header(
        verb=verb,
        noun=payload.NOUN,
        timestamp=at,
        source=source,
        message_id=identifier,
        correlation_id=cause.correlation_id if cause else identifier,
        ack_required=True,
        properties=properties,
    )
    return Envelope(header=header, payload=payload)


def reply_to(
    request_header: Header,
    *,
    source: str,
    at: datetime,
    result: Result = Result.OK,
    errors: Sequence[FieldError] = (),
    payload: Noun | None = None,
    ids: tuple[str, ...] = (),
    message_id: str | None = None,
) -> Envelope:
    """A reply, at once or later: verb reply, the same noun, a new message id, the same correlation id."""
    stated = tuple(errors)
    if result is Result.OK and not stated:
        stated = (FieldError.of("0.0"),)
    if result is Result.PARTIAL and all(error.is_error for error in stated):
        stated = (FieldError.of("0.1"), *stated)
    header = Header(
        verb=Verb.REPLY,
        noun=request_header.noun,
        timestamp=at,
        source=source,
        message_id=message_id or new_id(),
        correlation_id=request_header.correlation_id,
    )
    return Envelope(header=header, reply=Reply(result=result, errors=stated, ids=ids), payload=payload)


def acknowledge(request_header: Header, *, source: str, at: datetime, message_id: str | None = None) -> Envelope:
    """The acknowledgement of an asynchronous request: accepted (0.3), the real reply comes later."""
    return reply_to(request_header, source=source, at=at, errors=(FieldError.of("0.3"),), message_id=message_id)


def refuse(
    request_header: Header, error: FieldContractError, *, source: str, at: datetime, message_id: str | None = None
) -> Envelope:
    """The FAILED reply to a message whose header could be read."""
    stated = FieldError.of(error.code, str(error))
    return reply_to(request_header, source=source, at=at, result=Result.FAILED, errors=(stated,), message_id=message_id)


def errors_of(refusals: Sequence[Refusal], *, kind: str = "Meter") -> tuple[FieldError, ...]:
    """Each refused part as a Reply/Error, its position in the details."""
    return tuple(
        FieldError(
            code=refusal.code,
            level=Level.FATAL,
            reason=refusal.reason,
            details=refusal.position,
            object_name=refusal.object_name,
            object_type=kind if refusal.object_name else None,
        )
        for refusal in refusals
    )


def path_of(header: Header) -> str:
    """The path that a message is posted to: `/cim/request`, `/cim/get`, `/cim/send` or `/cim/reply`."""
    if header.verb is Verb.GET:
        return "/cim/get"
    if header.verb is Verb.REPLY:
        return "/cim/reply"
    return "/cim/send" if header.verb.is_event else "/cim/request"


def http_status(reply: Envelope) -> int:
    """The HTTP status of a parsed message's answer: 202 for a mere acknowledgement, 200 for all else, FAILED too."""
    stated = reply.reply
    return 202 if stated is not None and any(error.code == "0.3" for error in stated.errors) else 200
