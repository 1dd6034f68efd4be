"""The one gate of the console: a route says which right it asks for, and only who has it comes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from openami.shared.errors import OpenAmiError
from openami.web.areas import AreaDownError, NotThereError
from openami.web.rights import Role, least_role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from openami.web.rights import Right
    from openami.web.session import Sessions
    from openami.web.users import User

    Endpoint = Callable[[Request, User], Awaitable[Response]]
    Problem = Callable[[Request, User, OpenAmiError], Response]
    Note = Callable[[str, str, str], Awaitable[None]]


class NotPermittedError(OpenAmiError):
    """The user's role has not the right that a route asks for."""

    def __init__(self, user: User, right: Right) -> None:
        least = least_role(right)
        named = least if least is Role.ADMINISTRATOR else f"{least} or {Role.ADMINISTRATOR}"
        super().__init__(
            f"The role {user.role} may not {right}: that is for the role {named}.",
            hint=f"Whoever runs this installation can give it: openami user role {user.name} {least}",
        )


class UndeclaredRouteError(OpenAmiError):
    """A route that does not say what it asks for."""


class Asking(Route):
    """A route that says which right it asks for; None: it is for strangers, too."""

    def __init__(self, path: str, endpoint: Callable[..., Any], right: Right | None, *methods: str) -> None:
        super().__init__(path, endpoint, methods=methods or ["GET"])
        self.right = right


def declared(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """The routes, if each says what it asks for; static files are for everybody.

    Raises:
        UndeclaredRouteError: one does not.
    """
    for route in routes:
        if not isinstance(route, Asking) and not (isinstance(route, Mount) and isinstance(route.app, StaticFiles)):
            raise UndeclaredRouteError(f"{route} does not say which right it asks for.", hint="Make it at the gate.")
    return routes


class Gate:
    """Makes the routes that ask for a right."""

    def __init__(self, sessions: Sessions, problem: Problem, note: Note) -> None:
        """Take who is logged in, how a problem is shown, and where refusals are noted."""
        self._sessions = sessions
        self._problem = problem
        self._note = note

    def page(self, path: str, endpoint: Endpoint, right: Right, method: str = "GET") -> Asking:
        """A route for people: strangers are led to the login, problems are shown."""
        return self._route(path, endpoint, right, method, _to_login, self._problem)

    def data(self, path: str, endpoint: Endpoint, right: Right) -> Asking:
        """A route for programs: whatever goes wrong is told in JSON."""
        return self._route(path, endpoint, right, "GET", _not_logged_in, _told)

    def _route(
        self,
        path: str,
        endpoint: Endpoint,
        right: Right,
        method: str,
        strange: Callable[[Request], Response],
        problem: Problem,
    ) -> Asking:
        async def guarded(request: Request) -> Response:
            user = self._sessions.user_of(request)
            if user is None:
                return strange(request)
            try:
                if not user.may(right):
                    await self._note("access.refused", user.name, source_of(request))
                    raise NotPermittedError(user, right)
                return await endpoint(request, user)
            except OpenAmiError as error:
                return problem(request, user, error)

        return Asking(path, guarded, right, method)


def source_of(request: Request) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client else ""


def status_of(error: OpenAmiError) -> int:
    """The HTTP status that says best what went wrong."""
    kinds = ((NotPermittedError, 403), (NotThereError, 404), (AreaDownError, 503))
    return next((status for kind, status in kinds if isinstance(error, kind)), 422)


def _to_login(request: Request) -> Response:
    """To the login page, and back to where one wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?{urlencode({'next': wanted})}", status_code=303)


def _not_logged_in(_request: Request) -> Response:
    return JSONResponse({"error": "NotLoggedIn", "found": "Nobody is logged in.", "hint": "/login"}, 401)


def _told(_request: Request, _user: User, error: OpenAmiError) -> Response:
    body = {"error": type(error).__name__, "found": error.found, "hint": error.hint}
    return JSONResponse(body, status_of(error))
