"""An area as its own process: the enterprise services behind TLS, a certificate and rights for each partner."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from tests.certificates import certificate, free_port

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.examples import example
from openami.shared.seam.tls import client_context
from openami.shared.secrets import load_secrets
from openami.shared.supervisor import DATABASES

if TYPE_CHECKING:
    import ssl
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


def with_tls(postgres: EmbeddedPostgres, folder: Path, base_port: int, **ports: int) -> tuple[dict[str, str], str]:
    """Settings of an area with a TLS door, and the fingerprint of a certificate that its partners may show."""
    authority = certificate(folder, "authority")
    certificate(folder, "localhost", authority)
    _, shown = certificate(folder, "client", authority)
    files = {"certificate": "localhost.pem", "key": "localhost.key", "client_authorities": "authority.pem"}
    tls = {"host": "localhost", **ports} | {name: str(folder / file) for name, file in files.items()}
    environment = {
        "DATA_DIR": str(folder / "data"),
        "BASE_PORT": str(base_port),
        "POSTGRES_URL": postgres.url("").rstrip("/"),
        "TLS": json.dumps(tls),
    }
    return environment, hashlib.sha256(shown.public_bytes(serialization.Encoding.DER)).hexdigest()


def client_of(folder: Path) -> ssl.SSLContext:
    """How that partner calls."""
    files = {"certificate": folder / "client.pem", "key": folder / "client.key"}
    return client_context(authorities=folder / "authority.pem", **files)


async def test_a_head_end_of_a_vendor_comes_by_its_password_or_its_certificate(
    postgres: EmbeddedPostgres, tmp_path: Path
):
    postgres.ensure_database(DATABASES["mdus"])
    plain, tls = free_port(), free_port()
    environment, card = with_tls(postgres, tmp_path, plain - 2, mdus_port=tls)
    environment |= {
        "FIELD_PARTNERS": json.dumps(
            {"VENDOR": {"password": "known"}, "CARD": {"certificate_sha256": card, "operations": ["* MeterConfig"]}}
        ),
    }
    payload = cim.MeterReadings((cim.MeterReading(meter=cim.Identity.named("M1")),))
    readings = cim.encode(cim.event(cim.Verb.CREATED, payload, source="AMS1", at=datetime(2026, 3, 1, tzinfo=UTC)))
    showing = client_of(tmp_path)
    url = f"https://localhost:{tls}"
    async with served("mdus", environment, f"{url}/healthz", verify=showing) as partner:
        by_card = await partner.post(f"{url}/cim/send", content=readings)
        assert [one.code for one in _errors(by_card)] == ["3.1"], "known, but it may tell of meters only"
        by_password = await partner.post(
            f"http://127.0.0.1:{plain}/cim/send", content=readings, auth=("VENDOR", "known")
        )
        assert by_password.status_code == 200
        assert [one.code for one in _errors(by_password)] == ["0.0"], "taken: it waits until somebody knows the meter"
        stranger = await partner.post(f"{url}/cim/send", content=readings, auth=("VENDOR", "guessed"))
        assert stranger.status_code == 401
    postgres.drop_database(DATABASES["mdus"])


def _errors(answer: httpx.Response) -> tuple[cim.FieldError, ...]:
    reply = cim.decode(answer.content).reply
    assert reply is not None
    return tuple(reply.errors)


async def quarantined(environment: dict[str, str], reason: str) -> bool:
    """Whether the area, asked at its door for people, has set a message aside for a reason."""
    token = load_secrets(Path(environment["DATA_DIR"]) / "secrets.json").service_token
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False) as person:
        url = f"http://127.0.0.1:{int(environment['BASE_PORT']) + 1}/api/messages/quarantine"
        return any(reason in one["reason"] for one in (await person.get(url)).json())


async def test_serve_opens_the_tls_door_for_partners_with_their_certificates(
    postgres: EmbeddedPostgres, tmp_path: Path
):
    postgres.ensure_database(DATABASES["office"])
    plain, tls = free_port(), free_port()
    environment, card = with_tls(postgres, tmp_path, plain - 1, office_port=tls)
    environment |= {
        "PARTNERS": json.dumps({"READER": {"certificate_sha256": card, "operations": ["MeterReading*"]}}),
    }
    trusting = client_context(authorities=tmp_path / "authority.pem", certificate=None, key=None)
    showing = client_of(tmp_path)
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
