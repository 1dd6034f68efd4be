"""Settings of an installation: `OPENAMI_...` variables over `openami.toml` over defaults that work on one machine."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError as UnreadableError

from openami.shared.errors import OpenAmiError
from openami.shared.spans import UnknownZoneError
from openami.shared.spans import zone as zone_of

CONSOLE_USERS = "console_users.json"  # in the data folder: the console's users, passwords hashed
WITH_SECRETS = {
    "partners",
    "peer",
    "field_partners",
    "field_peer",
    "collect_keys",
    "fleet_secret",
    "postgres_url",
}  # their values are never shown


class SettingsError(OpenAmiError):
    """A setting has a value that cannot be."""


class Address(NamedTuple):
    """Where one area listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as a URL without a path."""
        return f"http://{self.host}:{self.port}"


class PartnerSettings(BaseModel):
    """Who may call us on a seam: user name -> password, certificate, operations."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr | None = Field(default=None, description="Password of HTTP basic; none: the certificate alone.")
    certificate_sha256: str | None = Field(default=None, description="Fingerprint of the client certificate.")
    operations: list[str] = Field(default=[], description="Patterns of operation names; none: all.")

    @model_validator(mode="after")
    def _shows_something(self) -> PartnerSettings:
        if not (self.password and self.password.get_secret_value()) and not self.certificate_sha256:
            raise ValueError("give a password, a certificate_sha256, or both")
        return self


class PeerSettings(BaseModel):
    """How we call the partner on a seam."""

    model_config = ConfigDict(extra="forbid")

    user: str | None = Field(default=None, description="User of HTTP basic.")
    password: SecretStr = Field(default=SecretStr(""), description="Its password.")
    authorities: Path | None = Field(default=None, description="Certificates of the issuers that we trust.")
    certificate: Path | None = Field(default=None, description="The certificate that we show.")
    key: Path | None = Field(default=None, description="Its private key.")


