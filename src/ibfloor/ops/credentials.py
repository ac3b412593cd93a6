"""The broker's user name and password: from the OS keyring, systemd or the environment; never from a file of ours."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

import msgspec

from ibfloor.config import CredentialSource
from ibfloor.model.errors import ConfigError

USER, PASSWORD = "TWSUSERID", "TWSPASSWORD"
SERVICE = "ibfloor"


class Credentials(msgspec.Struct, frozen=True):
    """A login; its text never shows the password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


def read_credentials(source: CredentialSource, environment: MutableMapping[str, str] | None = None) -> Credentials:
    """Return the login, and take it out of the environment, so that no other child inherits it.

    Raises ``ConfigError`` that says how to store what is missing.
    """
    environment = os.environ if environment is None else environment
    match source:
        case CredentialSource.ENVIRONMENT:
            found = [environment.pop(key, "") for key in (USER, PASSWORD)]
            mend = f"set {USER} and {PASSWORD} in the environment of ibfloor run"
        case CredentialSource.SYSTEMD:
            folder = environment.get("CREDENTIALS_DIRECTORY", "")
            found = [_systemd(folder, key) for key in (USER, PASSWORD)]
            mend = f"give the unit LoadCredentialEncrypted={USER}:... and the same for {PASSWORD}"
        case CredentialSource.KEYRING:
            found = [_keyring(key) for key in (USER, PASSWORD)]
            mend = f"store them with: keyring set {SERVICE} {USER}, and: keyring set {SERVICE} {PASSWORD}"
    user, password = found
    missing = [key for key, value in ((USER, user), (PASSWORD, password)) if not value]
    if missing:
        raise ConfigError(f'[ibc] credentials = "{source}": {" and ".join(missing)} not found there; {mend}')
    if any(character in user + password for character in "\r\n\0"):
        raise ConfigError(f'[ibc] credentials = "{source}": a user name or password cannot span lines')
    return Credentials(user, password)


def _systemd(folder: str, key: str) -> str:
    if not folder:
        return ""
    try:
        return (Path(folder) / key).read_text().strip("\r\n")
    except FileNotFoundError:
        return ""


def _keyring(key: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError('[ibc] credentials = "keyring" needs the keyring library: install ibfloor[keyring]') from None
    try:
        return keyring.get_password(SERVICE, key) or ""
    except KeyringError as error:
        raise ConfigError(f'[ibc] credentials = "keyring": the keyring cannot be read: {error}') from None
