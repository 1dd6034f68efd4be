"""The page of settings is the settings; no way of showing them shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from openami import cli
from openami.shared.settings import WITH_SECRETS, PartnerSettings, PeerSettings, Settings, TlsSettings
from openami.shared.settings_reference import HIDDEN, told, values

FIELD = (("field_partners.*", PartnerSettings), ("field_peer", PeerSettings))


@pytest.mark.parametrize(
    ("name", "default", "words"),
    [
        ("data_dir", "`data`", "everything is kept"),
        ("host", "`127.0.0.1`", "loopback"),
        ("edits_need_approval", "`false`", "second person"),
        ("partners", "", "TOML tables"),
        ("partners.*.operations", "", "Patterns"),
        ("tls.mdus_port", "`8443`", "MDUS"),
        ("tls.headend_port", "`8445`", "field_partners"),
        ("field_partners.*.operations", "", "Patterns"),
        ("uploads_by_point", "`false`", "point of delivery"),
        ("tls.certificate", "needed", "certificate"),
        ("peer.password", "", "password"),
    ],
)
def test_a_setting_is_told_with_its_default(name: str, default: str, words: str) -> None:
    found = {one.name: one for one in told()}[name]
    assert found.default == default
    assert words in found.description


def test_every_setting_of_every_table_is_told() -> None:
    names = {one.name for one in told()}
    assert set(Settings.model_fields) <= names
    for table, model in (("partners.*", PartnerSettings), ("peer", PeerSettings), ("tls", TlsSettings), *FIELD):
        assert {f"{table}.{name}" for name in model.model_fields} <= names


def test_no_setting_is_described_by_its_name_alone() -> None:
    lazy = [one.name for one in told() if one.description == f"The {one.name.split('.')[-1].replace('_', ' ')}."]
    assert not lazy


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        postgres_url=SecretStr("postgresql://me:hush@db/"),
        fleet_secret=SecretStr("hush"),
        collect_keys={"1234": SecretStr("hush")},
        peer=PeerSettings(user="MDUS", password=SecretStr("hush")),
        partners={"SAP": PartnerSettings(password=SecretStr("hush"))},
        field_peer=PeerSettings(user="MDUS", password=SecretStr("hush")),
        field_partners={"AMS1": PartnerSettings(password=SecretStr("hush"))},
    )
    shown = {name: value for name, value, _ in values(settings)}
    assert "hush" not in str(shown)
    assert {shown[name] for name in WITH_SECRETS} == {HIDDEN}
    assert "hush" not in repr(settings)


def test_what_was_set_is_told_apart() -> None:
    shown = {name: (value, changed) for name, value, changed in values(Settings(zone="Asia/Tokyo"))}
    assert shown["zone"] == ("Asia/Tokyo", True)
    assert shown["homes"] == ("50", False)
    assert shown["tls"] == ("", False)
    tls = TlsSettings(certificate=Path("a.pem"), key=Path("a.key"))
    assert {name: value for name, value, _ in values(Settings(tls=tls))}["tls"] == (
        '{"certificate":"a.pem","key":"a.key"}'
    )


def test_the_command_shows_what_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert "Everything is at its default" in runner.invoke(cli.app, ["settings"]).output
    Path("openami.toml").write_text('zone = "Asia/Tokyo"\nfleet_secret = "hush"\n')
    output = runner.invoke(cli.app, ["settings"]).output
    assert "Asia/Tokyo" in output
    assert "hush" not in output
    assert "homes" not in output
    assert "homes" in runner.invoke(cli.app, ["settings", "--all"]).output
