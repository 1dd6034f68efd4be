"""Header, Request and Reply from and to XML, tolerant of what partners really send (spec 1, 2, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.shared.contract.field import lexical
from openami.shared.contract.field.envelope import FieldError, Header, Level, Reply, Request, Result, Verb
from openami.shared.contract.field.errors import (
    BadValueError,
    FieldContractError,
    MissingInHeaderError,
    MissingInPayloadError,
    MissingInRequestError,
    UnknownNounError,
    UnknownVerbError,
)
from openami.shared.contract.field.markup import child, local_name, text_of
from openami.shared.contract.field.nouns import known_noun, noun_namespace
from openami.shared.contract.field.queries import GetMeterReadings
from openami.shared.contract.field.tree import format_scalar, read_tree, write_tree

if TYPE_CHECKING:
    from datetime import datetime

    from lxml import etree

    from openami.shared.contract.field.markup import XmlWriter
    from openami.shared.contract.field.refusal import Reader

MESSAGE_NAMESPACE: Final = "http://iec.ch/TC57/2011/schema/message"


def read_header(element: etree._Element, stated: tuple[Verb, str] | None, fallback_id: str, reader: Reader) -> Header:
    """Read a header. The root element, if it names verb and noun, is trusted over what stands inside.

    Raises:
        MissingInHeaderError: no verb or no noun anywhere.
        UnknownVerbError: not a verb of 61968-100.
        UnknownNounError: not a noun of ours.
    """
    texts = {local_name(each): text_of(each) for each in element}
    verb = _verb(texts.get("Verb", ""), stated, reader)
    message_id = texts.get("MessageID") or fallback_id
    user = child(element, "User")
    return Header(
        verb=verb,
        noun=_noun(texts.get("Noun", ""), verb, stated, reader),
        timestamp=_timestamp(texts.get("Timestamp", ""), reader),
        source=texts.get("Source", ""),
        message_id=message_id,
        correlation_id=texts.get("CorrelationID") or message_id,
        revision=texts.get("Revision", ""),
        context=texts.get("Context"),
        async_reply=lexical.parse_boolean(texts.get("AsyncReplyFlag") or "false"),
        reply_address=texts.get("ReplyAddress") or None,
        ack_required=lexical.parse_boolean(texts["AckRequired"]) if texts.get("AckRequired") else None,
        user_id=None if user is None else _text(user, "UserID"),
        organization=None if user is None else _text(user, "Organization"),
        comment=texts.get("Comment"),
        properties=_pairs(element, "Property", "Name", "Value"),
    )


def _verb(text: str, stated: tuple[Verb, str] | None, reader: Reader) -> Verb:
    if stated is not None:
        if text != stated[0]:
            reader.notes.append(f"header verb {text!r} differs from the root element: {stated[0].value}")
        return stated[0]
    if not text:
        raise MissingInHeaderError("The header has no Verb.")
    try:
        return Verb(text.lower())
    except ValueError:
        raise UnknownVerbError(f"{text[:40]!r} is not a verb of 61968-100.") from None


def _noun(text: str, verb: Verb, stated: tuple[Verb, str] | None, reader: Reader) -> str:
    if stated is not None:
        noun = stated[1]
    elif not text:
        raise MissingInHeaderError("The header has no Noun.")
    else:
        try:
            noun = known_noun(text)
        except UnknownNounError:
            if verb is not Verb.REPLY:
                raise
            noun = text  # a peer answers in its own words; the correlation id says to what
    # A query is told by its verb: `get` + `GetMeterReadings` is the noun MeterReadings.
    noun = "MeterReadings" if noun == GetMeterReadings.NOUN else noun
    if text != noun:
        reader.notes.append(f"header noun {text!r} was read as {noun}")
    return noun


def _timestamp(text: str, reader: Reader) -> datetime:
    """The message's own time stamp; nothing is decided by it, so an illegal one costs only a note."""
    try:
        return lexical.parse_instant(text, reader.partner.zone_name)
    except FieldContractError as error:
        reader.notes.append(f"header Timestamp: {error.found}")
        return lexical.from_seconds(0)


def _text(element: etree._Element, *path: str) -> str | None:
    found = child(element, *path)
    return None if found is None else text_of(found)


def _pairs(element: etree._Element, tag: str, key: str, value: str) -> tuple[tuple[str, str], ...]:
    """Name and value of each; some write the name as plain text (`<Option>ReceiveAsyncEvent</Option>`)."""
    found = (each for each in element if local_name(each) == tag)
    return tuple((_text(each, key) or text_of(each), _text(each, value) or "") for each in found)


def read_request(element: etree._Element, reader: Reader, *, strict: bool) -> Request:
    """Read a request; a time that cannot be read costs a note, or the message if it is a query (`strict`)."""
    query = child(element, GetMeterReadings.NOUN)
    return Request(
        start=_request_time(element, "StartTime", reader, strict=strict),
        end=_request_time(element, "EndTime", reader, strict=strict),
        options=_pairs(element, "Option", "name", "value"),
        ids=tuple(text_of(each) for each in element if local_name(each) == "ID"),
        query=None if query is None else read_tree(GetMeterReadings, query, reader),
    )


