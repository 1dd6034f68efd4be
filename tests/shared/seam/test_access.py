"""Who may call what: passwords, client certificates over real TLS, operations; and where messages are sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import ssl
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from sqlalchemy import MetaData
from starlette.requests import Request
from tests.certificates import certificate, free_port

from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.examples import example
from openami.shared.seam import Inbox, Outbox, Seam, seam_tables
from openami.shared.seam.access import CERTIFICATE, Rights, known_partner, partners_of
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.model import Envelope
from openami.shared.seam.tls import TlsFileError, client_context, tls_server
from openami.shared.seam.transport import HttpTransport, Partner
from openami.shared.service import Area, create_app
from openami.shared.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

CREATE = "UtilitiesDeviceERPSmartMeterCreateRequest"
PRINT = "ab" * 32


def request(*, user: str | None = None, password: str = "", certificate: str | None = None) -> Request:
    headers = []
    if user is not None:
        credentials = base64.b64encode(f"{user}:{password}".encode())
        headers = [(b"authorization", b"Basic " + credentials)]
    scope: dict[str, Any] = {"type": "http", "headers": headers}
    return Request(scope | ({CERTIFICATE: certificate} if certificate else {}))


PARTNERS = {
    "SAP": Rights(password="secret"),
    "BOTH": Rights(password="secret", certificate_sha256=PRINT),
    "CARD": Rights(certificate_sha256=":".join(PRINT[i : i + 2] for i in range(0, 64, 2)).upper()),
}


@pytest.mark.parametrize(
    ("shown", "who"),
    [
        ({"user": "SAP", "password": "secret"}, "SAP"),
        ({"user": "SAP", "password": "wrong"}, None),
        ({"user": "SAP", "password": ""}, None),
        ({"user": "NOBODY", "password": ""}, None),
        ({"user": "BOTH", "password": "secret"}, None),
        ({"user": "BOTH", "password": "secret", "certificate": PRINT}, "BOTH"),
        ({"user": "BOTH", "password": "secret", "certificate": "cd" * 32}, None),
        ({"certificate": PRINT}, "CARD"),
        ({"user": "CARD", "password": ""}, None),
        ({}, None),
    ],
)
def test_all_that_is_set_has_to_be_right(shown: dict[str, str], who: str | None):
    assert known_partner(request(**shown), PARTNERS) == who


def test_operations_are_named_by_patterns():
    readings = Rights("x", operations=("*MeterReading*", "UtilitiesSmartMeterEvent*"))
    assert readings.permits("SmartMeterMeterReadingDocumentERPCreateRequest_Out")
    assert not readings.permits(f"{CREATE}_Out")
    assert Rights("x").permits(f"{CREATE}_Out")


@pytest.mark.parametrize("table", ["partners", "field_partners"])
def test_a_partner_without_any_proof_is_a_wrong_setting(tmp_path: Path, table: str):
    with pytest.raises(SettingsError, match="give a password"):
        load_settings(data_dir=tmp_path, **{table: {"SAP": {"operations": ["*"]}}})
    settings = load_settings(data_dir=tmp_path, **{table: {"SAP": {"certificate_sha256": PRINT}}})
    assert getattr(settings, table)["SAP"].password is None


def test_a_named_partner_counts_before_the_password_of_the_link():
    named = Rights("its own", operations=("created MeterReadings",))
    known = partners_of({"AMS1": "derived", "MDUS": "derived"}, {"AMS1": named})
    assert known == {"AMS1": named, "MDUS": Rights("derived")}
    assert partners_of({}, None) == {}


def test_passwords_are_not_in_what_is_printed():
    assert "secret" not in f"{PARTNERS['SAP']!r} {Partner('http://sap', 'u', 'secret')!r}"


def test_where_a_message_goes():
    envelope = Envelope(UUID(int=7), Seam.ENTERPRISE, "sap", f"{CREATE}_In", f"/services/{CREATE}_In", b"")
    assert Partner("http://sap", "u", "p").address(envelope) == f"http://sap/services/{CREATE}_In"
    pi = Partner("https://pi/XISOAPAdapter/MessageServlet?interface={interface}&MessageId={message_id}", "u", "p")
    assert pi.address(envelope).endswith(f"?interface={CREATE}_In&MessageId={UUID(int=7)}")


@pytest.mark.postgres
async def test_an_operation_that_a_partner_may_not_call_is_refused_with_the_reason(
    database: Database, clock: ManualClock
):
    metadata = MetaData()
    tables = seam_tables(metadata)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    heard: list[Any] = []

    async def hear(envelope: Envelope) -> bytes:
        heard.append(codec.decode(envelope.body))
        return b""

    inbox, outbox = Inbox(database, clock, tables), Outbox(database, clock, tables)
    outbox.connect(Seam.ENTERPRISE, hear)
    door = EnterpriseDoor(
        database=database,
        clock=clock,
        outbox=outbox,
        inbox=inbox,
        side=Side.MDUS,
        partner="office",
        passwords={},
        rights={"READER": Rights("secret", operations=("*MeterReading*",))},
    )
    app = create_app(Area("mdus", clock, database, routes=list(door.routes())), token="t")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://mdus", auth=("READER", "secret")
    ) as client:
        answer = await client.post(f"/services/{CREATE}_Out", content=codec.encode(example(CREATE)))
        assert answer.status_code == 202
        notification = "UtilitiesDeviceERPSmartMeterLocationNotification"
        told = await client.post(f"/services/{notification}_Out", content=codec.encode(example(notification)))
        assert told.status_code == 500, "what has no confirmation is answered by a fault"
        assert (
            f"READER may not call {notification}_Out. "
            f'If it is to: "{notification}_Out" in the operations of [partners.READER].'
        ) in html.unescape(told.text)
    await outbox._deliver_batch()
    (refusal,) = heard
    (item,) = refusal.log.item
    assert (item.category_code, item.type_id) == ("PRE.AUE", "OAMI015")
    assert item.note.endswith(f'If it is to: "{CREATE}_Out" in the operations of [partners.READER].')


@pytest.mark.enable_socket
async def test_over_tls_a_partner_is_known_by_its_certificate(tmp_path: Path):
    authority = certificate(tmp_path, "authority")
    certificate(tmp_path, "localhost", authority)
    _, client = certificate(tmp_path, "client", authority)
    shown: list[str | None] = []
    print_ = hashlib.sha256(client.public_bytes(serialization.Encoding.DER)).hexdigest()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        shown.append(known_partner(Request(scope), {"u": Rights("p", certificate_sha256=print_)}))
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    port = free_port()
    server = tls_server(
        app,
        host="127.0.0.1",
        port=port,
        paths=("/services", "/cim"),
        certificate=tmp_path / "localhost.pem",
        key=tmp_path / "localhost.key",
        client_authorities=tmp_path / "authority.pem",
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    try:
        trusting = client_context(authorities=tmp_path / "authority.pem", certificate=None, key=None)
        showing = client_context(
            authorities=tmp_path / "authority.pem",
            certificate=tmp_path / "client.pem",
            key=tmp_path / "client.key",
        )
        url = f"https://localhost:{port}"
        for context in (trusting, showing):
            transport = HttpTransport({"mdus": Partner(url, "u", "p")}, content_type="text/xml", tls=context)
            envelope = Envelope(UUID(int=1), Seam.ENTERPRISE, "mdus", "X", "/services/X", b"<x/>")
            await transport.deliver(envelope)
            await transport.close()
        async with httpx.AsyncClient(verify=showing, trust_env=False) as client_:
            hidden = await client_.get(f"{url}/api/messages")
            assert (hidden.status_code, hidden.text) == (404, "Only /services and /cim can be called here.\n")
            assert (await client_.get(f"{url}/cimx")).status_code == 404
            assert (await client_.post(f"{url}/cim/send")).status_code == 202
        async with httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False) as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.get(f"{url}/services")
    finally:
        server.should_exit = True
        await running
    assert shown == [None, "u", None], "the password alone is not enough, with the certificate it is"


def test_missing_tls_files_are_told(tmp_path: Path):
    with pytest.raises(TlsFileError, match="no file"):
        tls_server(
            lambda *_: None,  # type: ignore[arg-type]
            host="h",
            port=1,
            paths=("/services",),
            certificate=tmp_path / "a",
            key=tmp_path / "b",
            client_authorities=None,
        )
    with pytest.raises(TlsFileError, match="cannot be used"):
        client_context(authorities=tmp_path / "a", certificate=None, key=None)
