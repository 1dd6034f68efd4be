"""Where telegrams come from, written as one URL a source.

    listen://0.0.0.0:4070?language=p1              meters' gateways that connect to us and send
    tcp://192.168.1.20:8088?language=sml           a serial port or receiver that we connect to
    mqtt://user:password@broker:1883/meters/+/raw  every message below a topic; mqtts:// over TLS
    file:///var/spool/openami?language=wmbus       every file that is put into a folder

`&every=900` keeps one telegram a meter in 900 seconds: consumer ports send one a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from openami.ami.telegrams.languages import LANGUAGES
from openami.shared.errors import OpenAmiError

_PORTS: Final = {"listen": None, "tcp": None, "mqtt": 1883, "mqtts": 8883}
_SCHEMES: Final = (*_PORTS, "file")


class Take(Protocol):
    """What a source does with a telegram: when it returns, the telegram is durable."""

    async def __call__(self, octets: bytes, /) -> None:
        """Keep it."""
        ...


class SourceError(OpenAmiError):
    """A source that cannot be: the URL says nothing that we know."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source; `name` is what a person may see of it: never its password."""

    scheme: str
    name: str
    host: str = ""
    port: int = 0
    topic: str = ""
    folder: Path = Path()
    language: str | None = None
    every_s: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def source_of(url: str) -> Source:
    """The source that a URL names.

    Raises:
        SourceError: the scheme, the language, the port or the topic cannot be.
    """
    url = url.replace("#", "%23")  # the topics' wildcard, no fragment
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise SourceError(f"{parts.scheme or url!r} is no kind of source.", hint=f"There are {', '.join(_SCHEMES)}.")
    query = parse_qs(parts.query)
    language, every = query.get("language", [None])[0], query.get("every", ["0"])[0]
    if not every.isdecimal():
        raise SourceError(f"{every!r} are no seconds.", hint="Write every=900, or leave it out.")
    if language is not None and language not in LANGUAGES:
        raise SourceError(f"There is no language {language!r}.", hint=f"There are {', '.join(sorted(LANGUAGES))}.")
    path = unquote(parts.path)
    if parts.scheme == "file":
        if not path.strip("/"):
            raise SourceError("The file source names no folder.", hint="Write file:///var/spool/openami.")
        return Source("file", f"file://{path}", folder=Path(path), language=language, every_s=int(every))
    host, port = _address(url)
    name = f"{parts.scheme}://{host}:{port}{path}"
    topic = path.removeprefix("/")
    if parts.scheme.startswith("mqtt") and not topic:
        raise SourceError("The MQTT source names no topic.", hint="Write mqtt://broker/meters/#.")
    user, password = parts.username, parts.password
    return Source(
        parts.scheme,
        name,
        host,
        port,
        topic,
        language=language,
        every_s=int(every),
        user=unquote(user) if user else None,
        password=unquote(password) if password else None,
    )


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        port = None
    if port is None:
        raise SourceError(f"{url.partition('?')[0]!r} names no port.", hint="Write tcp://host:port.")
    return parts.hostname or "127.0.0.1", port