def _request_time(element: etree._Element, tag: str, reader: Reader, *, strict: bool) -> datetime | None:
    text = _text(element, tag)
    if not text:
        return None
    try:
        return lexical.parse_instant(text, reader.partner.zone_name)
    except FieldContractError as error:
        if strict:
            raise MissingInRequestError(f"{tag}: {error.found}", hint=error.hint) from error
        reader.notes.append(f"Request/{tag}: {error.found}")
        return None


def read_reply(element: etree._Element) -> Reply:
    """Read a reply.

    Raises:
        MissingInPayloadError: no Result.
        BadValueError: a Result that is not one of the three.
    """
    result = _text(element, "Result")
    if not result:
        raise MissingInPayloadError("The reply has no Result.")
    try:
        parsed = Result(result.upper())
    except ValueError:
        raise BadValueError(f"{result[:40]!r} is not a Result.", hint="OK, PARTIAL or FAILED.") from None
    operation = _text(element, "operationId")
    return Reply(
        result=parsed,
        errors=tuple(_read_error(each) for each in element if local_name(each) == "Error"),
        ids=tuple(text_of(each) for each in element if local_name(each) == "ID"),
        operation_id=lexical.parse_integer(operation) if operation else None,
    )


def _read_error(element: etree._Element) -> FieldError:
    level = (_text(element, "level") or "").upper()
    identifier, legacy = child(element, "ID"), child(element, "object")
    name, kind = None, None
    if identifier is not None:
        name, kind = text_of(identifier), identifier.get("objectType")
    elif legacy is not None:
        name = _text(legacy, "Name", "name") or _text(legacy, "mRID")
        kind = _text(legacy, "objectType")
    return FieldError(
        code=_text(element, "code") or "",
        level=Level(level) if level in Level.__members__ else None,
        reason=_text(element, "reason"),
        details=_text(element, "details"),
        object_name=name,
        object_type=kind,
    )


def write_header(writer: XmlWriter, header: Header) -> None:
    """Write a header in the order of the schema."""
    writer.open("m:Header")
    for tag, value in (
        ("Verb", header.verb.value),
        ("Noun", header.noun),
        ("Revision", header.revision or None),
        ("Context", header.context),
        ("Timestamp", header.timestamp),
        ("Source", header.source or None),
        ("AsyncReplyFlag", header.async_reply or None),
        ("ReplyAddress", header.reply_address),
        ("AckRequired", header.ack_required),
    ):
        if value is not None:
            writer.leaf(f"g:{tag}", format_scalar(value))
    if header.user_id is not None:
        writer.open("g:User")
        writer.leaf("g:UserID", header.user_id)
        writer.leaf("g:Organization", header.organization or "")
        writer.close("g:User")
    writer.leaf("g:MessageID", header.message_id)
    writer.leaf("g:CorrelationID", header.correlation_id)
    if header.comment is not None:
        writer.leaf("g:Comment", header.comment)
    for name, text in header.properties:
        writer.open("g:Property")
        writer.leaf("g:Name", name)
        writer.leaf("g:Value", text)
        writer.close("g:Property")
    writer.close("m:Header")


def write_request(writer: XmlWriter, request: Request) -> None:
    """Write a request in the order of the schema."""
    writer.open("m:Request")
    for tag, instant in (("StartTime", request.start), ("EndTime", request.end)):
        if instant is not None:
            writer.leaf(f"g:{tag}", lexical.format_instant(instant))
    for name, text in request.options:
        writer.open("g:Option")
        writer.leaf("g:name", name)
        writer.leaf("g:value", text)
        writer.close("g:Option")
    for identifier in request.ids:
        writer.leaf("g:ID", identifier)
    if request.query is not None:
        write_tree(writer, request.query.NOUN, request.query, xmlns=noun_namespace(request.query.NOUN))
    writer.close("m:Request")


def write_reply(writer: XmlWriter, reply: Reply) -> None:
    """Write a reply in the order of the schema."""
    writer.open("m:Reply")
    writer.leaf("g:Result", reply.result.value)
    for error in reply.errors:
        writer.open("g:Error")
        writer.leaf("g:code", error.code)
        for tag, text in (("level", error.level), ("reason", error.reason), ("details", error.details)):
            if text is not None:
                writer.leaf(f"g:{tag}", text)
        if error.object_name is not None:
            kind = {"objectType": error.object_type} if error.object_type else {}
            writer.leaf("g:ID", error.object_name, kind="name", **kind)
        writer.close("g:Error")
    for identifier in reply.ids:
        writer.leaf("g:ID", identifier)
    if reply.operation_id is not None:
        writer.leaf("g:operationId", str(reply.operation_id))
    writer.close("m:Reply")
