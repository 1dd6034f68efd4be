"""Who may do what: a walk over all routes as each role, against the declarations and against a table made by hand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.web.test_pages import PATHS

from openami.web.gate import Asking, UndeclaredRouteError, declared
from openami.web.pages import ACTIONS
from openami.web.rights import RIGHTS, Right, Role, least_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from tests.web.conftest import RecordedAreas

    from openami.shared.service import Area

USERS: Final = {role: "admin" if role is Role.ADMINISTRATOR else str(role) for role in Role}
CLERK, OPERATOR, ADMINISTRATOR = Role.CLERK, Role.OPERATOR, Role.ADMINISTRATOR
DANGEROUS: Final = {
    ("POST", "/bills/{id}/void"): {CLERK, ADMINISTRATOR},
    ("POST", "/tariffs/{id}/prices"): {CLERK, ADMINISTRATOR},
    ("POST", "/tariffs/{id}/prices/withdraw"): {CLERK, ADMINISTRATOR},
    ("POST", "/files"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/files/{number:int}/replay"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/files/deliveries/{digest}/replay"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/inspections/{number:int}/assign"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/inspections/{number:int}/done"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/messages/{area}/out/{sequence:int}/resend"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/messages/{area}/out/{sequence:int}/cancel"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/values/edits"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/values/edits/{edit}/approve"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/values/edits/{edit}/undo"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/values/virtual"): {OPERATOR, ADMINISTRATOR},
    ("POST", "/values/virtual/{name}/undo"): {OPERATOR, ADMINISTRATOR},
    ("GET", "/values/preview"): {OPERATOR, ADMINISTRATOR},
    ("GET", "/values/preview.json"): {OPERATOR, ADMINISTRATOR},
    ("GET", "/values/virtual/preview"): {OPERATOR, ADMINISTRATOR},
    ("GET", "/values/virtual/preview.json"): {OPERATOR, ADMINISTRATOR},
    ("GET", "/users"): {ADMINISTRATOR},
    ("GET", "/users.json"): {ADMINISTRATOR},
}
"""Written by hand: who may ask for what is not for everybody. A new route with a right of its own comes here, too."""
FOR_STRANGERS: Final = {"/login", "/logout"}


def _asking(routes: Sequence[BaseRoute]) -> Iterator[Asking]:
    for route in routes:
        if isinstance(route, Asking):
            yield route
        elif isinstance(route, Mount):
            yield from _asking(route.routes or [])


@pytest.fixture
def routes(make_console: Callable[[], Area]) -> list[Asking]:
    found = list(_asking(make_console().routes))
    assert len(found) > 60
    return found


def _method(route: Asking) -> str:
    return "POST" if route.methods == {"POST"} else "GET"


def test_the_table_made_by_hand_is_what_is_declared(routes: list[Asking]) -> None:
    everybody = {route.path for route in routes if route.right is None}
    assert everybody == FOR_STRANGERS
    special = {
        (_method(route), route.path): {role for role in Role if route.right in RIGHTS[role]}
        for route in routes
        if route.right not in {None, Right.LOOK}
    }
    assert special == DANGEROUS


def test_only_looking_needs_no_more_than_the_right_to_look(routes: list[Asking]) -> None:
    posted = [route.path for route in routes if _method(route) == "POST" and route.right is Right.LOOK]
    assert posted == []


@pytest.mark.parametrize("role", Role)
async def test_each_role_gets_what_it_may_and_is_refused_the_rest(
    log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas, routes: list[Asking], role: Role
) -> None:
    browser = log_in(USERS[role])
    for route in routes:
        method, path = _method(route), re.sub(r"{[a-z]+(:[a-z]+)?}", "7", route.path)
        may = role in DANGEROUS.get((method, route.path), set(Role))
        if route.right is None or (path == "/live" and may):
            continue  # strangers get in; what is live has no end
        areas.asked.clear()
        answer = await browser.request(method, path)
        assert (answer.status_code == 403) is not may, (method, path)
        if not may:
            assert f"The role {role} may not" in answer.text, path
            assert [one.url.path for one in areas.asked] == ["/api/audit"], "nothing was asked of an area for it"
        elif method == "POST":
            assert (answer.status_code, "not of this session" in answer.text) == (422, True), path


@pytest.mark.parametrize("role", Role)
async def test_a_right_form_is_refused_all_the_same(
    log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas, role: Role
) -> None:
    browser = log_in(USERS[role])
    page = (await browser.get("/")).text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token
    for action in ACTIONS:
        if action.right in RIGHTS[role]:
            continue
        areas.asked.clear()
        path = re.sub(r"{[a-z]+(:int)?}", "7", action.path)
        answer = await browser.post(path, data={"form_token": token[1], "seen": "1"})
        assert answer.status_code == 403, path
        assert [one.url.path for one in areas.asked] == ["/api/audit"], path


async def test_a_refusal_says_which_role_is_asked_for_and_how_it_is_given_and_is_kept(
    log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas
) -> None:
    answer = await log_in("viewer").post("/bills/700000013/void", data={})
    assert answer.status_code == 403
    assert "The role viewer may not void bills: that is for the role clerk or administrator." in answer.text
    assert "<h1>Not permitted</h1>" in answer.text
    assert "openami user role viewer clerk" in answer.text
    assert json.loads(areas.asked[-1].content) == {"what": "access.refused", "who": "viewer", "source": "127.0.0.1"}
    told = (await log_in("operator").get("/users.json")).json()
    assert told["error"] == "NotPermittedError"
    assert told["found"] == "The role operator may not see who may get in: that is for the role administrator."
    assert "openami user role operator administrator" in told["hint"]


async def test_who_may_not_define_a_channel_is_told_so_where_the_form_would_be(
    log_in: Callable[[str], httpx.AsyncClient],
) -> None:
    said = "Your role may not define virtual channels."
    assert said in (await log_in("clerk").get("/values/virtual")).text
    assert said not in (await log_in("clerk").get("/values/virtual?name=street.7")).text, "there is something to see"
    assert said not in (await log_in("operator").get("/values/virtual")).text


async def test_a_refusal_stands_while_the_office_is_away(
    log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas
) -> None:
    areas.down.add("office")
    assert (await log_in("viewer").post("/values/edits", data={})).status_code == 403


def _everything_can_be_done(areas: RecordedAreas) -> None:
    """Brings each object into a state in which its page offers something to do."""
    mdus, office = areas.answers["mdus"], areas.answers["office"]
    edits = mdus["edits"]["edits"]
    mdus["edits"] = mdus["edits"] | {"edits": [edits[0] | {"state": "proposed"}, edits[0] | {"state": "applied"}]}
    for task in mdus["inspections"]["inspections"]:
        task["state"] = "open"
    file = mdus["intake/1"]
    file |= {"state": "done", "refused": 1}
    for bill in office:
        if bill.startswith("bills/7"):
            office[bill] |= {"state": "posted", "reverses": None}
    waiting = office["messages/in/90"] | {"direction": "out", "state": "pending", "delivered_at": None}
    waiting["created_at"] = waiting["received_at"]
    office["messages/out/90"] = waiting
    office["messages/out/91"] = waiting | {"state": "dead", "sequence": 91}
    refused = {"position": "meter 1", "reason": "unknown"}
    entry = {"source": "HES", "digest": "a" * 64, "received_at": edits[0]["proposed_at"], "refusals": [refused]}
    mdus["quarantine"] = mdus["quarantine"] | {"quarantine": [entry]}


@pytest.mark.parametrize("role", Role)
async def test_pages_offer_each_role_what_it_may_do_and_nothing_else(
    log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas, routes: list[Asking], role: Role
) -> None:
    _everything_can_be_done(areas)
    browser, offered = log_in(USERS[role]), set()
    for page in [*PATHS, "/bills/700000013", "/messages/office/out/90", "/messages/office/out/91"]:
        answer = await browser.get(page)
        assert answer.status_code == 200, page
        found = re.findall(r'<form[^>]*method="post"[^>]*?(?: action="([^"]+)")?>', answer.text)
        paths = [path or page.partition("?")[0] for path in found] + re.findall(r'formaction="([^"]+)"', answer.text)
        for path in set(paths) - FOR_STRANGERS:
            route = next(one for one in routes if _method(one) == "POST" and one.path_regex.match(path))
            assert route.right in RIGHTS[role], (page, path)
            offered.add(route.path)
        for path in re.findall(r'href="(/[^"?#]*)', answer.text):
            asked = next((one for one in routes if _method(one) == "GET" and one.path_regex.match(path)), None)
            assert asked is None or asked.right in RIGHTS[role], (page, path)
    assert offered == {action.path for action in ACTIONS if action.right in RIGHTS[role]}


@pytest.mark.parametrize("role", Role)
async def test_pages_say_who_is_logged_in_and_as_what(log_in: Callable[[str], httpx.AsyncClient], role: Role) -> None:
    page = (await log_in(USERS[role]).get("/")).text
    assert f"Logged in as {USERS[role]}, {role}." in page
    assert ('href="/users"' in page) is (role is Role.ADMINISTRATOR)


async def test_administrators_see_who_may_what(log_in: Callable[[str], httpx.AsyncClient]) -> None:
    told = (await log_in("admin").get("/users.json")).json()
    assert {"name": "second", "role": "operator"} in told["users"]
    assert [one["name"] for one in told["users"]] == sorted(one["name"] for one in told["users"])
    assert {"may": "void bills", "roles": ["clerk", "administrator"]} in told["rights"]
    page = (await log_in("admin").get("/users")).text
    assert "take in files, or replay what was refused" in page
    assert "scrypt" not in page
    assert all(":" not in one["name"] and set(one) == {"name", "role"} for one in told["users"]), "and no hashes"


async def test_two_operators_edit_and_approve(log_in: Callable[[str], httpx.AsyncClient], areas: RecordedAreas) -> None:
    """With `edits_need_approval` the middle refuses whoever proposed; the console tells it who is who."""
    edit = areas.answers["mdus"]["edits"]["edits"][0]
    edit["state"] = "proposed"
    areas.answers["mdus"] |= {f"edits/{edit['id']}/approve": {}}

    async def post(user: str, path: str, **form: str) -> dict[str, Any]:
        browser = log_in(user)
        found = re.search(r'name="form_token" value="([^"]+)"', (await browser.get("/values")).text)
        assert found
        answer = await browser.post(path, data={"form_token": found[1], **form})
        assert answer.status_code == 303
        body: dict[str, Any] = json.loads(next(one for one in reversed(areas.asked) if one.method == "POST").content)
        return body

    wanted = dict.fromkeys(("channel", "span", "action", "values", "source", "reason"), "1")
    proposed = await post("operator", "/values/edits", seen="1", **wanted)
    approved = await post("second", f"/values/edits/{edit['id']}/approve")
    assert (proposed["person"], approved["person"]) == ("operator", "second")


def test_a_route_that_does_not_say_what_it_asks_for_is_refused_at_the_start() -> None:
    async def show(_request: Request) -> Response:
        return PlainTextResponse("x")

    asking = Asking("/x", show, Right.LOOK)
    assert declared([asking]) == [asking]
    with pytest.raises(UndeclaredRouteError, match="does not say which right"):
        declared([asking, Route("/y", show)])
    with pytest.raises(UndeclaredRouteError):
        declared([Mount("/z", routes=[asking])])


def test_a_console_with_an_undeclared_route_does_not_start(
    make_console: Callable[[], Area], monkeypatch: pytest.MonkeyPatch
) -> None:
    def undeclared(path: str, endpoint: Callable[..., Any], _right: Right | None, *methods: str) -> Route:
        return Route(path, endpoint, methods=list(methods))

    monkeypatch.setattr("openami.web.area.Asking", undeclared)
    with pytest.raises(UndeclaredRouteError, match="/login"):
        make_console()


def test_roles_hold_what_their_work_needs_and_nobody_edits_and_bills_but_the_administrator() -> None:
    assert RIGHTS[Role.VIEWER] == {Right.LOOK}
    assert set(RIGHTS) == set(Role)
    assert all(Right.LOOK in rights for rights in RIGHTS.values())
    assert RIGHTS[Role.ADMINISTRATOR] == set(Right)
    both = [role for role, rights in RIGHTS.items() if {Right.EDIT_VALUES, Right.VOID_BILLS} <= rights]
    assert both == [Role.ADMINISTRATOR]


@pytest.mark.parametrize(
    ("right", "role"),
    [
        (Right.LOOK, Role.VIEWER),
        (Right.VOID_BILLS, Role.CLERK),
        (Right.EDIT_VALUES, Role.OPERATOR),
        (Right.SEE_USERS, Role.ADMINISTRATOR),
    ],
)
def test_one_asks_for_the_least_role_that_helps(right: Right, role: Role) -> None:
    assert least_role(right) is role
