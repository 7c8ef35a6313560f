"""Settings: everything that is absent is named at once, and no secret is shown."""

import os
from pathlib import Path

import pytest

from escrow.settings import Settings, SettingsError, load_settings, variable_of
from escrow.stack.keys import load_or_make_keys, make_database_password

GIVEN = {
    "DATABASE_URL": "postgresql://somebody:hidden-password@/escrow",
    "ESCROW_BANK_URL": "http://127.0.0.1:8090",
    "ESCROW_BANK_KEY": "5e" * 32,
    "ESCROW_DATA_KEY": "da" * 32,
    "ESCROW_INDEX_KEY": "1d" * 32,
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ESCROW_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)


def test_all_absent_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert all(f"{name}: not set" in str(raised.value) for name in GIVEN)


def test_a_wrong_key_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GIVEN, "ESCROW_DATA_KEY": "not-so-secret"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"ESCROW_DATA_KEY: .*32 bytes") as raised:
        load_settings()
    assert "not-so-secret" not in str(raised.value)


def test_printed_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    shown = repr(load_settings())
    assert not any(secret in shown for secret in ("hidden-password", "5e5e", "dada", "1d1d"))


def test_keys_may_be_files_as_containers_mount_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = load_or_make_keys(tmp_path)
    make_database_password(tmp_path, user="escrow_owner", host="postgres", database="escrow", mode=0o600)
    monkeypatch.setenv("ESCROW_KEYS_FOLDER", str(tmp_path))
    monkeypatch.setenv("ESCROW_BANK_URL", "http://bank:8090")
    settings = load_settings()
    assert settings.data_key.get_secret_value() == keys["ESCROW_DATA_KEY"]
    password = (tmp_path / "database_password").read_text()
    assert settings.database_url == f"postgresql://escrow_owner:{password}@postgres/escrow"


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first = load_or_make_keys(tmp_path / "keys")
    assert load_or_make_keys(tmp_path / "keys") == first
    assert len(set(first.values())) == len(first)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "keys").iterdir())


def test_every_setting_is_explained_where_operators_look() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [name for name in Settings.model_fields if f"`{variable_of(name)}`" not in text] == []
