"""Files that were taken in, what was refused of them and of deliveries, and the ways to take more and to replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile

from openami.shared.errors import OpenAmiError
from openami.web.page import Action, Page
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas


class NoFileError(OpenAmiError):
    """An upload for which nobody chose a file."""


async def load(areas: Areas, _request: Request) -> dict[str, Any]:
    """The newest files, and everything that waits to be replayed."""
    files, refused = await asyncio.gather(areas.get("mdus", "/api/intake"), areas.get("mdus", "/api/quarantine"))
    return {"files": files["files"], "refused": refused}


async def load_one(areas: Areas, request: Request) -> dict[str, Any]:
    """One file with what was refused of it."""
    return {"file": await areas.get("mdus", f"/api/intake/{request.path_params['number']}")}


async def upload(areas: Areas, _request: Request, form: FormData, user: str) -> str:
    """Pass a chosen file on."""
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise NoFileError("No file was chosen.", hint="Choose one, then press Take in.")
    register = "1" if form.get("register") else ""
    answer = await areas.upload("mdus", "/api/intake", file, name=file.filename, source=user, register=register)
    return f"/files/{answer['id']}"


async def replay(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Read a file once more."""
    number = request.path_params["number"]
    body: dict[str, Any] = {"person": user, **({"register": True} if form.get("register") else {})}
    await areas.post("mdus", f"/api/intake/{number}/replay", body)
    return f"/files/{number}"


async def replay_delivery(areas: Areas, request: Request, _form: FormData, _user: str) -> str:
    """Take a delivery of a metering system once more."""
    await areas.post("mdus", f"/api/quarantine/{request.path_params['digest']}/replay", {})
    return "/files"


PAGES = (
    Page("/files", Right.LOOK, "files.html", "Files", load, table=lambda data: data["files"]),
    Page("/files/{number:int}", Right.LOOK, "file.html", "File {number}", load_one, section="/files"),
)
ACTIONS = (
    Action("/files", Right.TAKE_FILES, upload),
    Action("/files/{number:int}/replay", Right.TAKE_FILES, replay),
    Action("/files/deliveries/{digest}/replay", Right.TAKE_FILES, replay_delivery),
)
