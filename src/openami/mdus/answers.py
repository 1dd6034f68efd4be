"""What the views of the middle share: questions read from an address, answers as plain JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.responses import JSONResponse, Response

from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadQueryError(OpenAmiError):
    """A parameter of a page cannot be read."""


def span_of(query: Mapping[str, str], now: datetime) -> Span:
    """The span that `from` and `to` name; the last two days if they name none.

    Raises:
        BadQueryError: they cannot be read, or end before they start.
    """
    end = instant_in(query, "to", now)
    start = instant_in(query, "from", end - timedelta(days=2) if end else None)
    assert start is not None
    assert end is not None
    if end < start:
        raise BadQueryError(f"The span ends {end} before it starts {start}.", hint="Give from before to.")
    return Span(start, end)


def instant_in(query: Mapping[str, str], name: str, default: datetime | None) -> datetime | None:
    """An instant of the address, in UTC.

    Raises:
        BadQueryError: it cannot be read.
    """
    text = query.get(name)
    if not text:
        return default
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise BadQueryError(f"{name}={text!r} is not an instant.", hint="Use 2026-03-01T00:00:00Z.") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def limit_of(query: Mapping[str, str]) -> int:
    """How many rows a list may have.

    Raises:
        BadQueryError: it is no whole number.
    """
    text = query.get("limit", "500")
    if not text.isdecimal():
        raise BadQueryError(f"limit={text!r} is not a number.", hint="Use a whole number.")
    return min(int(text), 5_000)


def as_response(body: Any) -> Response:  # noqa: ANN401 - any JSON value
    """Any values as a JSON answer."""
    return JSONResponse(plain(body))


def not_found(reason: OpenAmiError) -> Response:
    """The answer that there is no such thing."""
    body = {"error": type(reason).__name__, "found": reason.found, "hint": reason.hint}
    return JSONResponse(body, status_code=404)


def plain(value: Any) -> Any:  # noqa: ANN401 - any value
    """Values as JSON has them: instants and dates as text, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | UUID):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
