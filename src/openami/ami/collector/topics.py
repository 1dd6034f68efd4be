"""Telegrams from an MQTT broker: a message is acknowledged when what it says is durable, and not before."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import aiomqtt

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.collector.sources import Source, Take

AT_LEAST_ONCE: Final = 1
INCOMING_MAX: Final = 1000  # messages held between the broker and the database


async def subscribe(
    source: Source, take: Take, *, identifier: str, subscribed: Callable[[], None] | None = None
) -> None:
    """Take every message below a topic until the broker hangs up.

    The session is kept by the broker under `identifier`: what comes while we are away, or was not acknowledged because
    it could not be stored, is sent again.
    """
    tls = ssl.create_default_context() if source.scheme == "mqtts" else None
    client = aiomqtt.Client(
        source.host,
        source.port,
        username=source.user,
        password=source.password,
        identifier=identifier,
        clean_session=False,
        tls_context=tls,
        max_queued_incoming_messages=INCOMING_MAX,
    )
    transport = client._client  # noqa: SLF001 - aiomqtt acknowledges on receipt; only its transport can wait
    transport.manual_ack_set(on=True)
    async with client:
        await client.subscribe(source.topic, qos=AT_LEAST_ONCE)
        if subscribed is not None:
            subscribed()
        async for message in client.messages:
            if isinstance(message.payload, bytes | bytearray) and message.payload:
                await take(bytes(message.payload))
            if message.qos:
                transport.ack(message.mid, message.qos)
