"""S3-compatible object storage: where it is and how one gets in, from the variables that every such tool reads.

`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_REGION`: so a worker on another machine gets
them from its own environment, and no secret travels with the work.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyarrow import fs

SCHEME: Final = "s3://"


class ObjectStoreError(OpenAmiError):
    """The object storage is not described, or does not answer."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """One S3 endpoint with its keys; without an endpoint it is Amazon's own."""

    key_id: str
    secret: str
    endpoint: str = ""
    region: str = "us-east-1"

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] | None = None) -> Self:
        """The store that the environment describes.

        Raises:
            ObjectStoreError: it describes none.
        """
        found = os.environ if variables is None else variables
        try:
            key_id, secret = found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]
        except KeyError as error:
            raise ObjectStoreError(
                f"The variable {error.args[0]} is not set.",
                hint="Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for a store of your own.",
            ) from None
        return cls(key_id, secret, found.get("AWS_ENDPOINT_URL", ""), found.get("AWS_REGION", "us-east-1"))

    @property
    def host(self) -> str:
        """Host and port of the endpoint, empty for Amazon's own."""
        return urlsplit(self.endpoint).netloc

    @property
    def tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return not self.endpoint.startswith("http://")

    def file_system(self, *, creating: bool = False) -> fs.S3FileSystem:
        """Its objects as files; `creating` allows to make buckets."""
        from pyarrow import fs  # noqa: PLC0415 - who has folders only needs none of it

        return fs.S3FileSystem(
            access_key=self.key_id,
            secret_key=self.secret,
            endpoint_override=self.host or None,
            scheme="https" if self.tls else "http",
            region=self.region,
            allow_bucket_creation=creating,
        )


def file_system(place: str | Path) -> tuple[fs.FileSystem, str]:
    """What reads the files below a folder or `s3://bucket/prefix`, and their path in it."""
    from pyarrow import fs  # noqa: PLC0415 - its import is not free

    if is_object_url(place):
        return ObjectStore.of_environment().file_system(), str(place).removeprefix(SCHEME).rstrip("/")
    return fs.LocalFileSystem(), str(place)


def is_object_url(place: str | Path) -> bool:
    """True for `s3://bucket/prefix`, False for a folder."""
    return str(place).startswith(SCHEME)


def joined(place: str | Path, name: str) -> str:
    """A place below another one."""
    return f"{str(place).rstrip('/')}/{name}"
