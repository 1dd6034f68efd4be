"""What a page was asked for: words, numbers and days from the address, and a slice of a list."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

PAGE_SIZE = 50
WHOLE_MAX = 100_000
"""Rows that a table of a whole list may have: more are a matter for the areas' own JSON."""
OFFSET_MAX = 10_000_000
OFFSET_DIGITS_MAX = 12  # leading zeros must not lead around the bound


class BadQueryError(OpenAmiError):
    """A parameter in the address of a page cannot be read."""


def words(request: Request, *names: str) -> dict[str, str]:
    """The parameters of these names, empty where they were not given."""
    return {name: request.query_params.get(name, "").strip() for name in names}


def offset_of(request: Request) -> int:
    """Where the asked page of a list begins.

    Raises:
        BadQueryError: it is not a whole number that can be.
    """
    text = request.query_params.get("offset") or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > OFFSET_DIGITS_MAX or int(text) > OFFSET_MAX:
        raise BadQueryError(f"offset={text!r} is not a place in a list.", hint="Use a whole number from 0 on.")
    return int(text)


def choice(request: Request, name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words; the first when none was given.

    Raises:
        BadQueryError: another word was given; the message lists the allowed ones.
    """
    text = request.query_params.get(name) or allowed[0]
    if text not in allowed:
        raise BadQueryError(f"{name}={text!r} is not known.", hint=f"Choose one of {', '.join(allowed)}.")
    return text


def day_of(request: Request, name: str) -> date | None:
    """A local day, or None when none was given.

    Raises:
        BadQueryError: it is not a date, or one that no calendar page reaches.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise BadQueryError(f"{name}={text!r} is not a day.", hint="Use 2026-03-14.") from error
    if not 1970 <= day.year <= 2200:
        raise BadQueryError(f"{name}={text!r} is out of reach.", hint="Use a day between 1970 and 2200.")
    return day


def is_whole(request: Request) -> bool:
    """Whether a whole list was asked for (as a table) and not a page of it."""
    whole: bool = request.state.whole
    return whole


def refuse_too_long(count: int) -> None:
    """See that a whole list can be handed over: cutting it in silence would make wrong sums.

    Raises:
        BadQueryError: it has too many rows.
    """
    if count > WHOLE_MAX:
        raise BadQueryError(f"There are more than {WHOLE_MAX:,} rows.", hint="Ask for fewer: days, a state.")


def paged(rows: Sequence[Any], request: Request, path: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    """A slice of a list with the way to its neighbours: `rows`, and `pages` for the links below it."""
    if is_whole(request):
        refuse_too_long(len(rows))
        return {"rows": list(rows), "pages": links(path, wanted, 0, shown=len(rows), more=False, total=len(rows))}
    offset = offset_of(request)
    cut = list(rows[offset : offset + PAGE_SIZE])
    return {
        "rows": cut,
        "pages": links(path, wanted, offset, shown=len(cut), more=offset + PAGE_SIZE < len(rows), total=len(rows)),
    }


def links(
    path: str, wanted: Mapping[str, str], offset: int, *, shown: int, more: bool, total: int | None = None
) -> dict[str, Any]:
    """The neighbours of a page of a list as addresses that keep what was asked for."""

    def at(place: int) -> str:
        given = {key: value for key, value in wanted.items() if value} | ({"offset": str(place)} if place else {})
        return f"{path}?{urlencode(given)}" if given else path

    return {
        "first": offset + 1 if shown else 0,
        "last": offset + shown,
        "total": total,
        "earlier": at(max(offset - PAGE_SIZE, 0)) if offset else None,
        "later": at(offset + PAGE_SIZE) if more else None,
    }
