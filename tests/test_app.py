"""An area as its own process: the enterprise services behind TLS, a certificate and rights for each partner."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from tests.certificates import certificate, free_port

from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.examples import example
from openami.shared.seam.tls import client_context
from openami.shared.secrets import load_secrets
from openami.shared.supervisor import DATABASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.shared.postgres import EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

EVENT = "UtilitiesSmartMeterEventERPBulkCreateRequest"
RESULT = "MeterReadingDocumentERPResultCreateRequest"


@asynccontextmanager
async def served(area: str, environment: dict[str, str], ready: str, **client: Any) -> AsyncIterator[httpx.AsyncClient]:
    """`openami serve AREA`, and a client that may ask it; ended by the signal that a service manager sends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openami", "serve", area),
        env=os.environ | {f"OPENAMI_{name}": value for name, value in environment.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(trust_env=False, **client) as asking:
            while process.returncode is None:
                try:
                    await asking.get(ready)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            assert process.returncode is None, await process.stderr.read() if process.stderr else ""
            yield asking
        process.send_signal(signal.SIGTERM)
        _, told = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == -signal.SIGTERM, told.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def quarantined(environment: dict[str, str], reason: str) -> bool:
    """Whether the area, asked at its door for people, has set a message aside for a reason."""
    token = load_secrets(Path(environment["DATA_DIR"]) / "secrets.json").token("service")
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False) as person:
        url = f"http://127.0.0.1:{int(environment['BASE_PORT']) + 1}/api/messages/quarantine"
        return any(reason in one["reason"] for one in (await person.get(url)).json())


async def test_serve_opens_the_tls_door_for_partners_with_their_certificates(
    postgres: EmbeddedPostgres, tmp_path: Path
):
    authority = certificate(tmp_path, "authority")
    certificate(tmp_path, "localhost", authority)
    _, shown = certificate(tmp_path, "client", authority)
    postgres.ensure_database(DATABASES["office"])
    plain, tls = free_port(), free_port()
    rights = {"certificate_sha256": hashlib.sha256(shown.public_bytes(serialization.Encoding.DER)).hexdigest()}
    environment = {
        "DATA_DIR": str(tmp_path / "data"),
        "BASE_PORT": str(plain - 1),
        "POSTGRES_URL": postgres.url("").rstrip("/"),
        "PARTNERS": json.dumps({"READER": rights | {"operations": ["MeterReading*"]}}),
        "TLS": json.dumps(
            {
                "host": "localhost",
                "office_port": tls,
                "certificate": str(tmp_path / "localhost.pem"),
                "key": str(tmp_path / "localhost.key"),
                "client_authorities": str(tmp_path / "authority.pem"),
            }
        ),
    }
    paths = {name: tmp_path / f"client.{name}" for name in ("pem", "key")}
    trusting = client_context(authorities=tmp_path / "authority.pem", certificate=None, key=None)
    showing = client_context(authorities=tmp_path / "authority.pem", certificate=paths["pem"], key=paths["key"])
    url = f"https://localhost:{tls}"
    async with served("office", environment, f"{url}/healthz", verify=showing) as partner:
        result, event = (codec.encode(example(root)) for root in (RESULT, EVENT))
        assert (await partner.post(f"{url}/services/{RESULT}_In", content=result)).status_code == 202
        assert (await partner.get(f"{url}/api/status")).status_code == 404, "nothing but the services"
        assert (await partner.post(f"{url}/services/{EVENT}_In", content=event)).status_code == 202
        assert await quarantined(environment, "READER may not call"), "what it may not call is set aside"
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as stranger:
            refused = await stranger.post(f"{url}/services/{RESULT}_In", content=result)
            assert refused.status_code == 401, "without its certificate nobody is known"
    postgres.drop_database(DATABASES["office"])
