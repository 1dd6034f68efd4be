"""The console as an area: login, pages, static files, live counters. It keeps no database."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from openami.shared.clock import RealClock
from openami.shared.errors import OpenAmiError
from openami.shared.service import Area
from openami.shared.spreadsheet import as_csv
from openami.web.areas import Areas, NotThereError
from openami.web.gate import Asking, Gate, declared, source_of, status_of
from openami.web.headers import SecurityHeaders, policy
from openami.web.pages import ACTIONS, PAGES
from openami.web.pages.landscape import counters
from openami.web.render import HERE, environment, json_safe, local_instant, local_rows
from openami.web.rights import Right
from openami.web.session import COOKIE, LIFETIME, BrakedError, Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.shared.settings import Settings
    from openami.web.gate import Endpoint
    from openami.web.page import Action, Page, Table
    from openami.web.users import User

log = structlog.get_logger()

LIVE_EVERY_S = 1.0
BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets read UTF-8 as something older."""


class ForeignFormError(OpenAmiError):
    """A form that another site, or an earlier session, has sent."""


class Console:
    """Serves the pages to whoever is logged in and may see them."""

    def __init__(self, settings: Settings, clock: Clock, areas: Areas, sessions: Sessions) -> None:
        self._settings = settings
        self._clock = clock
        self._areas = areas
        self._sessions = sessions
        self._templates = environment(settings.zone)

    def routes(self) -> list[BaseRoute]:
        """All pages, each also as JSON, and what they need."""
        gate = Gate(self._sessions, self._problem, self._audit)
        routes: list[BaseRoute] = [
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Asking("/login", self._login, None, "GET", "POST"),
            Asking("/logout", self._logout, None, "POST"),
            gate.data("/live", self._live, Right.LOOK),
            gate.page("/bills/{bill}/document", self._bill_document, Right.LOOK),
        ]
        routes += [gate.page(action.path, self._action(action), action.right, "POST") for action in ACTIONS]
        for page in PAGES:
            as_json = "/index.json" if page.path == "/" else f"{page.path}.json"
            routes.append(gate.data(as_json, self._json(page), page.right))
            if page.table is not None:
                routes.append(gate.page(f"{page.path}.csv", self._csv(page, page.table), page.right))
            routes.append(gate.page(page.path, self._html(page), page.right))
        routes.append(gate.page("/{nothing:path}", self._nothing_here, Right.LOOK))
        return [Mount("", routes=declared(routes), middleware=[Middleware(SecurityHeaders)])]

    def _html(self, page: Page) -> Endpoint:
        async def show(request: Request, user: User) -> Response:
            data = await self._data(page, request)
            path = request.url.path
            query = f"?{request.url.query}" if request.url.query else ""
            return self._render(
                page.template,
                request,
                user,
                title=page.title.format(**{"id": "", **request.path_params}),
                here=page.section or page.path,
                json_path=("/index.json" if path == "/" else f"{path}.json") + query,
                csv_path=f"{path}.csv{query}" if page.table else None,
                **data,
                **page.dress(data),
            )

        return show

    def _json(self, page: Page) -> Endpoint:
        async def show(request: Request, _user: User) -> Response:
            return JSONResponse(json_safe(await self._data(page, request)))

        return show

    def _csv(self, page: Page, table: Table) -> Endpoint:
        async def show(request: Request, _user: User) -> Response:
            found = list(table(await self._data(page, request, whole=True)))
            name = quote(request.url.path.strip("/").replace("/", "-"))
            return Response(
                BYTE_ORDER_MARK + as_csv(local_rows(found, self._settings.zone)),
                media_type="text/csv",
                headers={"content-disposition": f'attachment; filename="{name}"'},
            )

        return show

    def _action(self, action: Action) -> Endpoint:
        async def do(request: Request, user: User) -> Response:
            request.state.now, request.state.zone = self._clock.now(), self._settings.zone
            async with request.form(max_files=1) as form:
                self._check_form(request, form)
                there = await action.act(self._areas, request, form, user.name)
            return RedirectResponse(there, status_code=303)

        return do

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return self._login_page(request, _safe(request.query_params.get("next", "/")))
        form = await request.form()
        user, there = str(form.get("user", "")), _safe(str(form.get("next", "/")))
        source = source_of(request)
        try:
            cookie = await self._sessions.log_in(user, str(form.get("password", "")), source)
        except BrakedError as error:
            log.warning("login.braked", source=source, wait_s=error.wait_s)
            page = self._login_page(request, there, 429, f"{error.found} {error.hint}")
            page.headers["retry-after"] = str(error.wait_s)
            return page
        known = user if self._sessions.is_user(user) else "nobody"
        if cookie is None:
            await self._audit("login.refused", known, source)
            return self._login_page(request, there, 401, "User or password is wrong.")
        await self._audit("login", known, source)
        answer = RedirectResponse(there, status_code=303)
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            path="/",
            secure=request.url.scheme == "https",
        )
        return answer

    def _login_page(self, request: Request, there: str, status: int = 200, wrong: str = "") -> HTMLResponse:
        page = self._render("login.html", request, None, title="Log in", wrong=wrong, next=there)
        page.status_code = status
        return page

    async def _logout(self, request: Request) -> Response:
        user = self._sessions.user_of(request)
        if user is not None:
            try:
                self._check_form(request, await request.form())
            except ForeignFormError as error:
                return self._problem(request, user, error)
            self._sessions.end(request)
            await self._audit("logout", user.name, source_of(request))
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    def _check_form(self, request: Request, form: FormData) -> None:
        """See that a form is one of ours.

        Raises:
            ForeignFormError: another site made it, or an earlier session.
        """
        if not self._sessions.is_our_form(request, str(form.get("form_token", ""))):
            raise ForeignFormError("The form is not of this session.", hint="Load the page again.")

    async def _audit(self, what: str, user: str, source: str) -> None:
        """Into the log at once, and into the office's audit; people get in and out while the office is away, too."""
        log.info(what, user=user, source=source)
        try:
            await self._areas.post("office", "/api/audit", {"what": what, "who": user, "source": source})
        except OpenAmiError as error:
            log.warning("audit.not_kept", what=what, user=user, source=source, found=error.found)

    async def _live(self, request: Request, user: User) -> Response:
        """Server-sent events: the landscape's counters, every second while somebody looks whose session lasts."""

        async def stream() -> AsyncIterator[str]:
            while self._sessions.user_of(request) == user and not await request.is_disconnected():
                yield f"data: {json.dumps(json_safe(await self._counters()))}\n\n"
                await asyncio.sleep(LIVE_EVERY_S)

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def _counters(self) -> dict[str, Any]:
        """The counters with their instants as a person reads them, so that the script only has to put them in place."""
        zone_name = self._settings.zone
        data = await counters(self._areas)
        for area in data["areas"]:
            area["due"] = local_instant(area["next_due"], zone_name)
        return data | {"now": local_instant(self._clock.now(), zone_name)}

    async def _bill_document(self, request: Request, _user: User) -> Response:
        """The bill itself, as the customer gets it."""
        document = await self._areas.text("office", f"/api/bills/{request.path_params['bill']}/document")
        return HTMLResponse(document, headers=policy("default-src 'none'; style-src 'unsafe-inline'; img-src data:"))

    async def _nothing_here(self, request: Request, _user: User) -> Response:
        """An address that no page has."""
        raise NotThereError(f"There is no page {request.url.path}.", hint="The pages are in the bar above.")

    async def _data(self, page: Page, request: Request, *, whole: bool = False) -> dict[str, Any]:
        """What a page shows, gathered now and for local days of the installation; of lists a part, or the whole."""
        request.state.now, request.state.zone, request.state.whole = self._clock.now(), self._settings.zone, whole
        request.state.users = self._sessions.users
        return await page.load(self._areas, request)

    def _problem(self, request: Request, user: User, error: OpenAmiError) -> Response:
        title = "Not permitted" if status_of(error) == HTTPStatus.FORBIDDEN else "That did not work"
        page = self._render("problem.html", request, user, title=title, found=error.found, hint=error.hint)
        page.status_code = status_of(error)
        return page

    def _render(self, template: str, request: Request, user: User | None, **values: Any) -> HTMLResponse:  # noqa: ANN401
        given = {"here": "", "json_path": None, "csv_path": None, "problems": [], **values}
        given |= {
            "user": user,
            "may": user.may if user else None,
            "now": self._clock.now().isoformat() if user else None,
            "form_token": self._sessions.form_token(request),
        }
        headers = policy(
            "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
            "form-action 'self'; base-uri 'none'"
        )
        return HTMLResponse(self._templates.get_template(template).render(**given), headers=headers)


def _safe(path: str) -> str:
    """Only a path of ours: no other host, no scheme."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else "/"


def build(
    *,
    settings: Settings,
    clock: Clock,
    token: str,
    session_key: bytes,
    users_file: Path,
    client: httpx.AsyncClient | None = None,
    wall_clock: Clock | None = None,
) -> Area:
    """The console; `client` lets tests put areas of their own behind it.

    People live by the wall clock, whatever the landscape simulates: a demo's month must not end their sessions.
    """
    areas = Areas(settings, token, client)
    console = Console(settings, clock, areas, Sessions(users_file, session_key, wall_clock or RealClock()))
    return Area("web", clock, routes=console.routes())
