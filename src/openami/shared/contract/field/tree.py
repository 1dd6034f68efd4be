"""One mapping for every small payload: the fields of a dataclass, in order, are the elements of its XML sequence.

A field says its XML name once (`Element`, `Reference`); the same declaration drives the writer, which
keeps the order of the schema, and the reader, which accepts any order and notes what it does not know.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from openami.shared.contract.field import lexical
from openami.shared.contract.field.codes import ControlCode, EventCode, QualityCode, ReadingTypeCode
from openami.shared.contract.field.errors import FieldContractError, MissingInPayloadError, SecretInMessageError
from openami.shared.contract.field.markup import XmlWriter, local_name, text_of
from openami.shared.contract.field.refusal import Reader, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

_T = TypeVar("_T")

_READERS: dict[type, Callable[[str], object]] = {
    str: lambda text: text,
    bool: lexical.parse_boolean,
    int: lexical.parse_integer,
    Decimal: lexical.parse_decimal,
    datetime: lexical.parse_instant,
    date: lexical.parse_date,
    ReadingTypeCode: ReadingTypeCode.parse,
    QualityCode: QualityCode.parse,
    EventCode: EventCode.parse,
    ControlCode: ControlCode.parse,
}


@dataclass(frozen=True, slots=True)
class Element:
    """A child element; without a default the field is mandatory, as a tuple it may repeat."""

    tag: str
    alias: str = ""
    """Another name that some partners use for it; read, never written."""
    apart: bool = False
    """If one of many cannot be read, that one is refused and the others stand."""


@dataclass(frozen=True, slots=True)
class Reference(Element):
    """A child element whose `ref` attribute is the value."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """How one field stands in the XML."""

    name: str
    xml: Element
    type: type
    many: bool
    required: bool


_KNOWN_SLOTS: dict[type[Any], tuple[_Slot, ...]] = {}


def _slots(cls: type[Any]) -> tuple[_Slot, ...]:
    if cls not in _KNOWN_SLOTS:
        hints = get_type_hints(cls, include_extras=True)
        _KNOWN_SLOTS[cls] = tuple(_slot_of(each, hints[each.name]) for each in fields(cls) if _xml(hints[each.name]))
    return _KNOWN_SLOTS[cls]


def _xml(hint: Any) -> Element | None:  # noqa: ANN401 - a type expression
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((extra for extra in extras if isinstance(extra, Element)), None)


def _slot_of(each: Field[Any], hint: Any) -> _Slot:  # noqa: ANN401 - a type expression
    inner, xml = get_args(hint)[:2]
    many = get_origin(inner) is tuple
    if many:
        inner = get_args(inner)[0]
    if get_origin(inner) in {Union, UnionType}:
        inner = next(arm for arm in get_args(inner) if arm is not type(None))
    return _Slot(each.name, xml, inner, many, required=each.default is MISSING)


def read_tree(cls: type[_T], source: etree._Element, reader: Reader) -> _T:
    """Read a value of `cls` from an element, whatever the order of its children.

    Raises:
        MissingInPayloadError: a mandatory child is absent.
        FieldContractError: a text does not have the form of its type.
    """
    slots = _slots(cls)
    by_tag = {name: slot for slot in slots for name in (slot.xml.tag, slot.xml.alias) if name}
    single: dict[str, Any] = {}
    many: dict[str, list[Any]] = {slot.name: [] for slot in slots if slot.many}
    for index, child in enumerate(source, 1):
        tag = local_name(child)
        if tag == "password":
            raise SecretInMessageError(f"{local_name(source)} carries a password.", hint="Keys travel by another road.")
        slot = by_tag.get(tag)
        if slot is None:
            reader.notes.append(f"{local_name(source)}/{tag} is not known and was left out")
        elif not slot.many:
            single.setdefault(slot.name, _read_child(slot, child, reader))
        elif not slot.xml.apart:
            many[slot.name].append(_read_child(slot, child, reader))
        else:
            _read_apart(slot, child, index, many[slot.name], reader)
    for slot in slots:
        if slot.required and slot.name not in single and not many.get(slot.name):
            raise MissingInPayloadError(f"{local_name(source)} has no {slot.xml.tag}.", hint="It is mandatory.")
    return cls(**single, **{name: tuple(values) for name, values in many.items()})


def _read_apart(slot: _Slot, child: etree._Element, index: int, into: list[Any], reader: Reader) -> None:
    try:
        into.append(_read_child(slot, child, reader))
    except FieldContractError as error:
        position = f"{local_name(child)}[{index}]{reader.line_of(child)}"
        reader.refusals.append(Refusal(position, error.code, str(error), name_within(child)))


def name_within(element_: etree._Element) -> str | None:
    """The first name or mRID below an element, to say which object was refused."""
    for wanted in ("name", "mRID"):
        for each in element_.iter(f"{{*}}{wanted}"):
            if (parent := each.getparent()) is not None and local_name(parent) not in {"NameType", "EndDeviceEvent"}:
                return text_of(each)
    return None


def _read_child(slot: _Slot, child: etree._Element, reader: Reader) -> Any:  # noqa: ANN401 - what the slot says
    if not isinstance(slot.xml, Reference) and slot.type not in _READERS:
        return read_tree(slot.type, child, reader)
    text = (child.get("ref") or text_of(child)) if isinstance(slot.xml, Reference) else text_of(child)
    try:
        if slot.type is datetime:
            return lexical.parse_instant(text, reader.partner.zone_name)
        return _READERS[slot.type](text)
    except FieldContractError as error:
        raise type(error)(f"{local_name(child)}: {error.found}", hint=error.hint) from error


def write_tree(writer: XmlWriter, tag: str, value: object, **attributes: str) -> None:
    """Write a value as the element `tag`, children in the order of its fields."""
    writer.open(tag, **attributes)
    for slot in _slots(type(value)):
        held = getattr(value, slot.name)
        for each in held if slot.many else () if held is None else (held,):
            _write_child(writer, slot, each)
    writer.close(tag)


def _write_child(writer: XmlWriter, slot: _Slot, value: object) -> None:
    if isinstance(slot.xml, Reference):
        writer.empty(slot.xml.tag, ref=str(value))
    elif slot.type in _READERS:
        writer.leaf(slot.xml.tag, format_scalar(value))
    else:
        write_tree(writer, slot.xml.tag, value)


def format_scalar(value: object) -> str:
    """The lexical form of a single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return lexical.format_instant(value)
    if isinstance(value, Decimal):
        return lexical.format_decimal(value)
    return str(value)
