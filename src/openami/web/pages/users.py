"""The users of the console, and what each role may do; made and changed on the machine, with `openami user`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.web.page import Page
from openami.web.rights import RIGHTS, Right, Role

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas


async def load(_areas: Areas, request: Request) -> dict[str, Any]:
    """Everybody who may get in, and the rights of the roles."""
    users = sorted(request.state.users.all().values(), key=lambda one: one.name)
    return {
        "users": [{"name": one.name, "role": one.role} for one in users],
        "roles": list(Role),
        "rights": [{"may": right, "roles": [role for role in Role if right in RIGHTS[role]]} for right in Right],
    }


PAGES = (Page("/users", Right.SEE_USERS, "users.html", "Users", load),)
