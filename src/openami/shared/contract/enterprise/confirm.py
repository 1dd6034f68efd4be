"""Builds bulk messages and the confirmations of requests."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec
from openami.shared.contract.enterprise.decode import class_of, text_reader
from openami.shared.contract.enterprise.errors import NoConfirmation, Refusal, UnknownMessage
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.item_columns import ItemColumns, confirmed_columns
from openami.shared.contract.enterprise.logs import Logs
from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage
from openami.shared.contract.enterprise.parse import message_element
from openami.shared.contract.enterprise.shapes import Member, Shape, shapes
from openami.shared.contract.enterprise.tolerate import normalise

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from lxml import etree

ItemT = TypeVar("ItemT", bound=HeadedMessage)


def bulk(items: Sequence[ItemT], head: MessageHeader) -> Bulk[ItemT]:
    """The bulk message that carries these items; each keeps its own header."""
    kind = class_of(_bulk_shapes()[type(items[0])])
    return cast("Bulk[ItemT]", kind(message_header=head, items=tuple(items)))


def has_bulk(kind: type[HeadedMessage]) -> bool:
    """Whether the contract has a bulk message that carries messages of this class."""
    return kind in _bulk_shapes()


def stands_alone(kind: type[HeadedMessage]) -> bool:
    """Whether a message of this class can be sent by itself."""
    try:
        codec().root_of(kind)
    except UnknownMessage:
        return False
    return True


def bulk_confirmation(items: Sequence[ItemT], head: MessageHeader, log: Log) -> HeadedMessage:
    """The bulk confirmation that carries these confirmations; each keeps its own header and log."""
    kind = class_of(_bulk_shapes()[type(items[0])])
    return cast("HeadedMessage", kind(message_header=head, items=tuple(items), log=log))


def confirmation_for(
    request: HeadedMessage,
    log: Log | Sequence[Log] | Logs,
    *,
    created: dt.datetime,
    sender: str | None = None,
) -> HeadedMessage:
    """The confirmation of a request, with new UUIDs and references to the request's.

    A bulk request takes one log per item, or one for all; the overall log is made of them. What the request names and
    the confirmation repeats (identifiers, mostly) is copied. Raises NoConfirmation for notifications. Items in columns
    are confirmed in columns.
    """
    shape = _confirmation_shape(codec().root_of(request))
    head = header(created, reply_to=request.message_header, sender=sender)
    if not isinstance(request, Bulk):
        assert isinstance(log, Log)
        return _confirmed(request, shape, head, log)
    assert shape.item is not None
    if isinstance(log, Logs) and isinstance(request.items, ItemColumns):
        columns = confirmed_columns(request.items, shape.item, log, created, sender)
        overall = logs.overall(log.different)
        return cast("HeadedMessage", class_of(shape)(message_header=head, items=columns, log=overall))
    if isinstance(log, Logs):
        log = [log.different[number] for number in log.number.tolist()]
    each = [log] * len(request.items) if isinstance(log, Log) else log
    items = tuple(
        _confirmed(item, shape.item.shape, header(created, reply_to=item.message_header, sender=sender), one)
        for item, one in zip(request.items, each, strict=True)
    )
    return cast("HeadedMessage", class_of(shape)(message_header=head, items=items, log=logs.overall(each)))


def refusal_for(
    body: bytes, reason: Refusal, *, created: dt.datetime, sender: str | None = None
) -> HeadedMessage | None:
    """The negative confirmation of a request that is known but invalid, as far as it can be read.

    None if the request has no confirmation, no usable header, or not even the identifiers that a confirmation must
    repeat: then only a SOAP fault can answer.
    """
    try:
        element = message_element(body)
        root, request_shape = codec().shape_of(element)
        shape = _confirmation_shape(root)
        normalise(element, request_shape)
        answer = _refused(element, shape, logs.failed(reason), created, sender)
        if answer is not None:
            codec().encode(answer)
    except Refusal:
        return None
    return answer


def _refused(
    element: etree._Element, shape: Shape, log: Log, created: dt.datetime, sender: str | None
) -> HeadedMessage | None:
    """The confirmation made of what an invalid request, or an item of it, has in common with its shape."""
    uuid, identifier = element.findtext("MessageHeader/UUID"), element.findtext("MessageHeader/ID")
    if not uuid and not identifier:
        return None
    asked = MessageHeader(
        uuid=uuid,
        id=identifier,
        creation_date_time=created,
        sender_business_system_id=element.findtext("MessageHeader/SenderBusinessSystemID"),
    )
    values: dict[str, Any] = {}
    for member in shape.elements:
        if member.name in {"message_header", "log"}:
            continue
        assert isinstance(member.content, Shape)
        if member is shape.item:
            items = [child for child in element if child.find("MessageHeader") is not None]
            found: Any = tuple(_refused(each, member.content, log, created, sender) for each in items)
            if not found or None in found:
                return None
        else:
            found = _rescued(element.find(member.xml_name), member.content)
            if found is None and member.minimum:
                return None
        values[member.name] = found
    head = header(created, reply_to=asked, sender=sender)
    return cast("HeadedMessage", class_of(shape)(message_header=head, log=log, **values))


def _rescued(element: etree._Element | None, shape: Shape) -> Any:  # noqa: ANN401 - the class varies
    """The part of an element that the shape has too, as far as it can be read; None if something mandatory cannot."""
    if element is None:
        return None
    values: dict[str, Any] = {}
    for member in shape.elements:
        parts = [_rescued_member(child, member) for child in element.findall(member.xml_name)]
        readable = [part for part in parts if part is not None]
        if member.minimum and not readable:
            return None
        values[member.name] = tuple(readable) if member.many else next(iter(readable), None)
    return class_of(shape)(**values)


def _rescued_member(element: etree._Element, member: Member) -> Any:  # noqa: ANN401 - the type varies
    if isinstance(member.content, Shape):
        return _rescued(element, member.content)
    try:
        return text_reader(member.content)(element.text or "")
    except (ValueError, ArithmeticError):
        return None


def _confirmed(request: HeadedMessage, shape: Shape, head: MessageHeader, log: Log) -> HeadedMessage:
    values = {
        member.name: copied
        for member in shape.elements
        if isinstance(member.content, Shape)
        and member.name not in {"message_header", "log"}
        and (copied := _copied(getattr(request, member.name, None), member.content)) is not None
    }
    return cast("HeadedMessage", class_of(shape)(message_header=head, log=log, **values))


def _copied(source: Any, shape: Shape) -> Any:  # noqa: ANN401 - the class varies
    """The part of `source` that the shape has too; None if it lacks something mandatory."""
    if source is None:
        return None
    values = {}
    for member in shape.elements:
        value = getattr(source, member.name, None)
        if isinstance(member.content, Shape):
            if member.many:
                parts = [_copied(each, member.content) for each in value or ()]
                value = tuple(part for part in parts if part is not None)
            else:
                value = _copied(value, member.content)
        if value is None and member.minimum:
            return None
        values[member.name] = value
    return class_of(shape)(**values)


@lru_cache(maxsize=256)
def _confirmation_shape(root: str) -> Shape:
    confirmation = catalogue().confirmation_of(catalogue().by_root[root])
    if confirmation is None:
        raise NoConfirmation(root)
    return shapes().roots[confirmation.request]


@lru_cache(maxsize=1)
def _bulk_shapes() -> dict[type[Any], Shape]:
    """The bulk message of each item class."""
    found = {}
    for shape in shapes().roots.values():
        if shape.item is not None and isinstance(shape.item.content, Shape):
            found[class_of(shape.item.content)] = shape
    return found
