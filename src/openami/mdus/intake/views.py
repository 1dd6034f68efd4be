"""Files over HTTP: uploaded as they are, of any size; how far each has come; read once more when asked."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.mdus.answers import as_response, not_found
from openami.mdus.intake import store
from openami.mdus.intake.handlers import wanted_file
from openami.mdus.unify.adapters import adapter_named
from openami.mdus.unify.adapters.mapping import parse_mapping
from openami.mdus.unify.errors import UnifyError
from openami.shared.service import json_body
from openami.shared.spans import zone

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from openami.mdus.intake.store import File
    from openami.mdus.middle import Middle

PATH: Final = "/api/intake"
_TRUE: Final = {"1", "true", "yes", "on"}


class UnknownFileError(UnifyError):
    """No file has this number."""


class EmptyFileError(UnifyError):
    """An upload without a byte."""


class IntakeViews:
    """The pages of files."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page."""
        return [
            Route(PATH, self.files, methods=["GET"]),
            Route(PATH, self.upload, methods=["POST"]),
            Route(f"{PATH}/{{number:int}}", self.file),
            Route(f"{PATH}/{{number:int}}/replay", self.replay, methods=["POST"]),
        ]

    async def files(self, request: Request) -> Response:
        """The newest files; with `refused=1` only those of which something was refused."""
        refused = request.query_params.get("refused", "") in _TRUE
        async with self._middle.database.read() as tx:
            found = await store.recent(tx, refused=refused)
        return as_response({"files": [asdict(one) for one in found]})

    async def file(self, request: Request) -> Response:
        """One file with what was refused of it."""
        number = request.path_params["number"]
        async with self._middle.database.read() as tx:
            found = await store.load(tx, number)
            if found is None:
                return not_found(UnknownFileError(f"There is no file {number}.", hint=f"See {PATH}."))
            refusals = await store.refusals_of(tx, number)
        return as_response(asdict(found) | {"refusals": [asdict(one) for one in refusals]})

    async def upload(self, request: Request) -> Response:
        """The body is the file; the address says `name` and, if need be, `format`, `mapping`, `zone`, `register`.

        The answer comes when the file lies safe on the disk; it is read after that.
        """
        wanted = self._wanted(request)
        spooled = await self._spooled(request)
        async with self._middle.database.begin() as tx:
            file, new = await self._middle.files.receive(tx, spooled, wanted)
        self._middle.wake_all()
        return JSONResponse({"id": file.id, "digest": file.digest, "state": file.state, "new": new}, status_code=202)

    async def replay(self, request: Request) -> Response:
        """Read a file once more: `{"person": "...", "register": true}`, the second only if it is to change."""
        body = await json_body(request)
        register = bool(body["register"]) if "register" in body else None
        number = request.path_params["number"]
        async with self._middle.database.begin() as tx:
            file = await self._middle.files.replay(tx, number, str(body.get("person", "")), register=register)
        if file is None:
            return not_found(UnknownFileError(f"There is no file {number}.", hint=f"See {PATH}."))
        self._middle.wake_all()
        return as_response(asdict(file))

    def _wanted(self, request: Request) -> File:
        """What is asked for; a wrong word is refused before a gigabyte has come."""
        asked = request.query_params
        given: dict[str, Any] = {
            "format_name": asked.get("format", ""),
            "mapping": asked.get("mapping", ""),
            "zone_name": asked.get("zone", ""),
        }
        if given["format_name"]:
            adapter_named(given["format_name"])
        if given["mapping"]:
            parse_mapping(given["mapping"])
        if given["zone_name"]:
            zone(given["zone_name"])
        return wanted_file(
            os.path.basename(asked.get("name", "")) or "upload",  # noqa: PTH119 - a name from afar, not a path of ours
            source=asked.get("source", "") or "upload",
            at=self._middle.clock.now(),
            register=asked.get("register", "") in _TRUE,
            **given,
        )

    async def _spooled(self, request: Request) -> Path:
        """The body in a file of its own; a broken upload leaves nothing."""
        folder = self._middle.spool
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"upload-{os.urandom(8).hex()}"
        complete = False
        try:
            with path.open("xb") as file:
                async for chunk in request.stream():
                    await asyncio.to_thread(file.write, chunk)
                complete = file.tell() > 0
            if not complete:
                raise EmptyFileError("The upload has no content.", hint="Send the file as the body of the request.")
        finally:
            if not complete:
                path.unlink(missing_ok=True)
        return path
