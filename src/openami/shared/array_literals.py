"""Columns of values as PostgreSQL's array literals: one text, put together at a fraction of a parameter a value.

The database driver asks each value what it is and how it wants to be written, a microsecond each and nearly three for
an instant; all values of a column are of one kind, which is asked once.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import BigInteger, Boolean, Date, DateTime, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

    Values = Sequence[Any] | NDArray[Any]

_PLAIN: Final = (Text, Integer, BigInteger, Boolean, DateTime, Date, Uuid)


def array_literal(values: Values) -> str:
    """Values of one kind (texts, whole numbers, truths, instants, days, ids) or None, as PostgreSQL reads an array."""
    if isinstance(values, np.ndarray):
        is_instant = values.dtype.kind == "M"
        values = (np.datetime_as_string(values, timezone="UTC") if is_instant else values).tolist()
    kind = next((type(value) for value in values if value is not None), str)
    if issubclass(kind, str):
        return _texts(list(values))
    write: Callable[[Any], str] = _instant_or_day if issubclass(kind, dt.date) else str
    return f"{{{','.join(['NULL' if value is None else write(value) for value in values])}}}"


def _instant_or_day(value: dt.date) -> str:
    return value.isoformat()  # a date-time is a date, too, and has no space in it then


def _texts(values: Sequence[str | None]) -> str:
    if not values:
        return "{}"
    if None not in values:
        inside = '","'.join(values)  # type: ignore[arg-type]
        if "\\" not in inside and inside.count('"') == 2 * len(values) - 2:
            return f'{{"{inside}"}}'
    return f"{{{','.join(['NULL' if value is None else _quoted(value) for value in values])}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class ArrayLiteral(UserDefinedType["Values"]):
    """The type of a parameter that holds a column's values, sent as an array literal."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, element: str) -> None:
        self.element = element

    @classmethod
    def of(cls, element: TypeEngine[Any]) -> ArrayLiteral | None:
        """For the values of a column of this type; None if they are of another kind than those that are written."""
        plain = isinstance(element, _PLAIN)
        return cls(element.compile(dialect=dialect())) if plain else None  # type: ignore[no-untyped-call]

    def get_col_spec(self, **_: object) -> str:
        """As it is called in a statement."""
        return f"{self.element}[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Values | None], str | None]:  # noqa: ARG002
        """Writes the values."""
        return lambda values: None if values is None else array_literal(values)
