"""The broker's log-in: found where floor.toml says, shown nowhere."""

from __future__ import annotations

from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from ibfloor.config import CredentialSource
from ibfloor.model.errors import ConfigError
from ibfloor.ops.credentials import Credentials, read_credentials


def test_the_environment_gives_the_login_once_and_keeps_nothing() -> None:
    environment = {"TWSUSERID": "trader", "TWSPASSWORD": "s3cret", "HOME": "/home/trader"}

    found = read_credentials(CredentialSource.ENVIRONMENT, environment)

    assert found == Credentials("trader", "s3cret")
    assert environment == {"HOME": "/home/trader"}


def test_systemd_gives_the_login_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "TWSUSERID").write_text("trader\n")
    (tmp_path / "TWSPASSWORD").write_text("s3cret\n")

    found = read_credentials(CredentialSource.SYSTEMD, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert found == Credentials("trader", "s3cret")


@pytest.mark.parametrize("source", list(CredentialSource))
def test_what_is_missing_is_named_with_the_way_to_store_it(source: CredentialSource, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_credentials(source, {"CREDENTIALS_DIRECTORY": str(tmp_path), "TWSUSERID": "trader"})

    assert str(source) in str(refused.value)
    assert "TWSPASSWORD" in str(refused.value) or "keyring" in str(refused.value)
    assert "trader" not in str(refused.value)


def test_a_password_with_a_line_break_cannot_write_settings_of_ibc() -> None:
    with pytest.raises(ConfigError, match="cannot span lines"):
        read_credentials(
            CredentialSource.ENVIRONMENT, {"TWSUSERID": "trader", "TWSPASSWORD": "x\nCommandServerPort=7462"}
        )


def test_a_login_does_not_show_itself() -> None:
    assert "s3cret" not in repr(Credentials("trader", "s3cret"))
    assert "trader" not in f"{Credentials('trader', 's3cret')}"


def test_the_keyring_gives_the_login() -> None:
    stored = {("ibfloor", "TWSUSERID"): "trader", ("ibfloor", "TWSPASSWORD"): "s3cret"}
    backend = Memory(stored)
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        assert read_credentials(CredentialSource.KEYRING, {}) == Credentials("trader", "s3cret")
    finally:
        keyring.set_keyring(before)


class Memory(KeyringBackend):
    """A keyring without a desktop behind it."""

    priority = 1

    def __init__(self, stored: dict[tuple[str, str], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stored = stored

    def get_password(self, service: str, username: str) -> str | None:
        return self._stored.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._stored[service, username] = password
