from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.shared.areas import AREAS
from openami.shared.settings import SettingsError, load_settings
from openami.shared.supervisor import as_variable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_listen_on_loopback_only() -> None:
    settings = load_settings()
    assert {settings.address(area).host for area in AREAS} == {"127.0.0.1"}
    assert len({settings.address(area).port for area in AREAS}) == len(AREAS)


def test_arguments_beat_variables_beat_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openami.toml").write_text('zone = "Europe/Paris"\nhomes = 7\nbase_port = 9000\n')
    monkeypatch.setenv("OPENAMI_HOMES", "8")
    settings = load_settings(base_port=9100)
    assert (settings.zone, settings.homes, settings.base_port) == ("Europe/Paris", 8, 9100)


def test_another_area_may_live_elsewhere() -> None:
    settings = load_settings(office_url="https://sap.example:8443")
    assert settings.url_of("office") == "https://sap.example:8443"
    assert settings.url_of("mdus") == settings.address("mdus").url


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAMI_CLOCK", "cuckoo")
    with pytest.raises(SettingsError, match="setting clock is 'cuckoo'") as caught:
        load_settings()
    assert "OPENAMI_CLOCK" in caught.value.hint


def test_an_unknown_setting_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "openami.toml").write_text("hoems = 7\n")
    with pytest.raises(SettingsError, match="hoems"):
        load_settings()


def test_what_a_supervisor_hands_on_is_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load_settings(
        data_dir=tmp_path,
        homes=7,
        partners={"SAP": {"password": "secret", "operations": ["*MeterReading*"]}},
        collect_keys={"12345678": "00112233445566778899AABBCCDDEEFF"},
        tls={"certificate": "a.pem", "key": "a.key"},
    )
    for name, value in given.model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"OPENAMI_{name.upper()}", as_variable(value))
    assert load_settings() == given


def test_no_password_is_ever_shown() -> None:
    settings = load_settings(
        partners={"SAP": {"password": "hidden-1"}},
        peer={"user": "MDUS", "password": "hidden-2"},
        collect_keys={"1": "hidden-3"},
    )
    assert settings.peer.password.get_secret_value() == "hidden-2"
    assert "hidden" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "table",
    [
        {"partners": {"SAP": {"passwort": "hidden"}}},
        {"partners": {"SAP": {"password": ["hidden"]}}},
        {"peer": {"pasword": "hidden"}},
        {"collect_keys": {"1": ["hidden"]}},
    ],
)
def test_the_error_of_a_table_with_secrets_shows_none(table: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="is not usable") as caught:
        load_settings(**table)
    assert "hidden" not in str(caught.value)


def test_the_tls_door_listens_on_loopback_too() -> None:
    settings = load_settings(tls={"certificate": "a.pem", "key": "a.key"})
    assert settings.tls is not None
    assert settings.tls.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("zone = ", "is no TOML"),
        ('zone = "\0"', "is no TOML"),
        ('zone = "Mars/Base"', "no such time zone"),
        ('zone = "../../etc/passwd"', "no such time zone"),
        ('zone = "Europe"', "no such time zone"),  # a folder of zones
        ("homes = 0", "homes is 0"),
        ("home = 5", "home is 5"),
        ('clock = "fast"', "clock is 'fast'"),
    ],
)
def test_a_file_of_settings_that_cannot_be_says_what_to_mend(tmp_path: Path, file: str, found: str) -> None:
    (tmp_path / "openami.toml").write_text(file)
    with pytest.raises(SettingsError, match=found) as caught:
        load_settings()
    assert "end" in caught.value.hint


def test_a_variable_that_is_no_json_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAMI_PARTNERS", '{"sap": {"password": "hidden"}')
    with pytest.raises(SettingsError, match="partners") as caught:
        load_settings()
    assert "hidden" not in f"{caught.value}{caught.value.hint}"
    assert "JSON" in caught.value.hint