class TlsSettings(BaseModel):
    """TLS for the enterprise services of MDUS and office, on ports of their own."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless you say otherwise.")
    mdus_port: int = Field(default=8443, ge=1, le=65535, description="Port of the MDUS.")
    office_port: int = Field(default=8444, ge=1, le=65535, description="Port of the office.")
    headend_port: int = Field(default=8445, ge=1, le=65535, description="Port of the head-end, with `field_partners`.")
    certificate: Path = Field(description="The certificate that we show, with those of its issuers.")
    key: Path = Field(description="Its private key.")
    client_authorities: Path | None = Field(default=None, description="Issuers of client certificates.")


class Settings(BaseSettings):
    """Everything that one may set; the names are the variables' without the prefix, in lower case."""

    model_config = SettingsConfigDict(
        env_prefix="OPENAMI_", toml_file="openami.toml", extra="forbid", env_ignore_empty=True
    )

    data_dir: Path = Field(default=Path("data"), description="Where everything is kept.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless you say otherwise.")
    base_port: int = Field(default=8400, ge=1024, le=65000, description="Console; the areas take the ports after it.")
    zone: str = Field(default="Europe/Amsterdam", description="Zone of local days, months and tariffs.")
    clock: Literal["real", "shared"] = Field(default="real", description="`shared` in a simulated landscape.")
    postgres_url: SecretStr | None = Field(
        default=None, description="A PostgreSQL of yours, up to the slash before the database name."
    )
    object_store: str | None = Field(
        default=None, description="`s3://bucket/prefix` for raw deliveries and sealed series; keys come from AWS_..."
    )
    field_url: str | None = Field(default=None, description="Another host's field area.")
    headend_url: str | None = Field(default=None, description="Another head-end (AMS) than ours.")
    mdus_url: str | None = Field(default=None, description="Another host's MDUS.")
    office_url: str | None = Field(default=None, description="Your back office, an SAP system for example.")
    contract_dir: Path | None = Field(
        default=None, description="Schemas and code tables of yours; by default `contract` in the data folder."
    )
    partners: dict[str, PartnerSettings] = Field(
        default={}, description="Who else may call the enterprise services (TOML tables)."
    )
    peer: PeerSettings = Field(default=PeerSettings(), description="How we call your SAP or MDUS (TOML table).")
    field_partners: dict[str, PartnerSettings] = Field(
        default={}, description="Who else may call the field seam (IEC 61968-9), a head-end for example (TOML tables)."
    )
    field_peer: PeerSettings = Field(
        default=PeerSettings(), description="How we call a head-end, or an MDUS, of yours (TOML table)."
    )
    bulk_bytes_max: int = Field(
        default=16 * 1024 * 1024, ge=64 * 1024, description="Bytes from which on a bulk message leaves in parts."
    )
    tls: TlsSettings | None = Field(default=None, description="What partners call, over TLS (TOML table).")
    homes: int = Field(default=50, ge=1, le=10_000, description="Homes of the simulated street.")
    seed: int = Field(default=1, description="Seed of the simulated street.")
    street: Literal["plain", "modern"] = Field(
        default="plain", description="`modern`: homes with three phases, solar roofs, charged cars and district heat."
    )
    concentrator_mode: Literal["router", "store_and_forward", "hybrid"] = Field(
        default="router", description="Whether simulated concentrators pass on what is asked, or answer from a cache."
    )
    segment_bits_per_s: int = Field(default=0, ge=0, description="Speed of the wire to simulated meters; 0: no limit.")
    segment_latency_s: float = Field(default=0, ge=0, le=60, description="Delay of each frame on that wire.")
    segment_loss: float = Field(default=0, ge=0, le=1, description="Which part of the frames gets lost on that wire.")
    fleet_secret: SecretStr | None = Field(default=None, description="Root of the simulated meters' passwords.")
    rule_set: str = Field(default="default", description="VEE rule set of channels whose master data name none.")
    edits_need_approval: bool = Field(default=False, description="Whether a second person must approve an edit.")
    uploads_by_point: bool = Field(
        default=False, description="Whether interval uploads name point of delivery and OBIS code, not a profile."
    )
    events_one_by_one: bool = Field(default=False, description="Whether each event leaves in a message of its own.")
    gas_day_starts_h: int = Field(default=0, ge=0, le=23, description="Local hour at which gas days begin, often 6.")
    keep_days: int = Field(default=0, ge=0, description="Days that values are kept at all; 0: for ever.")
    keep_deliveries_days: int = Field(
        default=0, ge=0, description="Days that the bytes of raw deliveries are kept; 0: for ever."
    )
    drop_folder: Path | None = Field(default=None, description="Folder whose files are taken in; default data/drop.")
    drop_registers: bool = Field(default=False, description="Whether unknown meters of dropped files are registered.")
    collect: list[str] = Field(
        default_factory=list,
        description="Where telegrams of one-way meters come from: listen, tcp, mqtt, mqtts and file URLs.",
    )
    instance: str | None = Field(
        default=None, description="Name of this process among several of one area; default: the host's name."
    )
    driver_dir: Path | None = Field(default=None, description="Folder with drivers of yours for M-Bus meters.")
    collect_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="Keys of their meters, by identification or system title, in hexadecimal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="From where on the areas' logs tell: debug, info, warning or error."
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            zone_of(name)
        except UnknownZoneError as error:
            raise ValueError("there is no such time zone; use an IANA name such as Europe/Amsterdam") from error
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - one file is enough
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - secrets have their own file
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then variables, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def address(self, area: str) -> Address:
        """Where an area of this installation listens: web on `base_port`, the others on the ports after it."""
        order = ("web", "office", "mdus", "headend", "field")
        return Address(self.host, self.base_port + order.index(area))

    def url_of(self, area: str) -> str:
        """Where an area is reached: here, or on the host that a setting names."""
        return getattr(self, f"{area}_url", None) or self.address(area).url

    @property
    def contract_folder(self) -> Path:
        """Where schemas (`schemas/`) and code tables (`tables/`) of a customer are."""
        return self.contract_dir or self.data_dir / "contract"

    @property
    def callers_port(self) -> int:
        """Where meters dial in to the head-end, and bring pushes over TCP."""
        return self.base_port + 8

    @property
    def collector_port(self) -> int:
        """Where the head-end's collector takes M-Bus telegrams."""
        return self.base_port + 9

    @property
    def first_concentrator_port(self) -> int:
        """The concentrators of the simulated street listen from here on."""
        return self.base_port + 10


def load_settings(**overrides: object) -> Settings:
    """The settings, with a person's error if one of them cannot be.

    Raises:
        SettingsError: names the setting, the value and what is allowed.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"openami.toml is no TOML: {error}.", hint="Mend that line.") from error
    except UnreadableError as error:
        raise SettingsError(
            f"A variable cannot be read: {error}.", hint="Lists and tables are given as JSON, or in openami.toml."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        value = "not usable" if first["loc"] and first["loc"][0] in WITH_SECRETS else repr(first.get("input"))
        raise SettingsError(
            f"The setting {name} is {value}: {first['msg']}.",
            hint=f"Mend OPENAMI_{name.upper()} or openami.toml.",
        ) from error
