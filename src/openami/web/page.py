"""What a page is: a path, a template, and one function that gathers its data. The data is also the JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas
    from openami.web.rights import Right

    Act = Callable[[Areas, Request, FormData, str], Awaitable[str]]
    Load = Callable[[Areas, Request], Awaitable[dict[str, Any]]]
    Table = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Action:
    """What a form of a page does, for whoever has the right; it is told who sent it, and answers where to go next."""

    path: str
    right: Right
    act: Act


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the console.

    `load` returns plain JSON values; `dress` adds what only the HTML needs (drawings), so that the JSON stays data.
    `table` picks of them the rows that a spreadsheet gets: of a list all that was asked for, not only the part shown.
    """

    path: str
    right: Right
    template: str
    title: str
    load: Load
    section: str = ""
    dress: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda _data: {})
    table: Table | None = None


def listed(data: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The table of a page that is one list."""
    rows: list[dict[str, Any]] = data["rows"]
    return rows
