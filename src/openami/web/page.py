"""What a page is: a path, a template, and one function that gathers its data. The data is also the JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas

    Act = Callable[[Areas, Request, FormData, str], Awaitable[str]]
    Load = Callable[[Areas, Request], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Action:
    """What a form of a page does: it is told who sent it, and answers where to go next."""

    path: str
    act: Act


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the console.

    `load` returns plain JSON values; `dress` adds what only the HTML needs (drawings), so that the JSON stays data.
    """

    path: str
    template: str
    title: str
    load: Load
    section: str = ""
    dress: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda _data: {})
